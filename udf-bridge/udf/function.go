package udf

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind says how Flink calls a function.
type Kind string

const (
	// KindScalar is called once a row and returns one value.
	KindScalar Kind = "SCALAR"
	// KindRaw takes and returns bytes; its caller and it agree on the encoding. The sidecar hands it JSON.
	KindRaw Kind = "RAW"
)

// Description is what a caller must know of a function: its types as Flink's SQL names them.
type Description struct {
	Name          string  `json:"name"`
	Kind          Kind    `json:"kind"`
	Doc           string  `json:"doc,omitempty"`
	Deterministic bool    `json:"deterministic"`
	Arguments     []Field `json:"arguments"`
	Result        Field   `json:"result"`
}

// Signature is the description in one line, for people: risk_score(amount DOUBLE, country STRING NULL) -> DOUBLE.
func (d Description) Signature() string {
	args := make([]string, len(d.Arguments))
	for i, a := range d.Arguments {
		args[i] = a.Name + " " + a.sql()
	}
	return fmt.Sprintf("%s(%s) -> %s", d.Name, strings.Join(args, ", "), d.Result.sql())
}

// Function is a registered function. It is immutable and safe for concurrent use as far as the user's code is.
type Function struct {
	desc Description
	call func(ctx context.Context, event []byte) ([]byte, error)
}

// Describe returns the function's description; the caller must not change its slices.
func (f *Function) Describe() Description { return f.desc }

// CallJSON decodes one JSON value into the function's arguments, calls it and appends nothing to the event: the result
// is a new JSON object. A result that is not a struct is answered as {"value": ...}. The error is an [*InputError] if
// the event does not fit the arguments, else the function's own. A panic of the function passes through: whoever calls
// decides what it costs (package invoke).
func (f *Function) CallJSON(ctx context.Context, event []byte) ([]byte, error) {
	return f.call(ctx, event)
}

// Option describes a function further.
type Option func(*Description)

// Doc is a sentence for the people who call the function.
func Doc(text string) Option { return func(d *Description) { d.Doc = text } }

// Deterministic says whether the same arguments always give the same result. The default is true, as in Flink.
func Deterministic(yes bool) Option { return func(d *Description) { d.Deterministic = yes } }

// Scalar registers a function that is called once a row. In and Out are read by reflection here, once; what does not
// fit Flink's types is reported by [Registry.Err]. The function must be safe for concurrent use, and should return when
// its context ends.
func Scalar[In, Out any](r *Registry, name string, fn func(ctx context.Context, in In) (Out, error), opts ...Option) {
	desc := Description{Name: name, Kind: KindScalar, Deterministic: true}
	for _, o := range opts {
		o(&desc)
	}
	in, err := planFor(reflect.TypeFor[In]())
	if err != nil {
		r.Fail(name, fmt.Errorf("input %w", err))
		return
	}
	out, err := planFor(reflect.TypeFor[Out]())
	if err != nil {
		r.Fail(name, fmt.Errorf("result %w", err))
		return
	}
	desc.Arguments = []Field{{Name: "event", Type: in.typ, Nullable: in.nullable}}
	if in.typ.Root == RootRow && !in.nullable {
		desc.Arguments = in.typ.Fields
	}
	desc.Result = Field{Name: "result", Type: out.typ, Nullable: out.nullable}
	r.add(&Function{desc: desc, call: func(ctx context.Context, event []byte) ([]byte, error) {
		var arg In
		if err := in.unmarshal(event, reflect.ValueOf(&arg).Elem()); err != nil {
			return nil, err
		}
		result, err := fn(ctx, arg)
		if err != nil {
			return nil, err
		}
		return out.marshalObject(reflect.ValueOf(&result).Elem())
	}})
}

// Raw registers a function that takes one encoded event and returns one encoded result. In the sidecar both are JSON;
// the function must not change the event, nor keep it after it returns.
func Raw(r *Registry, name string, fn func(ctx context.Context, event []byte) ([]byte, error), opts ...Option) {
	desc := Description{
		Name: name, Kind: KindRaw, Deterministic: true,
		Arguments: []Field{{Name: "event", Type: Type{Root: RootBytes}}},
		Result:    Field{Name: "result", Type: Type{Root: RootBytes}},
	}
	for _, o := range opts {
		o(&desc)
	}
	r.add(&Function{desc: desc, call: func(ctx context.Context, event []byte) ([]byte, error) {
		result, err := fn(ctx, event)
		if err != nil {
			return nil, err
		}
		value := jsontext.Value(result)
		if !value.IsValid() {
			return nil, fmt.Errorf("result of %s is not valid JSON", name)
		}
		if value.Kind() == '{' {
			return result, nil
		}
		return append(append([]byte(`{"value":`), result...), '}'), nil
	}})
}
