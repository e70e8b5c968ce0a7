package rowcodec_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

func TestParseType(t *testing.T) {
	bigint, text := rowcodec.Type{Root: rowcodec.BigInt}, rowcodec.Type{Root: rowcodec.VarChar, Nullable: true, Length: 1<<31 - 1}
	key := text
	key.Nullable = false
	tests := map[string]rowcodec.Type{
		"BIGINT NOT NULL":                       bigint,
		"VARCHAR(2147483647)":                   text,
		"DECIMAL(38, 18) NOT NULL":              {Root: rowcodec.Decimal, Precision: 38, Scale: 18},
		"TIMESTAMP(9) WITH LOCAL TIME ZONE":     {Root: rowcodec.TimestampLTZ, Precision: 9, Nullable: true},
		"TIMESTAMP(3)":                          {Root: rowcodec.Timestamp, Precision: 3, Nullable: true},
		"INTERVAL DAY(6) TO SECOND(3) NOT NULL": {Root: rowcodec.Millis, Units: "DAY TO SECOND", Precision: 6, Scale: 3},
		"INTERVAL YEAR(4) TO MONTH":             {Root: rowcodec.Months, Units: "YEAR TO MONTH", Precision: 4, Nullable: true},
		"ROW<`a``b` BIGINT NOT NULL 'a comment''s quote', c STRING>": {
			Root: rowcodec.Row, Nullable: true, Names: []string{"a`b", "c"}, Fields: []*rowcodec.Type{&bigint, &text},
		},
		"MAP<STRING NOT NULL, ARRAY<STRING>>NOT NULL": {
			Root: rowcodec.Map, Key: &key, Element: &rowcodec.Type{Root: rowcodec.Array, Nullable: true, Element: &text},
		},
		"MULTISET<STRING>": {Root: rowcodec.Multiset, Nullable: true, Key: &text},
	}
	for text, want := range tests {
		if got, err := rowcodec.ParseType(text); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// TestTypeText: what Flink 2.3.0 makes of these texts (LogicalTypeParser, LogicalType.asSerializableString).
func TestTypeText(t *testing.T) {
	tests := map[string]string{
		"BOOLEAN":                               "",
		"TINYINT NOT NULL":                      "",
		"INTEGER NULL":                          "INT",
		"integer not null":                      "INT NOT NULL",
		"DOUBLE PRECISION":                      "DOUBLE",
		"DECIMAL":                               "DECIMAL(10, 0)",
		"DEC(5)":                                "DECIMAL(5, 0)",
		"NUMERIC(38,38)":                        "DECIMAL(38, 38)",
		"STRING":                                "VARCHAR(2147483647)",
		"CHAR":                                  "CHAR(1)",
		"VARCHAR":                               "VARCHAR(1)",
		"VARCHAR(20)":                           "",
		"BINARY(2)":                             "",
		"VARBINARY":                             "VARBINARY(1)",
		"BYTES":                                 "VARBINARY(2147483647)",
		"TIME":                                  "TIME(0)",
		"TIME(3) WITHOUT TIME ZONE":             "TIME(3)",
		"TIMESTAMP":                             "TIMESTAMP(6)",
		"TIMESTAMP(3) WITHOUT TIME ZONE":        "TIMESTAMP(3)",
		"TIMESTAMP_LTZ":                         "TIMESTAMP(6) WITH LOCAL TIME ZONE",
		"TIMESTAMP(3) WITH LOCAL TIME ZONE":     "",
		"INTERVAL YEAR":                         "INTERVAL YEAR(2)",
		"INTERVAL YEAR(4) TO MONTH":             "",
		"INTERVAL YEAR TO MONTH":                "INTERVAL YEAR(2) TO MONTH",
		"INTERVAL MONTH":                        "",
		"INTERVAL DAY":                          "INTERVAL DAY(2)",
		"INTERVAL DAY TO HOUR":                  "INTERVAL DAY(2) TO HOUR",
		"INTERVAL DAY TO MINUTE":                "INTERVAL DAY(2) TO MINUTE",
		"INTERVAL DAY TO SECOND":                "INTERVAL DAY(2) TO SECOND(6)",
		"INTERVAL DAY(6) TO SECOND(3) NOT NULL": "",
		"INTERVAL HOUR":                         "",
		"INTERVAL HOUR TO MINUTE":               "",
		"INTERVAL HOUR TO SECOND":               "INTERVAL HOUR TO SECOND(6)",
		"INTERVAL MINUTE":                       "",
		"INTERVAL MINUTE TO SECOND(9)":          "",
		"INTERVAL SECOND(0)":                    "",
		"ARRAY<INT NOT NULL>":                   "",
		"MULTISET<BIGINT NOT NULL> NOT NULL":    "",
		"MAP<STRING NOT NULL, ARRAY<INT>>":      "MAP<VARCHAR(2147483647) NOT NULL, ARRAY<INT>>",
		"ROW(a INT, b_1 STRING 'it''s')":        "ROW<`a` INT, `b_1` VARCHAR(2147483647)>", // Flink keeps the comment
		"ROW<`a``b` INT NOT NULL>":              "",
		"ROW<`a b` INT, `ü` ROW<`c` DATE>>":     "",
		"ROW<>":                                 "",
		"ROW()":                                 "ROW<>",
	}
	for text, want := range tests {
		if want == "" {
			want = text
		}
		got, err := rowcodec.ParseType(text)
		if err != nil || got.String() != want {
			t.Errorf("%s is %v, %v; want %s", text, got, err, want)
			continue
		}
		if again, err := rowcodec.ParseType(want); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%s read again: %+v, %v", want, again, err)
		}
	}
}

// TestParseTypeRefuses: all of these but the first group are refused by Flink too.
func TestParseTypeRefuses(t *testing.T) {
	tests := map[string]string{
		"VARIANT":                     "no type that a row can hold",
		"RAW('x', 'y')":               "no type that a row can hold",
		"TIMESTAMP(3) WITH TIME ZONE": "left over",
		"INT ARRAY":                   "left over",
		strings.Repeat("ARRAY<", 64) + "INT" + strings.Repeat(">", 64): "nested more than 64 deep",

		"":                         "no type",
		"INT4":                     "no type",
		"INT INT":                  "left over",
		"INT NOT":                  "left over",
		"CHAR(":                    "a number is needed",
		"CHAR(x)":                  "a number is needed",
		"CHAR(3":                   "a ) is needed",
		"CHAR(3, 4)":               "a ) is needed",
		"CHAR(0)":                  "length of 0",
		"VARCHAR(2147483648)":      "a number is needed",
		"DECIMAL(0)":               "precision of 0",
		"DECIMAL(39, 0)":           "precision of 39",
		"DECIMAL(3, 4)":            "scale of 4",
		"DECIMAL(-1)":              "a number is needed",
		"TIME(10)":                 "precision of 10",
		"TIMESTAMP(10)":            "precision of 10",
		"ARRAY":                    "a < is needed",
		"ARRAY<":                   "no type",
		"ARRAY<INT":                "a > is needed",
		"MAP<INT>":                 "a , is needed",
		"ROW":                      "needs a <",
		"ROW<INT>":                 "no type",
		"ROW<a INT":                "a > is needed",
		"ROW<a INT,>":              "a field's name is needed",
		"ROW<`a INT>":              "a ` is needed",
		"ROW<`` INT>":              "is empty, or there twice",
		"ROW<`a` INT, a INT>":      "is empty, or there twice",
		"ROW<a.b INT>":             "no type",
		"ROW<a INT 'unterminated>": "a ' is needed",
		"INTERVAL":                 "needs a unit",
		"INTERVAL A TO S":          "needs a unit",
		"INTERVAL DAY TO MONTH":    "is none",
		"INTERVAL MONTH TO YEAR":   "is none",
		"INTERVAL DAY TO DAY":      "is none",
		"INTERVAL SECOND TO DAY":   "is none",
		"INTERVAL DAY(7)":          "precision of 7",
		"INTERVAL YEAR(5)":         "precision of 5",
		"INTERVAL SECOND(10)":      "precision of 10",
		"INTERVAL DAY(x":           "a number is needed",
	}
	for text, want := range tests {
		if got, err := rowcodec.ParseType(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, got, err, want)
		}
	}
}

// FuzzParseType asserts that no text panics, and that what was read is written so that it reads the same.
func FuzzParseType(f *testing.F) {
	f.Add("ROW<`a``b` DECIMAL(10, 2) NOT NULL, c MAP<STRING NOT NULL, INTERVAL DAY(6) TO SECOND(3)>> NOT NULL")
	f.Add("MULTISET<TIMESTAMP(3) WITH LOCAL TIME ZONE>")
	f.Add("ROW(x ROW<>, `y` CHAR(7) 'it''s')")
	f.Add(strings.Repeat("ARRAY<", 70))
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := rowcodec.ParseType(text)
		if err != nil {
			return
		}
		again, err := rowcodec.ParseType(parsed.String())
		if err != nil || !reflect.DeepEqual(parsed, again) {
			t.Fatalf("%q is written as %q, which reads as %v, %v", text, parsed, again, err)
		}
	})
}
