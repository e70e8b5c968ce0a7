package udf_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

type inner struct {
	Label string
	Count *int32
}

type everything struct {
	Flag      bool
	Tiny      int8
	Small     int16
	Whole     int32
	Big       int64
	Single    float32
	Double    float64
	Text      string
	Blob      []byte
	At        time.Time
	List      []string
	Table     map[string]int64
	Nested    inner
	Rows      []inner
	MaybeText *string
	MaybeBig  udf.Null[int64]
	Tagged    int `udf:"accountId"`
	//lint:ignore U1000 unexported fields are no arguments
	hidden int
}

func echoEverything(_ context.Context, in everything) (everything, error) { return in, nil }

func one(t testing.TB, register func(*udf.Registry)) *udf.Function {
	t.Helper()
	r := udf.NewRegistry()
	register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r.Functions()[0]
}

const everythingJSON = `{"flag":true,"tiny":-128,"small":32767,"whole":-2147483648,"big":9223372036854775807,` +
	`"single":0.1,"double":1e-9,"text":"a\"b\u00e9","blob":"AAH/","at":"2026-11-23T14:05:00.000000001Z",` +
	`"list":["x",""],"table":{"a":1,"b":-1},"nested":{"label":"n","count":3},"rows":[{"label":"r","count":null}],` +
	`"maybe_text":null,"maybe_big":7,"accountId":42}`

func TestEveryTypeThereAndBack(t *testing.T) {
	f := one(t, func(r *udf.Registry) { udf.Scalar(r, "echo", echoEverything) })
	got, err := f.CallJSON(context.Background(), []byte(everythingJSON))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal([]byte(everythingJSON), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &b); err != nil {
		t.Fatalf("result is not JSON: %v: %s", err, got)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got  %s\nwant %s", got, everythingJSON)
	}
}

func TestDescription(t *testing.T) {
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "echo", echoEverything, udf.Doc("says it again"), udf.Deterministic(false))
	})
	d := f.Describe()
	if d.Doc != "says it again" || d.Deterministic || d.Kind != udf.KindScalar {
		t.Errorf("options are lost: %+v", d)
	}
	want := "echo(flag BOOLEAN NOT NULL, tiny TINYINT NOT NULL, small SMALLINT NOT NULL, whole INT NOT NULL, " +
		"big BIGINT NOT NULL, single FLOAT NOT NULL, double DOUBLE NOT NULL, text STRING NOT NULL, blob BYTES NOT NULL, " +
		"at TIMESTAMP_LTZ(9) NOT NULL, list ARRAY<STRING NOT NULL> NOT NULL, table MAP<STRING NOT NULL, BIGINT NOT NULL> NOT NULL, " +
		"nested ROW<`label` STRING NOT NULL, `count` INT> NOT NULL, rows ARRAY<ROW<`label` STRING NOT NULL, `count` INT> NOT NULL> NOT NULL, " +
		"maybe_text STRING, maybe_big BIGINT, accountId BIGINT NOT NULL) -> "
	if got := d.Signature(); !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s...", got, want)
	}
}

