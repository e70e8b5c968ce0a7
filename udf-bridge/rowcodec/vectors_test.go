package rowcodec_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// one is a vector of one column with a row for each value.
func one(name, column string, values ...any) vector {
	v := vector{Name: name, Columns: []string{column}}
	for _, value := range values {
		v.Rows = append(v.Rows, []any{value})
	}
	return v
}

// many is a list of n values, the first of which is another one.
func many(n int, first, others any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = others
	}
	list[0] = first
	return list
}

func hexed(s string) rowcodec.Hex { return rowcodec.Hex(s) }

func goodVectors() []vector {
	all := []vector{
		one("boolean", "BOOLEAN", true, false, nil),
		one("tinyint", "TINYINT", int64(-128), int64(127), int64(0), nil),
		one("smallint", "SMALLINT", int64(-32768), int64(32767), nil),
		one("int", "INT", int64(math.MinInt32), int64(math.MaxInt32), int64(-1), nil),
		one("bigint", "BIGINT", int64(math.MinInt64), int64(math.MaxInt64), int64(-1), nil),
		one("bigint-not-null", "BIGINT NOT NULL", int64(42)),
		one("float", "FLOAT", float32(1.5), float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32), "NaN", "Infinity", "-Infinity", "-0", nil),
		one("double", "DOUBLE", 1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, "NaN", "Infinity", "-Infinity", "-0", nil),
		one("decimal-compact", "DECIMAL(10, 2)", "0.00", "-1.50", "99999999.99", "-99999999.99", nil),
		one("decimal-18", "DECIMAL(18, 0)", "999999999999999999", "-999999999999999999", nil),
		one("decimal-19", "DECIMAL(19, 0)", "9999999999999999999", "-9999999999999999999", "0", nil),
		one("decimal-38", "DECIMAL(38, 18)", "99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999", "0.000000000000000001", "-0.000000000000000001", nil),
		one("decimal-38-38", "DECIMAL(38, 38)", "0."+strings.Repeat("9", 38), "-0."+strings.Repeat("9", 38), nil),
		one("char", "CHAR(3)", "abc", "äöü", nil),
		one("varchar", "VARCHAR(20)", "", "x", "grüße", nil),
		one("string", "STRING", "", "a", "nul\x00inside", "𝄞 \U0001f43f", strings.Repeat("long ", 100), nil),
		one("string-not-utf8", "STRING", hexed("\xff"), hexed("a\xc0\x80"), hexed("\xed\xa0\x80"), nil),
		one("binary", "BINARY(2)", hexed("\x00\xff"), nil),
		one("bytes", "BYTES", hexed(""), hexed("\x00"), hexed(strings.Repeat("\xab", 300)), nil),
		one("date", "DATE", "1970-01-01", "0001-01-01", "9999-12-31", "1969-12-31", nil),
		one("time", "TIME(3)", "00:00:00", "23:59:59.999", "12:34:56.7", nil),
		one("timestamp-3", "TIMESTAMP(3)", "1970-01-01T00:00:00", "1969-12-31T23:59:59.999", "0001-01-01T00:00:00", nil),
		one("timestamp-9", "TIMESTAMP(9)", "1970-01-01T00:00:00.000000001", "1969-12-31T23:59:59.999999999", "9999-12-31T23:59:59.999999999", "0001-01-01T00:00:00", nil),
		one("timestamp-ltz-3", "TIMESTAMP_LTZ(3)", "2026-11-23T12:00:00.5Z", nil),
		one("timestamp-ltz-9", "TIMESTAMP_LTZ(9)", "1969-12-31T23:59:59.999999999Z", "2026-11-23T12:34:56.123456789Z", nil),
		one("interval-months", "INTERVAL YEAR TO MONTH", int64(math.MinInt32), int64(math.MaxInt32), int64(14), nil),
		one("interval-millis", "INTERVAL DAY TO SECOND(3)", int64(math.MinInt64), int64(math.MaxInt64), int64(-1), nil),
		one("array-boolean", "ARRAY<BOOLEAN>", []any{true, nil, false}, []any{}, nil),
		one("array-tinyint", "ARRAY<TINYINT>", []any{int64(-128), nil, int64(127)}),
		one("array-smallint", "ARRAY<SMALLINT>", []any{int64(-32768), nil, int64(32767)}),
		one("array-int", "ARRAY<INT NOT NULL>", []any{int64(1), int64(-1), int64(math.MinInt32)}, []any{}),
		one("array-bigint-nine", "ARRAY<BIGINT>", []any{int64(1), nil, int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), nil}),
		one("array-float", "ARRAY<FLOAT>", []any{float32(0.1), nil, "-0"}),
		one("array-double", "ARRAY<DOUBLE>", []any{0.1, nil, "NaN"}),
		one("array-decimal", "ARRAY<DECIMAL(10, 2)>", []any{"1.50", nil, "-0.01"}),
		one("array-decimal-wide", "ARRAY<DECIMAL(38, 2)>", []any{"1.50", nil, "-0.01"}),
		one("array-string", "ARRAY<STRING>", []any{"", nil, "ü", "x"}, []any{nil, nil}),
		one("array-date", "ARRAY<DATE>", []any{"1969-12-31", nil}),
		one("array-time", "ARRAY<TIME(3)>", []any{"23:59:59.999", nil}),
		one("array-timestamp", "ARRAY<TIMESTAMP(9)>", []any{"1969-12-31T23:59:59.999999999", nil}),
		one("array-timestamp-3", "ARRAY<TIMESTAMP_LTZ(3)>", []any{"1969-12-31T23:59:59.999Z", nil}),
		one("array-months", "ARRAY<INTERVAL YEAR TO MONTH>", []any{int64(-1), nil}),
		one("array-array", "ARRAY<ARRAY<ARRAY<INT>>>", []any{[]any{[]any{int64(1), nil}, nil, []any{}}, nil, []any{}}, nil),
		one("map", "MAP<STRING NOT NULL, INT>", []any{[]any{"k", int64(9)}, []any{"", nil}}, []any{}, nil),
		one("map-int-row", "MAP<INT NOT NULL, ROW<`a` STRING, `b` BIGINT NOT NULL>>", []any{[]any{int64(-1), []any{"x", int64(1)}}, []any{int64(2), nil}}),
		one("map-nullable-key-type", "MAP<BIGINT, BOOLEAN NOT NULL>", []any{[]any{int64(5), true}}),
		one("map-date", "MAP<DATE NOT NULL, ARRAY<STRING>>", []any{[]any{"0001-01-01", []any{}}, []any{"1969-12-31", []any{nil, "x"}}, []any{"9999-12-31", nil}}),
		one("map-timestamp", "MAP<TIMESTAMP(9) NOT NULL, TIMESTAMP_LTZ(9)>", []any{[]any{"1969-12-31T23:59:59.999999999", "1969-12-31T23:59:59.999999999Z"}, []any{"1970-01-01T00:00:00", nil}}),
		one("map-map", "MAP<STRING NOT NULL, MAP<INT NOT NULL, MULTISET<STRING NOT NULL>>>", []any{[]any{"x", []any{[]any{int64(1), []any{[]any{"y", int64(3)}}}, []any{int64(2), nil}}}, []any{"z", nil}}),
		one("array-bytes", "ARRAY<BYTES>", []any{hexed(""), nil, hexed("\x00\xff")}),
		one("array-row", "ARRAY<ROW<`a` INT, `b` ARRAY<STRING>>>", []any{[]any{nil, nil}, nil, []any{int64(1), []any{"x"}}}),
		one("array-map", "ARRAY<MAP<STRING NOT NULL, BIGINT>>", []any{[]any{}, nil, []any{[]any{"k", nil}}}),
		one("multiset", "MULTISET<STRING NOT NULL>", []any{[]any{"a", int64(2)}, []any{"b", int64(1)}}, []any{}, nil),
		one("row", "ROW<`a` BIGINT, `b` STRING NOT NULL>", []any{int64(1), "x"}, []any{nil, ""}, nil),
		one("row-nested", "ROW<`a` ROW<`b` ROW<`c` ARRAY<STRING>, `d` DECIMAL(20, 0)>>>", []any{[]any{[]any{[]any{"deep", nil}, "-1"}}}, []any{[]any{nil}}, []any{nil}, nil),
		{
			Name:    "six-columns",
			Columns: []string{"BIGINT NOT NULL", "STRING NOT NULL", "DOUBLE", "BOOLEAN NOT NULL", "TIMESTAMP_LTZ(9)", "STRING"},
			Rows:    [][]any{{int64(7), "payment", 12.5, true, "2026-11-23T12:34:56.123456789Z", nil}, {int64(8), "", nil, false, nil, "DE"}},
		},
		{Name: "no-rows", Columns: []string{"BIGINT NOT NULL", "STRING"}, Rows: [][]any{}},
		{Name: "no-columns", Columns: []string{}, Rows: [][]any{{}, {}}},
	}
	wide := vector{Name: "seventy-columns"}
	var row []any
	for i := range 70 {
		wide.Columns = append(wide.Columns, []string{"INT", "STRING", "DECIMAL(30, 1)"}[i%3])
		row = append(row, []any{int64(i), fmt.Sprintf("s%d", i), fmt.Sprintf("%d.5", i)}[i%3])
		if i%7 == 6 || i == 64 {
			row[i] = nil
		}
	}
	wide.Rows = [][]any{row, make([]any, 70)}
	all = append(all, wide)
	for _, n := range []int{64, 65} { // where a bitmap is full, and where the next word begins
		v := vector{Name: fmt.Sprintf("columns-%d", n), Rows: [][]any{make([]any, n), make([]any, n)}}
		for i := range n {
			v.Columns = append(v.Columns, "BOOLEAN")
			v.Rows[0][i] = i%2 == 0
		}
		v.Rows[1][n-1] = true
		all = append(all, v)
	}
	return all
}

