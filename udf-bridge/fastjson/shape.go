//go:build !drey_stdjson && (amd64 || arm64)

package fastjson

import (
	"reflect"
	"strings"
)

// shape is what decides about a type for which texts the two engines differ.
type shape struct {
	names bool // it has structs, whose names are found whatever their case is
	maps  bool // it has maps of scalars: {"a":1,"a":null} is {"a":0} for encoding/json and {"a":1} for sonic
	// alien is a type that sonic reads differently where it is hard to see in the text: it has names beyond ASCII, for
	// which case is another thing, or maps of what is more than one value, which sonic merges if a name is there twice, or
	// arrays of a fixed length, after which sonic accepts a comma.
	alien bool
}

// shapeOf looks at all that a value of t is made of.
func shapeOf(t reflect.Type) (s shape) {
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Map:
			switch t.Elem().Kind() {
			case reflect.Interface:
			case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array, reflect.Struct:
				s.alien = true
			default:
				s.maps = true
			}
			visit(t.Elem())
		case reflect.Array:
			s.alien = true
		case reflect.Pointer, reflect.Slice:
			visit(t.Elem())
		case reflect.Struct:
			s.names = true
			for i := range t.NumField() {
				f := t.Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				if !ascii(f.Name) || !ascii(name) {
					s.alien = true
				}
				visit(f.Type)
			}
		}
	}
	visit(t)
	return s
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
}
