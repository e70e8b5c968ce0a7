package verify

import (
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

func TestSame(t *testing.T) {
	integer := manifest.Type{Root: "INT"}
	dictionary := manifest.Type{Root: "MAP", Key: &integer, Element: &manifest.Column{Type: integer}}
	multiset := manifest.Type{Root: "MULTISET", Element: &manifest.Column{Type: integer}}
	array := manifest.Type{Root: "ARRAY", Element: &manifest.Column{Type: integer}}
	row := manifest.Type{Root: "ROW", Fields: []manifest.Column{{Type: integer}, {Type: dictionary}}}
	pair := func(k, v any) any { return []any{k, v} }
	for _, c := range []struct {
		name string
		t    manifest.Type
		a, b any
		want bool
	}{
		{"number", integer, int64(1), int64(1), true},
		{"other number", integer, int64(1), int64(2), false},
		{"NULL", array, nil, []any{}, false},
		{"array", array, []any{int64(1), nil}, []any{int64(1), nil}, true},
		{"array in another order", array, []any{int64(1), int64(2)}, []any{int64(2), int64(1)}, false},
		{"longer array", array, []any{int64(1)}, []any{int64(1), int64(1)}, false},
		{"map in another order", dictionary, []any{pair(int64(1), nil), pair(int64(2), int64(3))}, []any{pair(int64(2), int64(3)), pair(int64(1), nil)}, true},
		{"other value", dictionary, []any{pair(int64(1), nil)}, []any{pair(int64(1), int64(0))}, false},
		{"other key", dictionary, []any{pair(int64(1), nil)}, []any{pair(int64(2), nil)}, false},
		{"multiset in another order", multiset, []any{pair(int64(1), int64(1)), pair(int64(2), int64(3))}, []any{pair(int64(2), int64(3)), pair(int64(1), int64(1))}, true},
		{"multiset of other counts", multiset, []any{pair(int64(1), int64(1))}, []any{pair(int64(1), int64(2))}, false},
		{"row", row, []any{int64(1), []any{pair(int64(1), nil), pair(int64(2), nil)}}, []any{int64(1), []any{pair(int64(2), nil), pair(int64(1), nil)}}, true},
		{"other row", row, []any{int64(1), []any{}}, []any{int64(2), []any{}}, false},
	} {
		if got := same(c.t, c.a, c.b); got != c.want {
			t.Errorf("%s: %v and %v are the same: %v", c.name, c.a, c.b, got)
		}
	}
}
