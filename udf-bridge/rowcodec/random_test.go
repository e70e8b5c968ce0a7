package rowcodec_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

var scalars = []rowcodec.Root{
	rowcodec.Boolean, rowcodec.TinyInt, rowcodec.SmallInt, rowcodec.Int, rowcodec.BigInt, rowcodec.Float, rowcodec.Double,
	rowcodec.Decimal, rowcodec.Char, rowcodec.VarChar, rowcodec.Binary, rowcodec.VarBinary, rowcodec.Date, rowcodec.Time,
	rowcodec.Timestamp, rowcodec.TimestampLTZ, rowcodec.Months, rowcodec.Millis,
}

// randomType draws any type, containers in containers up to depth.
func randomType(rt *rapid.T, depth int) *rowcodec.Type {
	roots := scalars
	if depth > 0 {
		roots = append(roots[:len(roots):len(roots)], rowcodec.Array, rowcodec.Map, rowcodec.Multiset, rowcodec.Row)
	}
	t := &rowcodec.Type{Root: rapid.SampledFrom(roots).Draw(rt, "root"), Nullable: rapid.Bool().Draw(rt, "nullable")}
	switch t.Root {
	case rowcodec.Char, rowcodec.VarChar, rowcodec.Binary, rowcodec.VarBinary:
		t.Length = rapid.IntRange(1, math.MaxInt32).Draw(rt, "length")
	case rowcodec.Decimal:
		t.Precision = rapid.IntRange(1, 38).Draw(rt, "precision")
		t.Scale = rapid.IntRange(0, t.Precision).Draw(rt, "scale")
	case rowcodec.Time, rowcodec.Timestamp, rowcodec.TimestampLTZ:
		t.Precision = rapid.IntRange(0, 9).Draw(rt, "precision")
	case rowcodec.Months:
		t.Units = "MONTH"
	case rowcodec.Millis:
		t.Units, t.Precision, t.Scale = "DAY TO SECOND", rapid.IntRange(1, 6).Draw(rt, "precision"), rapid.IntRange(0, 9).Draw(rt, "scale")
	case rowcodec.Array:
		t.Element = randomType(rt, depth-1)
	case rowcodec.Map:
		t.Key, t.Element = randomType(rt, depth-1), randomType(rt, depth-1)
	case rowcodec.Multiset:
		t.Key = randomType(rt, depth-1)
	case rowcodec.Row:
		for i := range rapid.IntRange(0, 4).Draw(rt, "fields") {
			t.Fields = append(t.Fields, randomType(rt, depth-1))
			t.Names = append(t.Names, fmt.Sprintf("%s%d", rapid.StringMatching("[a-z` '<>,]{0,3}").Draw(rt, "name"), i))
		}
	}
	return t
}

// randomValue draws a value as Decode returns it.
func randomValue(rt *rapid.T, t *rowcodec.Type) any {
	if t.Nullable && rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
		return nil
	}
	return notNull(rt, t)
}

func notNull(rt *rapid.T, t *rowcodec.Type) any {
	switch t.Root {
	case rowcodec.Boolean:
		return rapid.Bool().Draw(rt, "value")
	case rowcodec.TinyInt:
		return int64(rapid.Int8().Draw(rt, "value"))
	case rowcodec.SmallInt:
		return int64(rapid.Int16().Draw(rt, "value"))
	case rowcodec.Int, rowcodec.Months:
		return int64(rapid.Int32().Draw(rt, "value"))
	case rowcodec.BigInt, rowcodec.Millis:
		return rapid.Int64().Draw(rt, "value")
	case rowcodec.Float:
		f := math.Float32frombits(rapid.Uint32().Draw(rt, "value"))
		return special(float64(f), f)
	case rowcodec.Double:
		f := math.Float64frombits(rapid.Uint64().Draw(rt, "value"))
		return special(f, f)
	case rowcodec.Decimal:
		return randomDecimal(rt, t)
	case rowcodec.Char, rowcodec.VarChar:
		b := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(rt, "value")
		if utf8.Valid(b) {
			return string(b)
		}
		return rowcodec.Hex(b)
	case rowcodec.Binary, rowcodec.VarBinary:
		return rowcodec.Hex(append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(rt, "value")...))
	case rowcodec.Date, rowcodec.Time, rowcodec.Timestamp, rowcodec.TimestampLTZ:
		return randomMoment(rt, t)
	case rowcodec.Array:
		return list(rt, func() any { return randomValue(rt, t.Element) })
	case rowcodec.Map:
		return list(rt, func() any { return []any{notNull(rt, t.Key), randomValue(rt, t.Element)} })
	case rowcodec.Multiset:
		return list(rt, func() any { return []any{notNull(rt, t.Key), int64(rapid.Int32().Draw(rt, "count"))} })
	default:
		return randomRow(rt, t.Fields)
	}
}

func list(rt *rapid.T, element func() any) []any {
	values := make([]any, rapid.IntRange(0, 12).Draw(rt, "n"))
	for i := range values {
		values[i] = element()
	}
	return values
}

func randomRow(rt *rapid.T, columns []*rowcodec.Type) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		row[i] = randomValue(rt, c)
	}
	return row
}

func special(f float64, plain any) any {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 0):
		return map[bool]string{true: "Infinity", false: "-Infinity"}[f > 0]
	case f == 0 && math.Signbit(f):
		return "-0"
	}
	return plain
}

func randomDecimal(rt *rapid.T, t *rowcodec.Type) string {
	digits := rapid.StringMatching(fmt.Sprintf("[0-9]{%d}|9{%d}|0*[0-9]?", t.Precision, t.Precision)).Draw(rt, "digits")
	n, _ := new(big.Int).SetString("0"+digits[max(0, len(digits)-t.Precision):], 10)
	if rapid.Bool().Draw(rt, "negative") {
		n.Neg(n)
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)).FloatString(t.Scale)
}

func randomMoment(rt *rapid.T, t *rowcodec.Type) string {
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	at := time.Unix(rapid.Int64Range(first, last).Draw(rt, "seconds"), 0).UTC()
	keeps := t.Precision
	if t.Root == rowcodec.Time {
		keeps = 3
	}
	fraction := strings.TrimRight(rapid.StringMatching(fmt.Sprintf("[0-9]{%d}", keeps)).Draw(rt, "fraction"), "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	switch t.Root {
	case rowcodec.Date:
		return at.Format(time.DateOnly)
	case rowcodec.Time:
		return at.Format(time.TimeOnly) + fraction
	case rowcodec.TimestampLTZ:
		fraction += "Z"
	}
	return at.Format("2006-01-02T15:04:05") + fraction
}
