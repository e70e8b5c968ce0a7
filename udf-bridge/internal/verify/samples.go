package verify

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// A value here is in the JSON form that package rowcodec defines: numbers, strings, {"hex": ...}, lists.

// usual is a value of a column that no function should mind.
func usual(t manifest.Type) any {
	name, parameters := parts(t.Root)
	switch name {
	case "BOOLEAN":
		return true
	case "TINYINT", "SMALLINT", "INT", "BIGINT", "INTERVAL YEAR TO MONTH", "INTERVAL DAY TO SECOND":
		return 1
	case "FLOAT", "DOUBLE":
		return 1.5
	case "DECIMAL":
		return decimal(parameters, "1", strings.Repeat("0", scale(parameters)))
	case "CHAR":
		return text("a", parameters, "a")
	case "VARCHAR", "STRING":
		return text("a", parameters, "")
	case "BINARY", "VARBINARY", "BYTES":
		return bytesOf(name, parameters, 1)
	case "DATE":
		return "2026-11-23"
	case "TIME":
		return "12:34:56.789"
	case "TIMESTAMP", "TIMESTAMP_LTZ":
		return timestamp(name, parameters, "2026-11-23T12:34:56", "123456789")
	case "ARRAY":
		return []any{usual(t.Element.Type)}
	case "MULTISET":
		return []any{[]any{usual(t.Element.Type), 1}}
	case "MAP":
		return []any{[]any{usual(*t.Key), usual(t.Element.Type)}}
	case "ROW":
		row := make([]any, len(t.Fields))
		for i, f := range t.Fields {
			row[i] = usual(f.Type)
		}
		return row
	default:
		return nil
	}
}

// many is how many elements the large collections have, and the large texts characters.
const (
	manyElements   = 1000
	manyCharacters = 1 << 16
	maxWeight      = 1 << 20 // the bytes of a large collection, about
)

// extremes are the values at the ends of a type: smallest, largest, empty, and those that are easily mistaken.
func extremes(t manifest.Type) []any {
	name, parameters := parts(t.Root)
	switch name {
	case "BOOLEAN":
		return []any{false, true}
	case "TINYINT":
		return integers(8)
	case "SMALLINT":
		return integers(16)
	case "INT":
		return integers(32)
	case "BIGINT":
		return integers(64)
	case "INTERVAL DAY TO SECOND":
		return append(integers(64), -maxDuration, maxDuration)
	case "INTERVAL YEAR TO MONTH":
		return integers(32)
	case "FLOAT":
		return []any{"NaN", "Infinity", "-Infinity", "-0", 0, float32(math.MaxFloat32), float32(-math.MaxFloat32), float32(math.SmallestNonzeroFloat32)}
	case "DOUBLE":
		return []any{"NaN", "Infinity", "-Infinity", "-0", 0, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64}
	case "DECIMAL":
		s := scale(parameters)
		whole, fraction := strings.Repeat("9", precision(parameters)-s), strings.Repeat("9", s)
		return []any{decimal(parameters, whole, fraction), decimal(parameters, "-"+whole, fraction), decimal(parameters, "0", strings.Repeat("0", s)), smallest(s)}
	case "CHAR":
		return []any{text(" ", parameters, " "), text("\U0001F43F", parameters, "\U0001F43F"), text("\x00", parameters, "\x00")}
	case "VARCHAR", "STRING":
		return []any{"", text("\x00", parameters, ""), text("\U0001F43F e\u0301", parameters, ""), text(strings.Repeat("x", manyCharacters), parameters, ""), map[string]any{"hex": "ff"}}
	case "BINARY":
		return []any{bytesOf(name, parameters, 0)}
	case "VARBINARY", "BYTES":
		return []any{bytesOf(name, parameters, 0), bytesOf(name, parameters, manyCharacters)}
	case "DATE":
		return []any{"0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"}
	case "TIME":
		return []any{"00:00:00", "23:59:59.999"}
	case "TIMESTAMP", "TIMESTAMP_LTZ":
		return []any{
			timestamp(name, parameters, "0001-01-01T00:00:00", "000000000"), timestamp(name, parameters, "1969-12-31T23:59:59", "999999999"),
			timestamp(name, parameters, "1970-01-01T00:00:00", "000000000"), timestamp(name, parameters, "9999-12-31T23:59:59", "999999999"),
		}
	case "ARRAY":
		return collections(elements(*t.Element), func(v any, _ int) any { return v })
	case "MULTISET":
		all := collections(distinct(t.Element.Type), func(v any, _ int) any { return []any{v, math.MaxInt32} })
		return all[:2] // repeating an element a thousand times is not a multiset
	case "MAP":
		values := elements(*t.Element)
		all := collections(distinct(*t.Key), func(v any, i int) any { return []any{v, values[i%len(values)]} })
		return all[:2]
	case "ROW":
		return rows(t.Fields)
	default:
		return nil
	}
}

