package argument_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/argument"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// column makes a column; a root that ends in ? may be NULL.
func column(name, root string, inner ...manifest.Column) manifest.Column {
	root, nullable := strings.CutSuffix(root, "?")
	c := manifest.Column{Name: name, SQL: root + " NOT NULL", Type: manifest.Type{Root: root}}
	if nullable {
		c.SQL = root
	}
	switch root {
	case "ARRAY", "MULTISET":
		c.Type.Element = &inner[0]
	case "MAP":
		c.Type.Key, c.Type.Element = &inner[0].Type, &inner[1]
	case "ROW":
		c.Type.Fields = inner
	}
	return c
}

func TestParse(t *testing.T) {
	integer, text := column("", "INT"), column("", "STRING")
	row := column("", "ROW", column("a", "BIGINT"), column("b", "STRING?"))
	for _, c := range []struct {
		column     manifest.Column
		text, want string // want is JSON, or what the error says
	}{
		{column("", "BIGINT"), "12", "12"},
		{column("", "BIGINT"), "9007199254740993", "9007199254740993"},
		{column("", "DOUBLE"), "-0.5", "-0.5"},
		{column("", "DOUBLE"), "NaN", `"NaN"`},
		{column("", "BOOLEAN"), "true", "true"},
		{column("", "BIGINT?"), "null", "null"},
		{column("", "BIGINT"), "null", "error: is NULL, but the function takes BIGINT NOT NULL"},
		{text, "plain text", `"plain text"`},
		{text, `"quoted"`, `"quoted"`},
		{text, "12", `"12"`},
		{text, "true", `"true"`},
		{text, "null", `"null"`},
		{text, "", `""`},
		{column("", "STRING?"), "null", "null"},
		{column("", "STRING?"), `"null"`, `"null"`},
		{column("", "VARCHAR(20)"), `{"a":1}`, `"{\"a\":1}"`},
		{column("", "DECIMAL(10, 2)"), "12.50", `"12.50"`},
		{column("", "DECIMAL(38, 18)?"), "null", "null"},
		{column("", "DATE"), "2026-11-23", `"2026-11-23"`},
		{column("", "TIMESTAMP(9)"), "2026-11-23T12:34:56", `"2026-11-23T12:34:56"`},
		{column("", "BYTES"), "0x00ff", `{"hex":"00ff"}`},
		{column("", "BYTES"), "AP8=", `{"hex":"00ff"}`},
		{column("", "BYTES"), `{"hex":"00ff"}`, `{"hex":"00ff"}`},
		{column("", "BYTES"), "?", "error: neither 0x and hexadecimal digits nor base64"},
		{column("", "BYTES"), "0x0", "error: bytes \"0x0\": "},
		{column("", "ARRAY", integer), "[1, 2]", "[1,2]"},
		{column("", "ARRAY", integer), "[1, null]", "error: [1]: is NULL, but"},
		{column("", "ARRAY", column("", "DECIMAL(3, 1)?")), "[1.5, null]", `["1.5",null]`},
		{column("", "ARRAY", integer), "1", "error: a number, want a list"},
		{column("", "MAP", text, integer), `{"b": 1, "a": 2}`, `[["a",2],["b",1]]`},
		{column("", "MAP", column("", "BIGINT"), integer), `{"7": 1}`, `[[7,1]]`},
		{column("", "MAP", column("", "BIGINT"), integer), `[[7, 1]]`, `[[7,1]]`},
		{column("", "MAP", text, integer), `{}`, `[]`},
		{column("", "MAP", text, integer), `[1]`, "error: [0]: a number, want a pair"},
		{column("", "MAP", text, integer), `{"a": null}`, "error: [a]: is NULL"},
		{column("", "MULTISET", text), `{"a": 2}`, `[["a",2]]`},
		{row, `{"a": 1}`, `[1,null]`},
		{row, `[1, "x"]`, `[1,"x"]`},
		{row, `{"a": 1, "c": 2}`, `error: no field "c", there are a, b`},
		{row, `{"b": "x"}`, "error: a: is NULL, but the function takes BIGINT NOT NULL"},
		{row, `[1]`, "error: 1 values, want 2 (a, b)"},
		{row, `x`, "error: a text, want a list or an object of a, b"},
	} {
		t.Run(c.column.SQL+" "+c.text, func(t *testing.T) {
			value, err := argument.Parse(c.column, c.text)
			compare(t, c.want, value, err)
		})
	}
}

func compare(t *testing.T, want string, value any, err error) {
	t.Helper()
	if wanted, fails := strings.CutPrefix(want, "error: "); fails || err != nil {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("got %v and the error %v, want %s", value, err, want)
		}
		return
	}
	got, err := json.Marshal(value)
	if err != nil || string(got) != want {
		t.Errorf("got %s, want %s (%v)", got, want, err)
	}
}

func TestRow(t *testing.T) {
	two := []manifest.Column{column("n", "BIGINT"), column("s", "STRING?")}
	one := []manifest.Column{column("items", "ARRAY", column("", "INT"))}
	for _, c := range []struct {
		columns    []manifest.Column
		line, want string
	}{
		{two, `[1, "a"]`, `[1,"a"]`},
		{two, `{"n": 1}`, `[1,null]`},
		{two, `[1]`, "error: 1 values, want 2 (n, s)"},
		{two, `1`, "error: a number, want a list or an object of n, s"},
		{two, `{"m": 1}`, `error: no field "m", there are n, s`},
		{two, `[1, "a"] x`, "error: more than one JSON value in a line"},
		{two, `[1,`, "error: not JSON"},
		{two[:1], `7`, `[7]`},
		{one, `[[1, 2]]`, `[[1,2]]`},
		{one, `{"items": [1]}`, `[[1]]`},
	} {
		t.Run(c.line, func(t *testing.T) {
			values, err := argument.Row(c.columns, []byte(c.line))
			compare(t, c.want, values, err)
		})
	}
}

func FuzzRow(f *testing.F) {
	columns := []manifest.Column{
		column("m", "MAP", column("", "DECIMAL(10, 2)"), column("", "ROW?", column("b", "BYTES?"))), column("s", "MULTISET?", column("", "DATE")),
	}
	f.Add([]byte(`{"m": {"1.5": {"b": "AP8="}}, "s": [["2026-11-23", 2]]}`))
	f.Add([]byte(`[[[1, null]], null]`))
	f.Fuzz(func(t *testing.T, line []byte) {
		values, err := argument.Row(columns, line)
		if err == nil && len(values) != len(columns) {
			t.Errorf("%d values of %d columns", len(values), len(columns))
		}
	})
}
