package udf_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// takes registers a function with that input.
func takes[In any](opts ...udf.Option) func(*udf.Registry) {
	return func(r *udf.Registry) {
		udf.Scalar(r, "f", func(context.Context, In) (bool, error) { return true, nil }, opts...)
	}
}

type embedded struct{ N int64 }

// TestRefusals: each names the field and says what would do.
func TestRefusals(t *testing.T) {
	type inner struct{ Bad []chan int }
	type deep struct{ Outer map[string]*inner }
	noop := func(context.Context, int64) (bool, error) { return true, nil }
	open := func(context.Context, udf.Job) (int, error) { return 1, nil }
	for _, tc := range []struct {
		name     string
		register func(*udf.Registry)
		want     string
	}{
		{"deep", takes[deep](), "input field Outer: map value: field Bad: []: chan int: no SQL type matches; use bool, int8"},
		{"uint8", takes[struct{ N uint8 }](), "field N: uint8: SQL has no unsigned integers; use the next larger signed type (int16"},
		{"uintptr", takes[struct{ N uintptr }](), "SQL has no unsigned integers"},
		{"fixed array", takes[struct{ N [3]int64 }](), "field N: [3]int64: SQL's arrays have no fixed length; use []int64"},
		{"interface", takes[struct{ N any }](), "field N: interface {}: a column has one type; use that, or a string of JSON"},
		{"error", takes[struct{ N error }](), "a column has one type"},
		{"complex", takes[struct{ N complex128 }](), "SQL has no complex numbers; use two float64"},
		{"map of decimals", takes[map[decimal.Decimal]int64](), "decimals as keys would be compared by their address; use a string"},
		{"map of structs", takes[struct{ M map[struct{ A int64 }]int64 }](), "field M: map[struct { A int64 }]int64: a map needs keys of one value; use []struct{ Key"},
		{"map of pointers", takes[map[*string]int64](), "a key cannot be NULL; use STRING"},
		{"map of nulls", takes[map[udf.Null[string]]int64](), "a key cannot be NULL; use STRING"},
		{"multiset of nulls", takes[udf.Multiset[*string]](), "a key cannot be NULL"},
		{"map of unsigned", takes[map[uint32]int64](), "map key: uint32: SQL has no unsigned"},
		{"pointer to null", takes[*udf.Null[int64]](), "nullable twice; one * or one udf.Null is enough"},
		{"null of pointer", takes[udf.Null[*int64]](), "nullable twice"},
		{"embedded pointer", takes[struct{ *embedded }](), "field embedded: a pointer that is embedded; embed the struct itself"},
		{"embedded twice", takes[struct {
			embedded
			N int64
		}](), `field N: same name "n" as field N`},
		{"control in name", takes[struct {
			N int64 "udf:\"a\tb\""
		}](), `field N: the name "a\tb" is no SQL name; use letters, digits and _`},
		{"tag of int", takes[struct {
			N int64 `udf:"n,DECIMAL(10, 2)"`
		}](), "field N: int64: its tag asks for DECIMAL(10, 2), but only string, []byte, decimal.Decimal, time.Time and udf.Timestamp have a length or precision; remove"},
		{"tag of struct", takes[struct {
			N struct{ A int64 } `udf:"n,ROW<a INT>"`
		}](), "remove what follows the comma"},
		{"tag of date", takes[struct {
			N udf.Date `udf:"n,TIMESTAMP(3)"`
		}](), "field N: udf.Date: its tag asks for TIMESTAMP(3), but only"},
		{"tag of interval", takes[struct {
			N time.Duration `udf:"n,INTERVAL DAY TO SECOND(6)"`
		}](), "time.Duration: its tag asks for INTERVAL"},
		{"decimal as varchar", takes[struct {
			N decimal.Decimal `udf:",VARCHAR(10)"`
		}](), "decimal.Decimal: its tag asks for VARCHAR(10), which it cannot be; it can be DECIMAL(p), DECIMAL(p, s)"},
		{"string as decimal", takes[struct {
			N string `udf:",DECIMAL(10, 2)"`
		}](), "string: its tag asks for DECIMAL(10, 2), which it cannot be; it can be CHAR(n), VARCHAR(n), STRING"},
		{"bytes as char", takes[struct {
			N []byte `udf:",CHAR(3)"`
		}](), "it can be BINARY(n), VARBINARY(n), BYTES"},
		{"time as timestamp", takes[struct {
			N time.Time `udf:",TIMESTAMP(3)"`
		}](), "time.Time: its tag asks for TIMESTAMP(3), which it cannot be; it can be TIMESTAMP_LTZ(p)"},
		{"timestamp as ltz", takes[struct {
			N *udf.Timestamp `udf:",TIMESTAMP_LTZ(3)"`
		}](), "it can be TIMESTAMP(p)"},
		{"precision 0", takes[struct {
			N decimal.Decimal `udf:",DECIMAL(0)"`
		}](), "the precision of DECIMAL must be 1 to 38"},
		{"precision 39", takes[struct {
			N decimal.Decimal `udf:",DECIMAL(39, 2)"`
		}](), "the precision of DECIMAL must be 1 to 38"},
		{"scale", takes[struct {
			N decimal.Decimal `udf:",DECIMAL(10, 11)"`
		}](), "the scale of DECIMAL must be 0 to 10"},
		{"huge scale", takes[struct {
			N decimal.Decimal `udf:",DECIMAL(10, 9999999999)"`
		}](), "the scale of DECIMAL must be 0 to 10"},
		{"char 0", takes[struct {
			N string `udf:",CHAR(0)"`
		}](), "the length of CHAR must be 1 to 2147483647"},
		{"timestamp 10", takes[struct {
			N time.Time `udf:",TIMESTAMP_LTZ(10)"`
		}](), "the precision of TIMESTAMP_LTZ must be 0 to 9"},
		{"no parameter", takes[struct {
			N string `udf:",VARCHAR"`
		}](), "asks for VARCHAR, which it cannot be"},
		{"two parameters", takes[struct {
			N string `udf:",VARCHAR(1,2)"`
		}](), "asks for VARCHAR(1,2), which it cannot be"},
		{"nonsense", takes[struct {
			N string `udf:",(("`
		}](), "asks for ((, which it cannot be"},
		{"args too few", takes[struct{ A, B int64 }](udf.Args("a")), "udf.Args names 1 arguments, the function has 2 (a, b); name each of them"},
		{"args too many", takes[int64](udf.Args("a", "b")), "udf.Args names 2 arguments, the function has 1 (value)"},
		{"args twice", takes[struct{ A, B int64 }](udf.Args("x", "x")), `same name "x"`},
		{"args no name", takes[int64](udf.Args("")), `the name "" is no SQL name`},
		{"open twice", takes[int64](udf.Open(open), udf.Open(open)), "udf.Open is given 2 times; open one struct that holds all of it"},
		{"parameter twice", takes[int64](udf.Parameter("p", "", ""), udf.Parameter("p", "", "")), `parameter "p" is declared twice`},
		{"parameter without name", takes[int64](udf.Parameter("", "", "")), "parameter 1 has no name"},
		{"returns of int", takes[int64](udf.Returns("DECIMAL(10, 2)")), "result bool: its tag asks for DECIMAL(10, 2), but only"},
		{"table result", func(r *udf.Registry) {
			udf.Table(r, "f", func(context.Context, int64, func(map[string]any)) error { return nil })
		}, "result map value: interface {}: a column has one type"},
		{"accumulator", func(r *udf.Registry) {
			udf.Aggregate(r, "f", udf.Aggregation[int64, struct{ M map[string]any }, int64]{})
		}, "accumulator field M: map value: interface {}"},
		{"accumulate", func(r *udf.Registry) { udf.Aggregate(r, "f", udf.Aggregation[int64, int64, int64]{}) }, "has no Accumulate; give it one"},
		{"result", func(r *udf.Registry) {
			udf.Aggregate(r, "f", udf.Aggregation[int64, int64, int64]{Accumulate: func(context.Context, *int64, int64) error { return nil }})
		}, "has no Result; give it one"},
		{"raw args", func(r *udf.Registry) {
			udf.Raw(r, "f", func(context.Context, []byte) ([]byte, error) { return nil, nil }, udf.Args("a", "b"))
		}, "udf.Args names 2 arguments"},
		{"json open", func(r *udf.Registry) {
			udf.JSON(r, "f", noop, udf.Open(open), udf.Open(open))
		}, "udf.Open is given 2 times"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := udf.NewRegistry()
			tc.register(r)
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), `function "f": `) {
				t.Errorf("got  %v\nwant ...%s...", err, tc.want)
			}
			if len(r.Functions()) != 0 {
				t.Error("it was registered all the same")
			}
		})
	}
}