// hostileVectors spoils good messages, one rule each.
func hostileVectors(t testing.TB) []vector {
	const row = 12 // where the first row begins: behind the header and its size
	u32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	set := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	// same makes every element of the array of n values at at the first one, as is none of them NULL.
	same := func(at, n int) func([]byte) []byte {
		return func(b []byte) []byte {
			nulls := b[at+4 : at+4+(n+7)/8]
			clear(nulls)
			slots := b[at+4+len(nulls):]
			for i := 1; i < n; i++ {
				copy(slots[8*i:8*i+8], slots[:8])
			}
			return b
		}
	}
	tests := []struct {
		name, column string
		value        any
		spoil        func([]byte) []byte
		err          string
	}{
		{"empty", "INT", int64(1), func([]byte) []byte { return nil }, "a message has at least"},
		{"version", "INT", int64(1), set(0, 2), "version 2"},
		{"flags", "INT", int64(1), set(1, 1), "flags"},
		{"columns", "INT", int64(1), set(2, 2), "2 columns, want 1"},
		{"rows-too-many", "INT", int64(1), u32(4, 1<<31), "2147483648 rows"},
		{"rows-one-more", "INT", int64(1), u32(4, 2), "no size"},
		{"rows-none", "INT", int64(1), u32(4, 0), "after the last row"},
		{"trailing", "INT", int64(1), func(b []byte) []byte { return append(b, 0) }, "after the last row"},
		{"row-too-long", "INT", int64(1), u32(8, 17), "17 bytes, 16 are left"},
		{"row-too-short", "INT", int64(1), func(b []byte) []byte { return u32(8, 15)(b)[:row+15] }, "its fixed part has 16"},
		{"null-not-null", "INT NOT NULL", int64(1), set(row, 1), "NOT NULL"},
		{"null-bit-beyond", "INT", int64(1), set(row, 2), "null bit 1"},
		{"boolean-upper", "BOOLEAN", true, u32(row+12, 1), "BOOLEAN"},
		{"boolean-two", "BOOLEAN", true, set(row+8, 2), "BOOLEAN 2"},
		{"tinyint-range", "TINYINT", int64(1), u32(row+8, 128), "out of the range of TINYINT"},
		{"smallint-range", "SMALLINT", int64(1), u32(row+8, 1<<15), "out of the range of SMALLINT"},
		{"int-range", "INT", int64(1), u32(row+8, 1<<31), "out of the range of INT"},
		{"date-range", "DATE", "1970-01-01", u32(row+12, 1), "out of the range of DATE"},
		{"time-range", "TIME(3)", "00:00:00", u32(row+8, 24*60*60*1000), "out of the range of TIME"},
		{"time-negative", "TIME(3)", "00:00:00", func(b []byte) []byte { return u32(row+8, 1<<32-1)(u32(row+12, 1<<32-1)(b)) }, "out of the range of TIME"},
		{"months-range", "INTERVAL YEAR TO MONTH", int64(1), u32(row+12, 1), "out of the range"},
		{"float-bits", "FLOAT", float32(1), u32(row+12, 1), "FLOAT of more than 32 bits"},
		{"decimal-precision", "DECIMAL(5, 2)", "1.00", u32(row+8, 100_000), "more than the 5 digits"},
		{"decimal-least", "DECIMAL(18, 0)", "1", func(b []byte) []byte { return u32(row+8, 0)(u32(row+12, 1<<31)(b)) }, "more than the 18 digits"},
		{"decimal-wide-least", "DECIMAL(38, 0)", "0", u32(row+20, 1<<31), "more than the 38 digits"},
		{"decimal-wide-precision", "DECIMAL(19, 0)", "1", u32(row+16, 1), "more than the 19 digits"},
		{"timestamp-nanos", "TIMESTAMP(9)", "1970-01-01T00:00:00", u32(row+16, 1_000_000), "ns of a millisecond"},
		{"timestamp-reserved", "TIMESTAMP(9)", "1970-01-01T00:00:00", u32(row+20, 1), "ns of a millisecond"},
		{"timestamp-compact-short", "TIMESTAMP(3)", "1970-01-01T00:00:00", func(b []byte) []byte { return u32(8, 12)(b)[:row+12] }, "its fixed part has 16"},
		{"string-in-fixed-part", "STRING", "x", u32(row+8, 8), "outside of the variable part"},
		{"string-offset", "STRING", "x", u32(row+8, 18), "outside of the variable part"},
		{"string-length", "STRING", "x", u32(row+12, 1<<32-1), "outside of the variable part"},
		{"array-count", "ARRAY<INT>", []any{int64(1)}, u32(row+16, 1<<30), "1073741824 elements"},
		{"array-count-two", "ARRAY<INT>", []any{int64(1)}, u32(row+16, 2), "2 elements"},
		{"array-empty-bytes", "ARRAY<INT>", []any{}, u32(row+12, 3), "an array of 3 bytes"},
		{"array-null-bits", "ARRAY<INT>", []any{int64(1)}, set(row+20, 2), "null bits beyond"},
		{"array-null", "ARRAY<INT NOT NULL>", []any{int64(1)}, set(row+20, 1), "NULL where none may be"},
		{"array-boolean-two", "ARRAY<BOOLEAN>", []any{true}, set(row+21, 2), "BOOLEAN 2"},
		{"array-string-offset", "ARRAY<STRING>", []any{"x"}, u32(row+21, 12), "outside of the variable part"},
		{"array-time-range", "ARRAY<TIME(3)>", []any{"00:00:00"}, u32(row+21, 1<<31), "out of the range of TIME"},
		{"map-keys", "MAP<INT, INT>", []any{[]any{int64(1), int64(2)}}, u32(row+16, 1<<31), "keys of 2147483648 bytes"},
		{"map-keys-two", "MAP<INT, INT>", []any{[]any{int64(1), int64(2)}}, u32(row+16+4, 2), "2 elements of 4 bytes in an array of 9"},
		{"map-counts", "MAP<INT, INT>", []any{[]any{int64(1), int64(2)}}, u32(row+16+4+9, 0), "1 keys and 0 values"},
		{"map-null-key", "MAP<INT, INT>", []any{[]any{int64(1), int64(2)}}, set(row+16+4+4, 1), "NULL where none may be"},
		{"map-short", "MAP<INT, INT>", []any{}, u32(row+12, 2), "a map of 2 bytes"},
		{"multiset-null-count", "MULTISET<INT>", []any{[]any{int64(1), int64(2)}}, set(row+16+4+9+4, 1), "NULL where none may be"},
		{"nested-null-bit-beyond", "ROW<`a` TINYINT>", []any{int64(1)}, set(row+16+7, 128), "null bit 63"},
		{"nested-null", "ROW<`a` TINYINT NOT NULL>", []any{int64(1)}, set(row+16, 1), "NOT NULL"},
		{"nested-offset", "ROW<`a` STRING>", []any{"x"}, u32(row+16+8, 15), "outside of the variable part"},
		{"overlap-strings", "ARRAY<STRING>", many(200, strings.Repeat("x", 2000), ""), same(row+16, 200), "values overlap"},
		{"overlap-arrays", "ARRAY<ARRAY<ARRAY<INT>>>", many(100, many(100, []any{int64(1)}, nil), nil), func(b []byte) []byte {
			inner := row + 16 + int(binary.LittleEndian.Uint32(b[row+16+4+13:]))
			return same(row+16, 100)(same(inner, 100)(b))
		}, "values overlap"},
		{"nested-row", "ROW<`a` TINYINT>", []any{int64(1)}, u32(row+16+8, 128), "out of the range of TINYINT"},
		{"nested-row-short", "ROW<`a` TINYINT>", []any{int64(1)}, u32(row+12, 8), "its fixed part has 16"},
	}
	var all []vector
	for _, test := range tests {
		message, err := rowcodec.Encode(columns(t, []string{test.column}), [][]any{{test.value}})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		all = append(all, vector{
			Name: "hostile-" + test.name, Columns: []string{test.column}, Error: test.err,
			Hex: hex.EncodeToString(test.spoil(message)),
		})
	}
	return all
}
