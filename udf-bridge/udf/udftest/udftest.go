package udftest

import (
	"context"
	"maps"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Function is an opened function. It is not safe for concurrent use, as an operator's is not.
type Function struct {
	t        testing.TB
	fn       *udf.Function
	job      udf.Job
	options  []udf.OpenOption
	instance *udf.Instance
	caller   *udf.Caller
	buffer   []byte // what results are written to, as Java's buffer: used for every call
}

// Option says how the function is opened.
type Option func(*Function)

// Parameter sets a parameter of the job, which the function must declare by [udf.Parameter]: Flink passes no others.
func Parameter(name, value string) Option {
	return func(f *Function) { f.job.Parameters[name] = value }
}

// Job is the job that the function is opened for.
func Job(job udf.Job) Option {
	return func(f *Function) {
		maps.Copy(f.job.Parameters, job.Parameters)
		job.Parameters = f.job.Parameters
		f.job = job
	}
}

// Timeout is the time that the context of each call leaves; the default is what Flink has, 30 s.
func Timeout(d time.Duration) Option {
	return func(f *Function) { f.options = append(f.options, udf.CallTimeout(d)) }
}

// MaxResultBytes is the most that a call may return; the default is what Flink has, 64 MiB.
func MaxResultBytes(n int64) Option {
	return func(f *Function) { f.options = append(f.options, udf.MaxResultBytes(n)) }
}

// Open registers what register does, opens the function of that name, and closes it when the test ends. Whatever is wrong
// with the registration fails the test.
func Open(t testing.TB, register func(*udf.Registry), name string, options ...Option) *Function {
	t.Helper()
	r := registry(t, register)
	fn, ok := r.Lookup(name)
	if !ok {
		t.Fatalf("no function %q is registered; there are: %v", name, namesOf(r))
	}
	return opened(t, fn, parametersOf(fn), options)
}

// parametersOf are the names that functions declare, sorted.
func parametersOf(functions ...*udf.Function) []string {
	var names []string
	for _, fn := range functions {
		for _, p := range fn.Describe().Parameters {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func registry(t testing.TB, register func(*udf.Registry)) *udf.Registry {
	t.Helper()
	r := udf.NewRegistry()
	register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

func namesOf(r *udf.Registry) []string {
	var names []string
	for _, f := range r.Functions() {
		names = append(names, f.Describe().Name)
	}
	return names
}

// opened opens a function. A parameter of the job that is not among the declared ones is a mistake of the test.
func opened(t testing.TB, fn *udf.Function, declared []string, options []Option) *Function {
	t.Helper()
	f := &Function{
		t: t, fn: fn, job: udf.Job{Name: t.Name(), Parameters: map[string]string{}, Parallelism: 1},
		options: []udf.OpenOption{udf.CallTimeout(30 * time.Second), udf.MaxResultBytes(64 << 20)},
		buffer:  make([]byte, 0, 64),
	}
	for _, o := range options {
		o(f)
	}
	for _, name := range slices.Sorted(maps.Keys(f.job.Parameters)) {
		if !slices.Contains(declared, name) {
			t.Fatalf("job parameter %q is declared nowhere, and Flink passes it to no function; declare it with udf.Parameter, there are: %v", name, declared)
		}
	}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *Function) open() {
	f.t.Helper()
	instance, err := f.fn.Open(context.Background(), f.job, f.options...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.instance, f.caller = instance, instance.Caller()
}

func (f *Function) close() {
	f.t.Helper()
	if err := f.instance.Close(); err != nil {
		f.t.Error(err)
	}
}

// Describe returns the function's description.
func (f *Function) Describe() udf.Description { return f.fn.Describe() }

// Call calls the function with one row and returns its result. in is a value of the function's input type; of a JSON
// function it is a string, of a RAW one []byte, and so is Out. An error fails the test.
func Call[Out any](f *Function, in any) Out {
	f.t.Helper()
	results, err := f.eval(in)
	if err != nil {
		f.t.Fatalf("%s(%v): %v", f.Describe().Name, in, err)
	}
	return as[Out](f, results)[0]
}

// Rows calls a table function with one row and returns what it emits. An error fails the test.
func Rows[Out any](f *Function, in any) []Out {
	f.t.Helper()
	results, err := f.eval(in)
	if err != nil {
		f.t.Fatalf("%s(%v): %v", f.Describe().Name, in, err)
	}
	return as[Out](f, results)
}

// Error calls the function with one row and returns its error: its own, a [*udf.PanicError], a [*udf.ResultError], or the
// one of its context. No error fails the test.
func Error(f *Function, in any) error {
	f.t.Helper()
	results, err := f.eval(in)
	if err == nil {
		f.t.Fatalf("%s(%v): want an error, got %v", f.Describe().Name, in, results)
	}
	return err
}

// JSON calls the function as the sidecar does, with one event, and returns the object that is answered.
func (f *Function) JSON(event string) (answer string, err error) {
	err = guarded(func() error {
		result, err := f.instance.CallJSON(context.Background(), []byte(event))
		answer = string(result)
		return err
	})
	return answer, err
}

func as[Out any](f *Function, results []any) []Out {
	f.t.Helper()
	out := make([]Out, len(results))
	for i, result := range results {
		typed, ok := result.(Out)
		if !ok {
			f.t.Fatalf("%s returns a %T, not a %T", f.Describe().Name, result, out[i])
		}
		out[i] = typed
	}
	return out
}

func (f *Function) eval(in any) ([]any, error) {
	f.t.Helper()
	result, err := f.call(udf.OpEval, f.message(in))
	if err != nil {
		return nil, err
	}
	switch f.Describe().Kind {
	case udf.KindJSON:
		return []any{string(result)}, nil
	case udf.KindRaw:
		return []any{result}, nil
	}
	rows, err := f.fn.DecodeResults(result)
	if err != nil {
		f.t.Fatalf("%s: its result cannot be read: %v", f.Describe().Name, err)
	}
	return rows, nil
}

// message is the input of one row as Java sends it.
func (f *Function) message(in any) []byte {
	f.t.Helper()
	switch kind := f.Describe().Kind; kind {
	case udf.KindRaw, udf.KindJSON:
		text, isText := in.(string)
		raw, isRaw := in.([]byte)
		if isText != (kind == udf.KindJSON) || isRaw != (kind == udf.KindRaw) {
			f.t.Fatalf("%s takes a string for JSON and []byte for RAW, not a %T", f.Describe().Name, in)
		}
		return append(raw, text...)
	case udf.KindAggregate:
		f.t.Fatalf("%s is an aggregate: take its Group", f.Describe().Name)
	}
	msg, err := f.fn.EncodeArguments(in)
	if err != nil {
		f.t.Fatal(err)
	}
	return msg
}

// call does one operation in the way of the TaskManager: the input is memory that is used for something else as soon as
// the call returns, and so is that of the result, of which a copy is returned.
func (f *Function) call(op udf.Op, in []byte) (result []byte, err error) {
	input := append([]byte(nil), in...)
	err = guarded(func() error {
		defer f.caller.Abandon() // for a panic
		var err error
		result, err = f.caller.Call(context.Background(), op, input, f.buffer)
		return err
	})
	result = append([]byte(nil), result...)
	for _, memory := range [][]byte{input, f.buffer[:cap(f.buffer)]} {
		for i := range memory {
			memory[i] = 0xdb
		}
	}
	if len(result) > cap(f.buffer) {
		f.buffer = make([]byte, 0, len(result)) // Java's grows too
	}
	return result, err
}

// guarded turns a panic into an error, as the bridge does.
func guarded(fn func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &udf.PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return fn()
}