// maxDuration is the longest time.Duration in the milliseconds that SQL has.
const maxDuration = int64(math.MaxInt64 / 1_000_000)

// elements are the extremes of an element, and NULL if it may be that. What is always an error, if Go's type has no place
// for it or its way back is barred, is tried as an argument only: in the midst of others it would hide what becomes of them.
func elements(c manifest.Column) []any {
	all := slices.DeleteFunc(extremes(c.Type), func(v any) bool { return barred(c.Type, v) })
	if c.Nullable() {
		all = append(all, nil)
	}
	return all
}

// barred says whether a value is a text that is not UTF-8, or an interval longer than a time.Duration.
func barred(t manifest.Type, value any) bool {
	name, _ := parts(t.Root)
	switch v := value.(type) {
	case map[string]any:
		return name == "STRING" || name == "VARCHAR" || name == "CHAR"
	case int64:
		return name == "INTERVAL DAY TO SECOND" && (v < -maxDuration || v > maxDuration)
	default:
		return false
	}
}

// distinct are extremes of keys. NaN and -0 are no keys that anything promises to keep apart.
func distinct(t manifest.Type) []any {
	return slices.DeleteFunc(extremes(t), func(v any) bool { return v == "NaN" || v == "-0" || barred(t, v) })
}

// collections are the empty one, one of all values, and a long one.
func collections(values []any, entry func(value any, i int) any) []any {
	var all, long []any
	for i, v := range values {
		all = append(all, entry(v, i))
	}
	for i, size := 0, 0; i < manyElements && size < maxWeight; i++ {
		long = append(long, entry(values[i%len(values)], i))
		size += weight(long[i])
	}
	return []any{[]any{}, all, long}
}

// rows are as many as the field with most extremes has, each of the n-th extreme of each field; and one of NULLs.
func rows(fields []manifest.Column) []any {
	var all []any
	for n := 0; ; n++ {
		row, more := make([]any, len(fields)), false
		for i, f := range fields {
			values := elements(f)
			row[i] = values[min(n, len(values)-1)]
			more = more || n < len(values)
		}
		if !more {
			return all
		}
		all = append(all, row)
	}
}

func integers(bits int) []any {
	return []any{int64(math.MinInt64) >> (64 - bits), -1, 0, int64(math.MaxInt64) >> (64 - bits)}
}

// parts splits DECIMAL(10, 2) into its name and its parameters.
func parts(root string) (name string, parameters []int) {
	for {
		open := strings.IndexByte(root, '(')
		if open < 0 {
			return root, parameters
		}
		end := strings.IndexByte(root, ')')
		if end < open {
			return root, parameters
		}
		for p := range strings.SplitSeq(root[open+1:end], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(p))
			if err == nil {
				parameters = append(parameters, n)
			}
		}
		root = root[:open] + root[end+1:]
	}
}

func precision(parameters []int) int {
	if len(parameters) == 0 {
		return 10
	}
	return parameters[0]
}

func scale(parameters []int) int {
	if len(parameters) < 2 {
		return 0
	}
	return parameters[1]
}

// decimal writes a number; a type with as many places as digits has none before the point but the 0.
func decimal(parameters []int, whole, fraction string) any {
	sign := ""
	if rest, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "-", rest
	}
	if whole == "" || precision(parameters) == scale(parameters) {
		whole = "0"
	}
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// smallest is the least number above zero.
func smallest(scale int) any {
	if scale == 0 {
		return "1"
	}
	return "0." + strings.Repeat("0", scale-1) + "1"
}

// text cuts s to the length of the type, and fills it up with pad to exactly that.
func text(s string, parameters []int, pad string) any {
	if len(parameters) == 0 {
		return s
	}
	runes := []rune(s)
	for pad != "" && len(runes) < parameters[0] {
		runes = append(runes, []rune(pad)...)
	}
	return string(runes[:min(len(runes), parameters[0])])
}

// bytesOf is n bytes, or as many as the type wants or allows.
func bytesOf(name string, parameters []int, n int) any {
	if len(parameters) > 0 && (name == "BINARY" || n > parameters[0]) {
		n = parameters[0]
	}
	return map[string]any{"hex": hex.EncodeToString([]byte(strings.Repeat("\xff", n)))}
}

// timestamp has as many digits after the second as the type.
func timestamp(name string, parameters []int, seconds, fraction string) any {
	digits := 6
	if len(parameters) > 0 {
		digits = parameters[0]
	}
	s := seconds
	if digits > 0 {
		s += "." + fraction[:digits]
	}
	if name == "TIMESTAMP_LTZ" {
		s += "Z"
	}
	return s
}