func TestTags(t *testing.T) {
	type in struct {
		A decimal.Decimal           `udf:",decimal( 10 , 2 )"`
		B udf.Null[decimal.Decimal] `udf:"b, DECIMAL(5)"`
		C *string                   `udf:"the name,CHAR(3)"`
		D []string                  `udf:",VARCHAR(20)"`
		E []byte                    `udf:",BINARY(16)"`
		F *[]udf.Timestamp          `udf:",TIMESTAMP(0)"`
		G time.Time                 `udf:",TIMESTAMP_LTZ(6)"`
		H string                    `udf:",STRING"`
		I []byte                    `udf:",bytes"`
		J int64                     `udf:"-"`
		K string                    "udf:\"back`tick\""
	}
	f := one(t, takes[struct{ In in }]())
	want := "f(in ROW<`a` DECIMAL(10, 2) NOT NULL, `b` DECIMAL(5, 0), `the name` CHAR(3), `d` ARRAY<VARCHAR(20) NOT NULL> NOT NULL, `e` BINARY(16) NOT NULL, " +
		"`f` ARRAY<TIMESTAMP(0) NOT NULL>, `g` TIMESTAMP_LTZ(6) NOT NULL, `h` STRING NOT NULL, `i` BYTES NOT NULL, `back``tick` STRING NOT NULL> NOT NULL) -> BOOLEAN NOT NULL"
	if got := f.Describe().Signature(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := one(t, takes[struct{ A, B int64 }](udf.Args("x", "y"), udf.NullOnNull())).Describe().Signature(); got != "f(x BIGINT NOT NULL, y BIGINT NOT NULL) -> BOOLEAN NOT NULL RETURNS NULL ON NULL INPUT" {
		t.Errorf("got %s", got)
	}
}
