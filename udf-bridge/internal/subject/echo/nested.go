package echo

import (
	"context"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// point is a small ROW.
type point struct {
	X, Y  int64
	Label *string
}

// everything is a ROW of every type, NOT NULL, and below it of every type that may be NULL.
type everything struct {
	Flag     bool
	Tiny     int8
	Small    int16
	Whole    int32
	Big      int64
	Single   float32
	Double   float64
	Money    decimal.Decimal `udf:",DECIMAL(12, 4)"`
	Exact    decimal.Decimal `udf:",DECIMAL(38, 10)"`
	Text     string
	Blob     []byte
	Day      udf.Date
	Clock    udf.TimeOfDay
	Local    udf.Timestamp
	Instant  time.Time
	Months   udf.Months
	Took     time.Duration
	Points   []point
	Counts   map[string]int64
	Bag      udf.Multiset[string]
	Maybe    optional
	MaybeAll *optional
}

type optional struct {
	Flag    *bool
	Tiny    udf.Null[int8]
	Small   *int16
	Whole   udf.Null[int32]
	Big     *int64
	Single  udf.Null[float32]
	Double  *float64
	Money   *decimal.Decimal          `udf:",DECIMAL(12, 4)"`
	Exact   udf.Null[decimal.Decimal] `udf:",DECIMAL(38, 10)"`
	Text    *string
	Blob    udf.Null[[]byte]
	Day     *udf.Date
	Clock   udf.Null[udf.TimeOfDay]
	Local   *udf.Timestamp
	Instant udf.Null[time.Time]
	Months  *udf.Months
	Took    udf.Null[time.Duration]
	Points  *[]*point
	Counts  udf.Null[map[string]*int64]
	Bag     *udf.Multiset[int32]
	Inner   *point
}

// wide has more columns than one word of a null bitmap has bits.
type wide struct {
	C00, C01, C02, C03, C04, C05, C06, C07, C08, C09 *int64
	C10, C11, C12, C13, C14, C15, C16, C17, C18, C19 *string
	C20, C21, C22, C23, C24, C25, C26, C27, C28, C29 udf.Null[float64]
	C30, C31, C32, C33, C34, C35, C36, C37, C38, C39 udf.Null[udf.Timestamp]
	C40, C41, C42, C43, C44, C45, C46, C47, C48, C49 bool
	C50, C51, C52, C53, C54, C55, C56, C57, C58, C59 udf.Null[int32]
	C60, C61, C62, C63, C64, C65, C66, C67, C68, C69 *[]string
}

// boxed makes one argument of a struct, whose fields would be arguments each.
type boxed[T any] struct{ Value T }

func registerNested(r *udf.Registry) {
	same[[]bool](r, "array_boolean")
	same[[]int8](r, "array_tinyint")
	same[[]int16](r, "array_smallint")
	same[[]int32](r, "array_int")
	same[[]int64](r, "array_bigint")
	same[[]float32](r, "array_float")
	same[[]float64](r, "array_double")
	same[[]string](r, "array_string")
	same[[][]byte](r, "array_bytes")
	same[[]decimal.Decimal](r, "array_decimal")
	same[[]udf.Timestamp](r, "array_timestamp")
	same[[]*int64](r, "array_of_null_bigint")
	same[[]udf.Null[string]](r, "array_of_null_string")
	same[[][]int32](r, "array_array")
	same[[]point](r, "array_row")
	same[[]*point](r, "array_of_null_row")
	same[map[string]string](r, "map_string_string")
	same[map[string]*string](r, "map_string_null_string")
	same[map[int64]float64](r, "map_bigint_double")
	same[map[udf.Date][]string](r, "map_date_array")
	same[map[string]map[int32]point](r, "map_map")
	same[map[bool]udf.Null[int16]](r, "map_boolean_null_smallint")
	same[udf.Multiset[string]](r, "multiset_string")
	same[udf.Multiset[int64]](r, "multiset_bigint")
	udf.Scalar(r, "echo_row", func(_ context.Context, in boxed[point]) (point, error) { return in.Value, nil })
	udf.Scalar(r, "echo_row_null", identity[*point])
	udf.Scalar(r, "echo_everything", func(_ context.Context, in boxed[everything]) (everything, error) { return in.Value, nil })
	udf.Scalar(r, "echo_everything_null", identity[*everything])
	udf.Scalar(r, "echo_optional", identity[*optional])
	udf.Scalar(r, "echo_arguments", identity[everything], udf.Doc("the arguments as a row"))
	udf.Scalar(r, "echo_wide", func(_ context.Context, in boxed[wide]) (wide, error) { return in.Value, nil })
}
