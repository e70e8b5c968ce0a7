package udftest

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// longText is more than fits the buffer that results are first written to.
var longText = strings.Repeat("0123456789", 1000)

// samples are values of a type in their form for the codec: an ordinary one, and those at the ends of what it can hold.
// NULL is not among them.
func samples(t udf.Type) (usual any, extremes []any) {
	switch t.Root {
	case udf.RootBoolean:
		return true, []any{false}
	case udf.RootTinyInt:
		return whole(2, math.MinInt8, math.MaxInt8)
	case udf.RootSmallInt:
		return whole(2, math.MinInt16, math.MaxInt16)
	case udf.RootInt, udf.RootMonths:
		return whole(2, math.MinInt32, math.MaxInt32)
	case udf.RootBigInt:
		return whole(2, math.MinInt64, math.MaxInt64)
	case udf.RootDuration:
		const most = math.MaxInt64 / 1_000_000 // what a time.Duration holds
		return whole(2000, -most, most)
	case udf.RootFloat:
		return float32(2), []any{float32(0), float32(-1), "-0", "NaN", "Infinity", "-Infinity", float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32)}
	case udf.RootDouble:
		return 2.0, []any{0.0, -1.0, "-0", "NaN", "Infinity", "-Infinity", math.MaxFloat64, math.SmallestNonzeroFloat64}
	case udf.RootString:
		return "a", []any{"", " ", "ü🐿\x00", "'\"\\<&>{[", longText}
	case udf.RootBytes:
		return rowcodec.Hex("a"), []any{rowcodec.Hex(""), rowcodec.Hex("\x00\xff"), rowcodec.Hex(longText)}
	case udf.RootDate:
		return "2026-11-23", []any{"0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"}
	case udf.RootTime:
		return "12:00:00", []any{"00:00:00", "23:59:59.999"}
	case udf.RootArray, udf.RootMap, udf.RootMultiset, udf.RootRow:
		return composites(t)
	default:
		return refined(t)
	}
}

// refined are the samples of types with a length or precision.
func refined(t udf.Type) (any, []any) {
	name, parameters, _ := strings.Cut(strings.TrimSuffix(string(t.Root), ")"), "(")
	first, second, _ := strings.Cut(parameters, ", ")
	n, _ := strconv.Atoi(first) // the root is from package udf, which checked it
	scale, _ := strconv.Atoi(second)
	repeat := func(unit string, n int) string { return strings.Repeat(unit, min(n, 10_000)) }
	switch name {
	case "DECIMAL":
		most := cmp.Or(repeat("9", n-scale), "0")
		fraction := ""
		if scale > 0 {
			most, fraction = most+"."+repeat("9", scale), "."+repeat("0", scale)
		}
		return "0" + fraction, []any{most, "-" + most}
	case "CHAR":
		return repeat("a", n), []any{repeat(" ", n), repeat("ü", n), repeat("🐿", n)}
	case "VARCHAR":
		return "a", []any{"", repeat(" ", n), repeat("🐿", n)}
	case "BINARY":
		return rowcodec.Hex(repeat("a", n)), []any{rowcodec.Hex(repeat("\x00", n)), rowcodec.Hex(repeat("\xff", n))}
	case "VARBINARY":
		return rowcodec.Hex("a"), []any{rowcodec.Hex(""), rowcodec.Hex(repeat("\xff", n))}
	default: // TIMESTAMP, TIMESTAMP_LTZ
		zone, last := "", "9999-12-31T23:59:59"
		if name == "TIMESTAMP_LTZ" {
			zone = "Z"
		}
		if n > 0 {
			last += "." + repeat("9", n)
		}
		return "2026-11-23T12:00:00" + zone, []any{"0001-01-01T00:00:00" + zone, "1969-12-31T23:59:59" + zone, last + zone}
	}
}

func composites(t udf.Type) (any, []any) {
	switch t.Root {
	case udf.RootArray:
		usual, extremes := nullable(*t.Element)
		return []any{usual}, []any{[]any{}, extremes}
	case udf.RootRow:
		usual := usualRow(t.Fields)
		return usual, asAny(variations(t.Fields, usual))
	}
	value, values := any(int64(1)), []any{int64(2), int64(math.MaxInt32)}
	key := t.Key
	if t.Root == udf.RootMap {
		value, values = nullable(*t.Element)
	} else {
		key = &t.Element.Type
	}
	name, names := samples(*key)
	all := []any{[]any{name, value}}
	for i, other := range names {
		all = append(all, []any{other, values[i%len(values)]})
	}
	return []any{[]any{name, value}}, []any{[]any{}, all}
}

// nullable are the samples with NULL, where the type has it.
func nullable(f udf.Field) (any, []any) {
	usual, extremes := samples(f.Type)
	if f.Nullable {
		extremes = append(extremes, nil)
	}
	return usual, extremes
}

func usualRow(columns []udf.Field) []any {
	row := make([]any, len(columns))
	for i, column := range columns {
		row[i], _ = samples(column.Type)
	}
	return row
}

// variations are rows that differ from the usual one in one column each, and the one that has NULL wherever it may be.
func variations(columns []udf.Field, usual []any) [][]any {
	var all [][]any
	nulls := append([]any(nil), usual...)
	for i, column := range columns {
		_, extremes := nullable(column)
		for _, value := range extremes {
			row := append([]any(nil), usual...)
			row[i] = value
			all = append(all, row)
		}
		if column.Nullable {
			nulls[i] = nil
		}
	}
	return append(all, nulls)
}

func asAny(rows [][]any) []any {
	all := make([]any, len(rows))
	for i, row := range rows {
		all[i] = row
	}
	return all
}

func whole(usual, least, most int64) (any, []any) {
	return usual, []any{int64(0), int64(-1), int64(1), least, most}
}
