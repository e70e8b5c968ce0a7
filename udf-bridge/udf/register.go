package udf

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"
)

// Scalar registers a function that is called once a row. In and Out are read by reflection here, once; what does not
// fit Flink's types is reported by [Registry.Err]. The function must be safe for concurrent use, and should return when
// its context ends.
func Scalar[In, Out any](r *Registry, name string, fn func(ctx context.Context, in In) (Out, error), opts ...Option) {
	f := typed[In, Out](r, name, KindScalar, opts)
	if f == nil {
		return
	}
	f.newBody = func() body {
		var m struct {
			in  In
			out Out
		}
		return body{
			in: unsafe.Pointer(&m.in), out: unsafe.Pointer(&m.out), inSize: unsafe.Sizeof(m.in),
			reset: func() {
				var zero Out
				m.out = zero
			},
			call: func(ctx context.Context, in, out unsafe.Pointer) (err error) {
				*(*Out)(out), err = fn(ctx, *(*In)(in))
				return err
			},
		}
	}
	f.callJSON = func(ctx context.Context, event []byte) ([]byte, error) {
		var arg In
		if null, err := f.decodeJSON(event, reflect.ValueOf(&arg).Elem()); null || err != nil {
			return nullResult(null, "null"), err
		}
		result, err := fn(ctx, arg)
		if err != nil {
			return nil, err
		}
		return f.out.marshalObject(reflect.ValueOf(&result).Elem())
	}
	r.add(f)
}

// Table registers a function that is called once a row and emits any number of rows, each by one call of emit. A
// struct's fields are the columns, any other Out is one column. emit is not safe for concurrent use, and not to be
// called after the function has returned; it ends the function, by a panic that is no error of the process, if the
// result of the call gets too large.
func Table[In, Out any](r *Registry, name string, fn func(ctx context.Context, in In, emit func(Out)) error, opts ...Option) {
	f := typed[In, Out](r, name, KindTable, opts)
	if f == nil {
		return
	}
	f.newBody = func() body {
		var m struct {
			in  In
			out Out
		}
		var sink func()
		emit := func(out Out) {
			m.out = out
			sink()
		}
		return body{
			in: unsafe.Pointer(&m.in), out: unsafe.Pointer(&m.out),
			reset: func() {
				var zero Out
				m.out = zero
			},
			sink: &sink,
			call: func(ctx context.Context, in, _ unsafe.Pointer) error { return fn(ctx, *(*In)(in), emit) },
		}
	}
	f.callJSON = func(ctx context.Context, event []byte) ([]byte, error) {
		var arg In
		if null, err := f.decodeJSON(event, reflect.ValueOf(&arg).Elem()); null || err != nil {
			return nullResult(null, "[]"), err
		}
		e := jsonEmitter{plan: f.out, dst: []byte(`{"value":[`), limit: resultLimit(ctx)}
		return e.result(func() error {
			return fn(ctx, arg, func(out Out) { e.emit(reflect.ValueOf(&out).Elem()) })
		})
	}
	r.add(f)
}

// typed makes the function of a kind whose types are Go's, or nil if it cannot be.
func typed[In, Out any](r *Registry, name string, kind Kind, opts []Option) *Function {
	s := settingsOf(opts)
	f, err := newFunction(name, kind, &s)
	if err == nil {
		f.in, f.desc.Arguments, err = arguments(reflect.TypeFor[In](), &s)
	}
	if err == nil {
		if f.out, err = planOf(reflect.TypeFor[Out](), s.returns, nil); err != nil {
			err = fmt.Errorf("result %w", err)
		}
	}
	if err != nil {
		r.Fail(name, err)
		return nil
	}
	alone := "" // the name of an argument that is no struct
	if len(f.desc.Arguments) > 0 {
		alone = f.desc.Arguments[0].Name
	}
	f.inRow, f.outRow = newRowPlanner(columnsOf(f.in, alone)), newRowPlanner(columnsOf(f.out, ""))
	f.desc.Result = Field{Name: "result", Type: f.out.typ, Nullable: f.out.nullable}
	return f
}

// newFunction is what all kinds have in common.
func newFunction(name string, kind Kind, s *settings) (*Function, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	f := &Function{desc: Description{
		Name: name, Kind: kind, Doc: s.doc, Deterministic: s.deterministic, NullOnNull: s.nullOnNull, Parameters: s.parameters,
	}}
	if len(s.opens) > 0 {
		f.opening = &s.opens[0]
	}
	return f, nil
}

// arguments reads the input: each field of a struct is one, anything else is one alone.
func arguments(t reflect.Type, s *settings) (*plan, []Field, error) {
	in, err := inputPlan(t, s.args)
	if err != nil {
		return nil, nil, fmt.Errorf("input %w", err)
	}
	if in.typ.Root == RootRow && !in.nullable {
		return in, in.typ.Fields, nil
	}
	fields, err := s.rename([]Field{{Name: "value", Type: in.typ, Nullable: in.nullable}})
	return in, fields, err
}

// jsonEmitter collects the rows of a table function as the elements of a list.
type jsonEmitter struct {
	plan  *plan
	dst   []byte
	rows  int
	limit int64
	err   error
}

func (e *jsonEmitter) emit(row reflect.Value) {
	if e.err == nil {
		if e.rows++; e.rows > 1 {
			e.dst = append(e.dst, ',')
		}
		if dst, err := e.plan.encode(e.dst, row); err != nil {
			e.err = resultError(err)
		} else {
			e.dst = dst
		}
		if e.limit > 0 && int64(len(e.dst)) > e.limit {
			e.err = &ResultError{Message: tooLarge(e.limit)}
		}
	}
	if e.err != nil {
		panic(errStopped)
	}
}

// result calls the function.
func (e *jsonEmitter) result(call func() error) (result []byte, err error) {
	defer func() {
		if e.err != nil {
			if value := recover(); value != nil && value != any(errStopped) {
				panic(value)
			}
			result, err = nil, e.err
		}
	}()
	if err := call(); err != nil {
		return nil, err
	}
	return append(e.dst, "]}"...), nil
}