func TestResultThatIsNotARow(t *testing.T) {
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "double", func(_ context.Context, x int64) (int64, error) { return 2 * x, nil })
	})
	got, err := f.CallJSON(context.Background(), []byte(" 21 "))
	if err != nil || string(got) != `{"value":42}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestNullIsNeverZero(t *testing.T) {
	type in struct{ N udf.Null[int64] }
	type out struct {
		N    udf.Null[int64]
		OrMe int64
	}
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, x in) (out, error) {
			if x.N.Valid {
				return out{udf.NullOf(x.N.V), x.N.Or(7)}, nil
			}
			return out{OrMe: x.N.Or(7)}, nil
		})
	})
	for event, want := range map[string]string{
		`{"n":0}`: `{"n":0,"or_me":0}`, `{"n":null}`: `{"n":null,"or_me":7}`, `{}`: `{"n":null,"or_me":7}`,
	} {
		if got, err := f.CallJSON(context.Background(), []byte(event)); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", event, got, err, want)
		}
	}
}

func TestEventThatDoesNotFit(t *testing.T) {
	type in struct {
		ID     int64
		Amount float64
		Tiny   *int8
		Items  []inner
	}
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(context.Context, in) (bool, error) { return true, nil })
	})
	for _, tc := range []struct{ name, event, want string }{
		{"all missing", `{}`, "id: is missing, the function takes BIGINT NOT NULL; amount: is missing, the function takes DOUBLE NOT NULL; items: is missing, the function takes ARRAY<ROW<`label` STRING NOT NULL, `count` INT> NOT NULL> NOT NULL"},
		{"wrong kinds", `{"id":"1","amount":[1],"items":{}}`, "id: is a string, the function takes BIGINT; amount: is an array, the function takes DOUBLE; items: is an object, the function takes ARRAY"},
		{"null is never zero", `{"id":null,"amount":1,"items":[]}`, "id: is null, the function takes BIGINT NOT NULL (a Go pointer or udf.Null would take NULL)"},
		{"fraction", `{"id":1.5,"amount":1,"items":[]}`, "id: 1.5 is not a whole number, the function takes BIGINT"},
		{"overflow", `{"id":9223372036854775808,"amount":1e999,"tiny":128,"items":[]}`, "id: 9223372036854775808 is out of range for BIGINT; amount: 1e999 is out of range for DOUBLE; tiny: 128 is out of range for TINYINT"},
		{"path into a list", `{"id":1,"amount":1,"items":[{"label":"a"},{"label":7}]}`, "items.1.label: is a number, the function takes STRING"},
		{"missing in a list", `{"id":1,"amount":1,"items":[{"label":"a"},{}]}`, "items.1.label: is missing, the function takes STRING NOT NULL"},
		{"no object", `7`, "event: is a number, the function takes ROW"},
		{"null event", `null`, "event: is null, the function takes ROW NOT NULL (a Go pointer or udf.Null would take NULL)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := f.CallJSON(context.Background(), []byte(tc.event))
			var input *udf.InputError
			if !errors.As(err, &input) {
				t.Fatalf("want an InputError, got %v", err)
			}
			if err.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", err, tc.want)
			}
		})
	}
	for _, broken := range []string{``, `{`, `{"id":1}{}`, `{"id":1,"id":2}`, "{\"id\":\"\xff\"}", `NaN`, strings.Repeat("[", 100_000)} {
		var input *udf.InputError
		if _, err := f.CallJSON(context.Background(), []byte(broken)); !errors.As(err, &input) {
			t.Errorf("event %.20q: want an InputError, got %v", broken, err)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	type in struct{ ID int64 }
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, x in) (int64, error) { return x.ID, nil })
	})
	got, err := f.CallJSON(context.Background(), []byte(`{"more":{"deep":[1,{}]},"\u0069d":5}`))
	if err != nil || string(got) != `{"value":5}` {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestResultThatJSONCannotCarry(t *testing.T) {
	type out struct{ Score float64 }
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(context.Context, int64) (out, error) { return out{math.NaN()}, nil })
	})
	if _, err := f.CallJSON(context.Background(), []byte("1")); err == nil || !strings.Contains(err.Error(), "the result's score is NaN") {
		t.Errorf("got %v", err)
	}
}

func TestRegistrationNamesTheField(t *testing.T) {
	type unsigned struct{ ID uint64 }
	type deep struct{ Items []struct{ Fn func() } }
	type twice struct {
		A int64 `udf:"x"`
		B int64 `udf:"x"`
	}
	type self struct{ Next *self }
	//lint:ignore U1000 a struct without exported fields is the case
	type empty struct{ a int }
	for _, tc := range []struct {
		name     string
		register func(*udf.Registry)
		want     string
	}{
		{"unsigned", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, unsigned) (bool, error) { return true, nil })
		}, "field ID: uint64: SQL has no unsigned"},
		{"func", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, deep) (bool, error) { return true, nil })
		}, "field Items: []: field Fn: func(): no SQL type"},
		{"same name", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, twice) (bool, error) { return true, nil })
		}, `field B: same name "x" as field A`},
		{"recursive", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, self) (bool, error) { return true, nil })
		}, "contains itself"},
		{"no fields", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, empty) (bool, error) { return true, nil })
		}, "without exported fields"},
		{"result", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, int64) (chan int, error) { return nil, nil })
		}, "result chan int: no SQL type"},
		{"nullable twice", func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, **int64) (bool, error) { return true, nil })
		}, "nullable twice"},
		{"bad name", func(r *udf.Registry) {
			udf.Scalar(r, "no-dash", func(context.Context, int64) (bool, error) { return true, nil })
		}, `function "no-dash": the name must be`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := udf.NewRegistry()
			tc.register(r)
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant ...%s...", err, tc.want)
			}
		})
	}
}

func TestRegistry(t *testing.T) {
	yes := func(context.Context, int64) (bool, error) { return true, nil }
	no := func(context.Context, int64) (bool, error) { return false, nil }
	mine, builtin := udf.NewRegistry(), udf.NewRegistry()
	udf.Scalar(mine, "fraud", yes)
	udf.Scalar(builtin, "fraud", no)
	udf.Scalar(builtin, "flights", no)
	mine.AddMissing(builtin)
	if err := mine.Err(); err != nil {
		t.Fatal(err)
	}
	f, _ := mine.Lookup("fraud")
	if got, _ := f.CallJSON(context.Background(), []byte("1")); string(got) != `{"value":true}` {
		t.Errorf("a user's function must stand in for the built-in one, got %s", got)
	}
	if got := mine.Nearest("fruad"); len(got) == 0 || got[0] != "fraud" {
		t.Errorf("nearest of fruad: %v", got)
	}
	if got := mine.Nearest("completely_else"); len(got) != 0 {
		t.Errorf("nearest of something else: %v", got)
	}
	udf.Scalar(mine, "fraud", no)
	if mine.Err() == nil {
		t.Error("the same name twice must be an error")
	}
}

func TestRaw(t *testing.T) {
	for result, want := range map[string]string{`{"a":1}`: `{"a":1}`, `[1]`: `{"value":[1]}`, `nope`: ""} {
		f := one(t, func(r *udf.Registry) {
			udf.Raw(r, "raw", func(context.Context, []byte) ([]byte, error) { return []byte(result), nil })
		})
		got, err := f.CallJSON(context.Background(), []byte(`1`))
		if string(got) != want || (want == "") != (err != nil) {
			t.Errorf("%s: got %s, %v", result, got, err)
		}
	}
}

// FuzzCallJSON asserts that hostile events never panic, and that what is accepted comes back as JSON.
func FuzzCallJSON(f *testing.F) {
	f.Add([]byte(everythingJSON))
	f.Add([]byte(`{"nested":{"label":null},"rows":[[]]}`))
	r := udf.NewRegistry()
	udf.Scalar(r, "echo", echoEverything)
	fn := r.Functions()[0]
	f.Fuzz(func(t *testing.T, event []byte) {
		got, err := fn.CallJSON(context.Background(), event)
		if err == nil && (!json.Valid(event) || !json.Valid(got)) {
			t.Errorf("event %q: result %q", event, got)
		}
	})
}

func BenchmarkCallJSON(b *testing.B) {
	r := udf.NewRegistry()
	udf.Scalar(r, "echo", echoEverything)
	fn := r.Functions()[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn.CallJSON(context.Background(), []byte(everythingJSON)); err != nil {
			b.Fatal(err)
		}
	}
}
