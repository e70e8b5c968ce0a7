package verify

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// same says whether two values of a type are equal. The entries of a MAP or a MULTISET have no order.
func same(t manifest.Type, a, b any) bool {
	x, isList := a.([]any)
	y, areLists := b.([]any)
	if !isList || !areLists {
		return reflect.DeepEqual(a, b)
	}
	if len(x) != len(y) {
		return false
	}
	switch t.Root {
	case "MAP":
		return samePairs(*t.Key, t.Element.Type, x, y)
	case "MULTISET":
		return samePairs(t.Element.Type, manifest.Type{Root: "INT"}, x, y)
	}
	for i := range x {
		inner := t
		switch t.Root {
		case "ARRAY":
			inner = t.Element.Type
		case "ROW":
			inner = t.Fields[i].Type
		}
		if !same(inner, x[i], y[i]) {
			return false
		}
	}
	return true
}

func samePairs(key, element manifest.Type, x, y []any) bool {
	x, y = sorted(x), sorted(y)
	for i := range x {
		p, _ := x[i].([]any)
		q, _ := y[i].([]any)
		if len(p) != 2 || len(q) != 2 || !same(key, p[0], q[0]) || !same(element, p[1], q[1]) {
			return false
		}
	}
	return true
}

// sorted is the entries in the order of their keys' text.
func sorted(entries []any) []any {
	text := func(entry any) string {
		if pair, ok := entry.([]any); ok && len(pair) == 2 {
			return fmt.Sprint(pair[0])
		}
		return fmt.Sprint(entry)
	}
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	return entries
}
