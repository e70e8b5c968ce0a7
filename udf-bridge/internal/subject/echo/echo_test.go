package echo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
	"github.com/drey-flink/drey/udf-bridge/udf"
	"github.com/drey-flink/drey/udf-bridge/udf/udftest"
)

func registered(t *testing.T) *udf.Registry {
	t.Helper()
	r := udf.NewRegistry()
	Register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

func columns(t *testing.T, fields ...udf.Field) []*rowcodec.Type {
	t.Helper()
	types := make([]*rowcodec.Type, len(fields))
	for i, f := range fields {
		var err error
		if types[i], err = rowcodec.ParseType(f.SQL()); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

// TestWhatComesBackIsWhatWentIn sends random rows through every function of the kind echo_..., with the codec for values
// without types as the oracle.
func TestWhatComesBackIsWhatWentIn(t *testing.T) {
	for _, f := range registered(t).Functions() {
		d := f.Describe()
		if !strings.HasPrefix(d.Name, "echo_") || d.Kind != udf.KindScalar {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			in, out := columns(t, d.Arguments...), columns(t, d.Result)
			if out[0].Root == rowcodec.Row && !out[0].Nullable {
				out = out[0].Fields
			}
			instance, err := f.Open(context.Background(), udf.Job{})
			if err != nil {
				t.Fatal(err)
			}
			c := instance.Caller()
			rapid.Check(t, func(rt *rapid.T) {
				rows := make([][]any, rapid.IntRange(0, 5).Draw(rt, "rows"))
				for i := range rows {
					for _, column := range in {
						rows[i] = append(rows[i], value(rt, column))
					}
				}
				msg, err := rowcodec.Encode(in, rows)
				if err != nil {
					rt.Fatal(err)
				}
				result, err := c.Call(context.Background(), udf.OpEval, msg, nil)
				if err != nil {
					rt.Fatal(err)
				}
				back, err := rowcodec.Decode(out, result)
				if err != nil {
					rt.Fatal(err)
				}
				want, err := rowcodec.Decode(in, msg)
				if err != nil {
					rt.Fatal(err)
				}
				if g, w := text(rt, out, back), text(rt, in, want); g != w {
					rt.Fatalf("got  %s\nwant %s", g, w)
				}
			})
		})
	}
}

// text is the rows as one text, in which maps are sorted, and a row as the one argument is its fields.
func text(rt *rapid.T, columns []*rowcodec.Type, rows [][]any) string {
	for _, row := range rows {
		for i, column := range columns {
			sorted(column, row[i])
		}
	}
	b, err := json.Marshal(rows)
	if err != nil {
		rt.Fatal(err)
	}
	if len(columns) == 1 && columns[0].Root == rowcodec.Row && !columns[0].Nullable {
		flat := [][]any{}
		for _, row := range rows {
			flat = append(flat, row[0].([]any))
		}
		if b, err = json.Marshal(flat); err != nil {
			rt.Fatal(err)
		}
	}
	return string(b)
}

func sorted(t *rowcodec.Type, v any) {
	list, ok := v.([]any)
	if !ok {
		return
	}
	for i, element := range list {
		switch t.Root {
		case rowcodec.Array:
			sorted(t.Element, element)
		case rowcodec.Row:
			sorted(t.Fields[i], element)
		case rowcodec.Map:
			sorted(t.Element, element.([]any)[1])
		}
	}
	if t.Root == rowcodec.Map || t.Root == rowcodec.Multiset {
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// value draws a value of a SQL type in its form for the codec.
func value(rt *rapid.T, t *rowcodec.Type) any {
	if t.Nullable && rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
		return nil
	}
	switch t.Root {
	case rowcodec.Boolean:
		return rapid.Bool().Draw(rt, "bool")
	case rowcodec.TinyInt:
		return int64(rapid.Int8().Draw(rt, "int8"))
	case rowcodec.SmallInt:
		return int64(rapid.Int16().Draw(rt, "int16"))
	case rowcodec.Int, rowcodec.Months:
		return int64(rapid.Int32().Draw(rt, "int32"))
	case rowcodec.BigInt:
		return rapid.Int64().Draw(rt, "int64")
	case rowcodec.Millis:
		const most = int64(1<<63-1) / int64(time.Millisecond)
		return rapid.Int64Range(-most, most).Draw(rt, "ms")
	case rowcodec.Float:
		return rapid.OneOf(rapid.Map(rapid.Float32(), anyOf[float32]), rapid.SampledFrom([]any{"NaN", "Infinity", "-Infinity", "-0"})).Draw(rt, "float")
	case rowcodec.Double:
		return rapid.OneOf(rapid.Map(rapid.Float64(), anyOf[float64]), rapid.SampledFrom([]any{"NaN", "Infinity", "-Infinity", "-0"})).Draw(rt, "double")
	case rowcodec.Decimal:
		return exact(rt, t.Precision, t.Scale)
	case rowcodec.Char:
		return rapid.StringOfN(rapid.Rune(), 3, 3, -1).Draw(rt, "char")
	case rowcodec.VarChar:
		return rapid.StringN(0, 20, -1).Draw(rt, "string")
	case rowcodec.Binary:
		return rowcodec.Hex(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "binary"))
	case rowcodec.VarBinary:
		return rowcodec.Hex(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "bytes"))
	case rowcodec.Date:
		return udf.Date(rapid.Int32Range(-719162, 2932896).Draw(rt, "days")).String()
	case rowcodec.Time:
		return udf.TimeOfDay(rapid.Int32Range(0, 86399999).Draw(rt, "ms")).String()
	case rowcodec.Timestamp, rowcodec.TimestampLTZ:
		return moment(rt, t)
	case rowcodec.Array:
		return list(rt, t.Element)
	case rowcodec.Map:
		return pairs(rt, t.Key, t.Element)
	case rowcodec.Multiset:
		return pairs(rt, t.Key, &rowcodec.Type{Root: rowcodec.Int})
	default:
		row := make([]any, len(t.Fields))
		for i, field := range t.Fields {
			row[i] = value(rt, field)
		}
		return row
	}
}

func anyOf[T any](v T) any { return v }

// exact draws a decimal with as many digits as it may have, or fewer.
func exact(rt *rapid.T, precision, scale int) string {
	digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), 1, precision, -1).Draw(rt, "digits")
	n, _ := new(big.Int).SetString(digits, 10)
	padded := fmt.Sprintf("%0*s", scale+1, n.String())
	if n.Sign() != 0 && rapid.Bool().Draw(rt, "negative") {
		padded = "-" + padded
	}
	if scale == 0 {
		return padded
	}
	point := len(padded) - scale
	return padded[:point] + "." + padded[point:]
}

func moment(rt *rapid.T, t *rowcodec.Type) string {
	seconds := rapid.Int64Range(-62135596800, 253402300799).Draw(rt, "seconds")
	unit := int64(1)
	for range 9 - t.Precision {
		unit *= 10
	}
	at := time.Unix(seconds, rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")/unit*unit).UTC()
	if t.Root == rowcodec.TimestampLTZ {
		return at.Format(time.RFC3339Nano)
	}
	return udf.TimestampOf(at).String()
}

func list(rt *rapid.T, element *rowcodec.Type) []any {
	all := make([]any, rapid.IntRange(0, 10).Draw(rt, "length"))
	for i := range all {
		all[i] = value(rt, element)
	}
	return all
}

// pairs are the entries of a map; each key is there once.
func pairs(rt *rapid.T, key, element *rowcodec.Type) []any {
	notNull := *key
	notNull.Nullable = false
	seen := map[any]bool{}
	all := []any{}
	for range rapid.IntRange(0, 5).Draw(rt, "entries") {
		if k := value(rt, &notNull); !seen[k] {
			seen[k] = true
			all = append(all, []any{k, value(rt, element)})
		}
	}
	return all
}

func TestCheckAll(t *testing.T) { udftest.CheckAll(t, Register) }
