package udf

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/drey-flink/drey/udf-bridge/fastjson"
)

// Raw registers a function that takes one encoded event and returns one encoded result: BYTES in SQL. In the sidecar
// both are JSON. The function must not change the event, nor keep it after it returns: in the TaskManager it is memory
// of Java.
func Raw(r *Registry, name string, fn func(ctx context.Context, event []byte) ([]byte, error), opts ...Option) {
	encoded(r, name, KindRaw, RootBytes, opts, nil, func(ctx context.Context, dst, event []byte) ([]byte, error) {
		result, err := fn(ctx, event)
		return append(dst, result...), err
	})
}

// JSON registers a function that takes JSON and returns JSON, as text: STRING in SQL. What stands in the text is between
// it and its callers, so In and Out may be anything that package encoding/json reads and writes, by its rules and tags.
// Text that is not JSON, or does not fit In, is an [*InputError].
func JSON[In, Out any](r *Registry, name string, fn func(ctx context.Context, in In) (Out, error), opts ...Option) {
	decoder := sync.OnceValue(fastjson.NewDecoder[In])
	prepare := func() { decoder() }
	encoded(r, name, KindJSON, RootString, opts, prepare, func(ctx context.Context, dst, event []byte) ([]byte, error) {
		in, err := decoder().Decode(event)
		if err != nil {
			return nil, &InputError{Violations: []Violation{{Field: "event", Message: err.Error()}}}
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		result, err := fastjson.Append(dst, out)
		if err != nil {
			return nil, &ResultError{Message: err.Error()}
		}
		return result, nil
	})
}

// encoded registers a function whose argument and result are one encoded value each: call appends the result to
// dst. Prepare is what Open does first; it may be nil.
func encoded(r *Registry, name string, kind Kind, root Root, opts []Option, prepare func(), call func(ctx context.Context, dst, event []byte) ([]byte, error)) {
	s := settingsOf(opts)
	f, err := newFunction(name, kind, &s)
	if err == nil {
		f.desc.Result = Field{Name: "result", Type: Type{Root: root}}
		f.desc.Arguments, err = s.rename([]Field{{Name: "event", Type: Type{Root: root}}})
	}
	if err != nil {
		r.Fail(name, err)
		return
	}
	f.prepare, f.bytes = prepare, call
	f.callJSON = func(ctx context.Context, event []byte) ([]byte, error) {
		if f.desc.NullOnNull && jsontext.Value(event).Kind() == 'n' {
			return nullResult(true, "null"), nil
		}
		result, err := call(ctx, nil, event)
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
	}
	r.add(f)
}
