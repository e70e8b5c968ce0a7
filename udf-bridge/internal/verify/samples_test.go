package verify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/internal/verify"
)

// column makes a column; a root that ends in ? may be NULL.
func column(name, root string, inner ...manifest.Column) manifest.Column {
	root, nullable := strings.CutSuffix(root, "?")
	c := manifest.Column{Name: name, Type: manifest.Type{Root: root}, SQL: root}
	switch root {
	case "ARRAY", "MULTISET":
		c.Type.Element = &inner[0]
		c.SQL = root + "<" + inner[0].SQL + ">"
	case "MAP":
		c.Type.Key, c.Type.Element = &inner[0].Type, &inner[1]
		c.SQL = "MAP<" + inner[0].SQL + ", " + inner[1].SQL + ">"
	case "ROW":
		c.Type.Fields = inner
		var fields []string
		for _, f := range inner {
			fields = append(fields, "`"+f.Name+"` "+f.SQL)
		}
		c.SQL = "ROW<" + strings.Join(fields, ", ") + ">"
	}
	if !nullable {
		c.SQL += " NOT NULL"
	}
	return c
}

// Every case of every type must be a value of it: it is encoded and read back.
func TestCases(t *testing.T) {
	var arguments []manifest.Column
	for _, root := range []string{
		"BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(38, 18)", "DECIMAL(38, 0)", "DECIMAL(10, 10)", "DECIMAL(5, 2)",
		"CHAR(1)", "CHAR(5)", "VARCHAR(1)", "VARCHAR(20)", "STRING", "BINARY(3)", "VARBINARY(2)", "BYTES", "DATE", "TIME(3)",
		"TIMESTAMP(9)", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP_LTZ(9)", "TIMESTAMP_LTZ(6)", "INTERVAL YEAR(4) TO MONTH", "INTERVAL DAY(6) TO SECOND(3)",
	} {
		plain := column("c", root)
		arguments = append(arguments, plain, column("n", root+"?"), column("array", "ARRAY", column("", root+"?")), column("row", "ROW?", plain, column("d", root+"?")))
		if root != "FLOAT" && root != "DOUBLE" {
			arguments = append(arguments, column("map", "MAP", plain, column("", root+"?")), column("multiset", "MULTISET?", plain))
		}
	}
	arguments = append(arguments, column("nested", "ARRAY?", column("", "MAP?", column("", "STRING"), column("", "ROW", column("a", "ARRAY", column("", "DOUBLE?"))))))
	for _, a := range arguments {
		t.Run(a.SQL, func(t *testing.T) {
			in, _, err := console.Codecs(manifest.Function{Arguments: []manifest.Column{a}, Result: column("", "INT")})
			if err != nil {
				t.Fatal(err)
			}
			cases := verify.Cases([]manifest.Column{a})
			nulls := 0
			for _, c := range cases {
				message, err := in.Encode([][]any{c.Arguments})
				if err != nil {
					t.Errorf("%s: %v", c.Name, err)
					continue
				}
				if _, err := in.Decode(message); err != nil {
					t.Errorf("%s: read back: %v", c.Name, err)
				}
				if c.Arguments[0] == nil {
					nulls++
				}
			}
			if len(cases) < 2 || a.Nullable() != (nulls > 0) {
				t.Errorf("%d cases, %d with NULL", len(cases), nulls)
			}
		})
	}
}

func TestCases_nullsEverywhere(t *testing.T) {
	var got []string
	for _, c := range verify.Cases([]manifest.Column{column("a", "BOOLEAN?"), column("b", "BOOLEAN"), column("c", "BOOLEAN?")}) {
		text, err := json.Marshal(c.Arguments)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	want := []string{
		"[true,true,true]", "[null,true,true]", "[true,true,null]", "[null,true,null]",
		"[false,true,true]", "[true,true,true]", "[true,false,true]", "[true,true,true]", "[true,true,false]", "[true,true,true]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
