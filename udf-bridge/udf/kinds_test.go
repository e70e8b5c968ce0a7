package udf_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// eval calls an opened function with rows and returns its rows.
func eval[In, Out any](c *udf.Caller, rows ...In) ([]Out, error) {
	in, err := udf.EncodeRows(rows...)
	if err != nil {
		return nil, err
	}
	out, err := c.Call(context.Background(), udf.OpEval, in, nil)
	if err != nil {
		return nil, err
	}
	return udf.DecodeRows[Out](out)
}

type word struct {
	Text string
	At   int32
}

func words(_ context.Context, text string, emit func(word)) error {
	for i, w := range strings.Fields(text) {
		if w == "stop" {
			return errors.New("told to stop")
		}
		emit(word{w, int32(i)})
	}
	return nil
}

func TestTable(t *testing.T) {
	f := one(t, func(r *udf.Registry) { udf.Table(r, "words", words, udf.Args("text")) })
	if got := f.Describe().Signature(); got != "words(text STRING NOT NULL) -> ROW<`text` STRING NOT NULL, `at` INT NOT NULL> NOT NULL" {
		t.Error(got)
	}
	c := open(t, f)
	got, err := eval[string, word](c, "a b", "", "c")
	if want := []word{{"a", 0}, {"b", 1}, {"c", 0}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := eval[string, word](c, "a", "b stop"); err == nil || err.Error() != "told to stop" || c.Row() != 1 {
		t.Errorf("got %v at row %d", err, c.Row())
	}
	if got, err := f.CallJSON(context.Background(), []byte(`"a b"`)); err != nil || string(got) != `{"value":[{"text":"a","at":0},{"text":"b","at":1}]}` {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := f.CallJSON(context.Background(), []byte(`""`)); err != nil || string(got) != `{"value":[]}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestEmitEndsTheFunction: without a limit these functions would never return.
func TestEmitEndsTheFunction(t *testing.T) {
	cleaned := 0
	f := one(t, func(r *udf.Registry) {
		udf.Table(r, "f", func(_ context.Context, bad bool, emit func(string)) error {
			defer func() { cleaned++ }()
			for {
				if emit("0123456789"); bad {
					emit("\xff")
				}
			}
		})
	})
	c := open(t, f, udf.MaxResultBytes(1000))
	var result *udf.ResultError
	if _, err := eval[bool, string](c, false); !errors.As(err, &result) || err.Error() != "the result is larger than 1000 bytes; return less, or raise drey.udf.max-result-bytes" {
		t.Errorf("got %v", err)
	}
	if _, err := eval[bool, string](c, true); !errors.As(err, &result) || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("got %v", err)
	}
	instance, err := f.Open(context.Background(), udf.Job{}, udf.MaxResultBytes(1000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := instance.CallJSON(context.Background(), []byte("false")); !errors.As(err, &result) || !strings.Contains(err.Error(), "larger than 1000 bytes") {
		t.Errorf("JSON: got %v", err)
	}
	if _, err := instance.CallJSON(context.Background(), []byte("true")); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
		t.Errorf("JSON: got %v", err)
	}
	if cleaned != 4 {
		t.Errorf("deferred functions ran %d times", cleaned)
	}
}

// TestEmitThatComesTooLate: the memory for the result is the JVM's, and may be freed when the call has returned.
func TestEmitThatComesTooLate(t *testing.T) {
	for _, how := range []string{"returns", "fails", "panics", "emits what is no value"} {
		t.Run(how, func(t *testing.T) {
			var late func(string)
			c := open(t, one(t, func(r *udf.Registry) {
				udf.Table(r, "f", func(_ context.Context, how string, emit func(string)) error {
					late = emit
					emit("in time")
					switch how {
					case "fails":
						return errors.New("told to fail")
					case "panics":
						panic("told to")
					case "emits what is no value":
						emit("\xff")
					}
					return nil
				})
			}))
			in, err := udf.EncodeRows(how)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, 4096)
			func() {
				defer func() {
					if recover() != nil {
						c.Abandon()
					}
				}()
				if _, err := c.Call(context.Background(), udf.OpEval, in, dst); (err == nil) != (how == "returns") {
					t.Error(err)
				}
			}()
			clear(dst) // another's by now
			func() {
				defer func() { _ = recover() }() // what was ended says so again
				late("too late")
			}()
			if slices.ContainsFunc(dst, func(b byte) bool { return b != 0 }) {
				t.Error("emit wrote to memory that was given back")
			}
			if got, err := eval[string, string](c, "returns"); err != nil || !slices.Equal(got, []string{"in time"}) {
				t.Errorf("the next call: %v, %v", got, err)
			}
		})
	}
}

// TestPanicPassesThrough: the caller decides what a panic costs; the Caller can be used again.
func TestPanicPassesThrough(t *testing.T) {
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Table(r, "f", func(_ context.Context, n int64, emit func(int64)) error {
			emit(n)
			if n == 7 {
				panic("seven")
			}
			return nil
		})
	}))
	func() {
		defer func() {
			if value := recover(); value != "seven" || c.Row() != 1 {
				t.Errorf("recovered %v at row %d", value, c.Row())
			}
		}()
		_, _ = eval[int64, int64](c, 1, 7, 2)
	}()
	if got, err := eval[int64, int64](c, 1, 2); err != nil || !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("after a panic: %v, %v", got, err)
	}
}

func TestScalarOfManyRows(t *testing.T) {
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, n int64) (*string, error) {
			switch n {
			case 0:
				return nil, nil
			case 3:
				return nil, errors.New("three")
			}
			text := fmt.Sprint(n)
			return &text, nil
		})
	}))
	got, err := eval[int64, *string](c, 1, 0, 2)
	if err != nil || len(got) != 3 || *got[0] != "1" || got[1] != nil || *got[2] != "2" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := eval[int64, *string](c, 1, 2, 3); err == nil || err.Error() != "three" || c.Row() != 2 {
		t.Errorf("got %v at row %d", err, c.Row())
	}
	if got, err := eval[int64, *string](c); err != nil || len(got) != 0 {
		t.Errorf("no rows: %v, %v", got, err)
	}
	// The result is in the given memory if it fits, and outside of it if it does not.
	in, err := udf.EncodeRows[int64](1)
	if err != nil {
		t.Fatal(err)
	}
	large, small := make([]byte, 3, 1000), make([]byte, 0, 10)
	a, errA := c.Call(context.Background(), udf.OpEval, in, large)
	b, errB := c.Call(context.Background(), udf.OpEval, in, small)
	if errA != nil || errB != nil || &a[0] != &large[0] || &b[0] == &small[:1][0] || string(a) != string(b) {
		t.Errorf("%v, %v", errA, errB)
	}
	if _, err := open(t, one(t, func(r *udf.Registry) { udf.Scalar(r, "f", plusOne) }), udf.MaxResultBytes(10)).Call(context.Background(), udf.OpEval, in, nil); err == nil || !strings.Contains(err.Error(), "larger than 10 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestRawAndJSONByBytes(t *testing.T) {
	type order struct {
		Amount float64 `json:"amount"`
		Note   string  `json:"note,omitempty"`
	}
	r := udf.NewRegistry()
	udf.Raw(r, "raw", func(_ context.Context, b []byte) ([]byte, error) { return b[:len(b)/2], nil })
	udf.JSON(r, "double", func(_ context.Context, o order) (order, error) {
		o.Amount *= 2
		return o, nil
	}, udf.NullOnNull(), udf.Args("document"))
	udf.JSON(r, "bad", func(context.Context, any) (func(), error) { return nil, nil })
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	call := func(name, in string) (string, error) {
		f, _ := r.Lookup(name)
		out, err := open(t, f).Call(context.Background(), udf.OpEval, []byte(in), nil)
		return string(out), err
	}
	if got, err := call("raw", "abcd"); got != "ab" || err != nil {
		t.Errorf("raw: %q, %v", got, err)
	}
	if got, err := call("double", ` {"amount":1.5,"note":"<ü>","more":[]} `); got != `{"amount":3,"note":"\u003cü\u003e"}` || err != nil {
		t.Errorf("double: %q, %v", got, err)
	}
	var input *udf.InputError
	for _, text := range []string{`{"amount":"1"}`, `{`, ``, `{"amount":01}`} {
		if got, err := call("double", text); !errors.As(err, &input) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	var result *udf.ResultError
	if _, err := call("bad", `1`); !errors.As(err, &result) {
		t.Errorf("bad: %v", err)
	}
	f, _ := r.Lookup("double")
	if got := f.Describe().Signature(); got != "double(document STRING NOT NULL) -> STRING NOT NULL RETURNS NULL ON NULL INPUT" {
		t.Error(got)
	}
	for in, want := range map[string]string{`{"amount":1}`: `{"amount":2}`, `null`: `{"value":null}`} {
		if got, err := f.CallJSON(context.Background(), []byte(in)); string(got) != want || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestNullOnNull(t *testing.T) {
	type in struct {
		A int64
		B udf.Null[int64]
	}
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, x in) (int64, error) { return x.A + x.B.Or(100), nil }, udf.NullOnNull())
	})
	c := open(t, f)
	for _, tc := range []struct {
		nulls uint64
		value int64
		null  bool
	}{{0, 3, false}, {1, 0, true}, {2, 101, false}, {3, 0, true}} {
		call := udf.FixedCall{Nulls: tc.nulls, Args: [4]int64{1, 2}, Value: 99}
		if err := c.Fixed(context.Background(), &call); call.Value != tc.value || call.Null != 0 != tc.null || err != nil {
			t.Errorf("nulls %b: %+v, %v", tc.nulls, call, err)
		}
	}
	for event, want := range map[string]string{
		`{"a":1,"b":2}`: `{"value":3}`, `{"a":1}`: `{"value":101}`, `{"a":null,"b":2}`: `{"value":null}`, `{}`: `{"value":null}`,
		`{"a":"x"}`: "a: is a string, the function takes BIGINT", `{"a":null,"b":"x"}`: "b: is a string, the function takes BIGINT",
	} {
		got, err := f.CallJSON(context.Background(), []byte(event))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", event, got, want)
		}
	}
	nested := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, x struct{ In *in }) (int64, error) { return x.In.A, nil }, udf.NullOnNull())
	})
	if _, err := nested.CallJSON(context.Background(), []byte(`{"in":{}}`)); err == nil || err.Error() != "in.a: is missing, the function takes BIGINT NOT NULL" {
		t.Errorf("what is within an argument is not an argument: %v", err)
	}
	table := one(t, func(r *udf.Registry) { udf.Table(r, "f", words, udf.NullOnNull()) })
	if got, err := table.CallJSON(context.Background(), []byte("null")); string(got) != `{"value":[]}` || err != nil {
		t.Errorf("table: %s, %v", got, err)
	}
}
