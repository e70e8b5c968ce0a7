// Package echo has a function for each SQL type that returns what it is given, and one of each kind of function. Tests
// send values through it: what comes back must be what went in.
package echo

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Register adds the functions to a registry. Each type is there as echo_<type>, NOT NULL, and as echo_<type>_null.
func Register(r *udf.Registry) {
	same[bool](r, "boolean")
	same[int8](r, "tinyint")
	same[int16](r, "smallint")
	same[int32](r, "int")
	same[int64](r, "bigint")
	same[float32](r, "float")
	same[float64](r, "double")
	same[string](r, "string")
	same[[]byte](r, "bytes")
	same[udf.Date](r, "date")
	same[udf.TimeOfDay](r, "time")
	same[udf.Timestamp](r, "timestamp")
	same[time.Time](r, "timestamp_ltz")
	same[udf.Months](r, "interval_months")
	same[time.Duration](r, "interval_seconds")
	same[decimal.Decimal](r, "decimal")
	registerRefined(r)
	registerNested(r)
	registerKinds(r)
}

// same registers the function that returns its argument, for T and for T that may be NULL.
func same[T any](r *udf.Registry, name string, opts ...udf.Option) {
	udf.Scalar(r, "echo_"+name, identity[T], opts...)
	udf.Scalar(r, "echo_"+name+"_null", identity[*T], opts...)
	udf.Scalar(r, "echo_"+name+"_or_null", identity[udf.Null[T]], opts...)
}

func identity[T any](_ context.Context, value T) (T, error) { return value, nil }

// The types that need a tag come back as a ROW of one field.
type (
	short struct {
		Value decimal.Decimal `udf:"value,DECIMAL(10, 2)"`
	}
	shortN struct {
		Value *decimal.Decimal `udf:"value,DECIMAL(10, 2)"`
	}
	long struct {
		Value decimal.Decimal `udf:"value,DECIMAL(38, 0)"`
	}
	longN struct {
		Value *decimal.Decimal `udf:"value,DECIMAL(38, 0)"`
	}
	char struct {
		Value string `udf:"value,CHAR(3)"`
	}
	varchar struct {
		Value string `udf:"value,VARCHAR(20)"`
	}
	varcharN struct {
		Value udf.Null[string] `udf:"value,VARCHAR(20)"`
	}
	binary struct {
		Value []byte `udf:"value,BINARY(4)"`
	}
	varbin struct {
		Value *[]byte `udf:"value,VARBINARY(20)"`
	}
	seconds struct {
		Value udf.Timestamp `udf:"value,TIMESTAMP(0)"`
	}
	millis struct {
		Value udf.Null[udf.Timestamp] `udf:"value,TIMESTAMP(3)"`
	}
	micros struct {
		Value *udf.Timestamp `udf:"value,TIMESTAMP(6)"`
	}
	millisL struct {
		Value *time.Time `udf:"value,TIMESTAMP_LTZ(3)"`
	}
	microsL struct {
		Value time.Time `udf:"value,TIMESTAMP_LTZ(6)"`
	}
)

func registerRefined(r *udf.Registry) {
	udf.Scalar(r, "echo_decimal_10_2", identity[short])
	udf.Scalar(r, "echo_decimal_10_2_null", identity[shortN])
	udf.Scalar(r, "echo_decimal_38_0", identity[long])
	udf.Scalar(r, "echo_decimal_38_0_null", identity[longN])
	udf.Scalar(r, "echo_char_3", identity[char])
	udf.Scalar(r, "echo_varchar_20", identity[varchar])
	udf.Scalar(r, "echo_varchar_20_null", identity[varcharN])
	udf.Scalar(r, "echo_binary_4", identity[binary])
	udf.Scalar(r, "echo_varbinary_20_null", identity[varbin])
	udf.Scalar(r, "echo_timestamp_0", identity[seconds])
	udf.Scalar(r, "echo_timestamp_3_null", identity[millis])
	udf.Scalar(r, "echo_timestamp_6_null", identity[micros])
	udf.Scalar(r, "echo_timestamp_ltz_3_null", identity[millisL])
	udf.Scalar(r, "echo_timestamp_ltz_6", identity[microsL])
	// A result that is no struct has its type from an option.
	udf.Scalar(r, "echo_money", func(_ context.Context, in short) (decimal.Decimal, error) { return in.Value, nil }, udf.Returns("DECIMAL(10, 2)"))
}
