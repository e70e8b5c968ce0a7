package argument_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/argument"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

func TestShow(t *testing.T) {
	inner := column("z", "ROW?", column("b", "STRING"), column("a", "ARRAY?", column("", "DECIMAL(3, 1)")))
	for _, c := range []struct {
		column manifest.Column
		value  any
		want   string
	}{
		{column("", "BIGINT"), int64(7), "7"},
		{column("", "STRING?"), nil, "null"},
		{inner, []any{"<b>", []any{"1.5", nil}}, `{"b":"<b>","a":["1.5",null]}`},
		{inner, nil, "null"},
		{column("", "ARRAY", inner), []any{nil, []any{"x", nil}}, `[null,{"b":"x","a":null}]`},
		{column("", "MAP", column("", "STRING"), inner), []any{[]any{"k", []any{"x", nil}}}, `[["k",{"b":"x","a":null}]]`},
		{column("", "MULTISET", inner), []any{[]any{[]any{"x", nil}, int64(2)}}, `[[{"b":"x","a":null},2]]`},
	} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(argument.Show(c.column, c.value)); err != nil {
			t.Errorf("%s: %v", c.column.SQL, err)
		}
		if got := b.String(); got != c.want+"\n" {
			t.Errorf("%s: %s, want %s", c.column.SQL, got, c.want)
		}
	}
	text, err := json.Marshal(argument.ShowRow([]manifest.Column{column("n", "INT"), column("s", "STRING?")}, []any{int64(1), nil}))
	if err != nil || string(text) != `{"n":1,"s":null}` {
		t.Errorf("a row: %s, %v", text, err)
	}
}
