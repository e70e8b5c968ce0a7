package udf

import (
	"encoding/json"
	"unsafe"
)

// Null holds a value that may be NULL, for those who prefer it to a pointer; unlike one it costs no allocation. The zero
// value is NULL.
type Null[T any] struct {
	V     T
	Valid bool
}

// NullOf returns a value that is not NULL.
func NullOf[T any](v T) Null[T] { return Null[T]{V: v, Valid: true} }

// Or returns the value, or other if it is NULL.
func (n Null[T]) Or(other T) T {
	if n.Valid {
		return n.V
	}
	return other
}

// MarshalJSON writes the value, or null.
func (n Null[T]) MarshalJSON() ([]byte, error) {
	if !n.Valid {
		return []byte("null"), nil
	}
	return json.Marshal(n.V)
}

// UnmarshalJSON reads a value, or null.
func (n *Null[T]) UnmarshalJSON(data []byte) error {
	*n = Null[T]{}
	if string(data) == "null" {
		return nil
	}
	n.Valid = true
	return json.Unmarshal(data, &n.V)
}

// nullable marks Null for reflection, since generic types have no common type to compare with, and says where its parts
// are.
func (Null[T]) nullable() nullAccess {
	return nullAccess{
		valid: unsafe.Offsetof(Null[T]{}.Valid),
		clear: func(p unsafe.Pointer) { *(*Null[T])(p) = Null[T]{} },
	}
}

// nullAccess is how the memory of a Null is used. Its value is at offset 0.
type nullAccess struct {
	valid uintptr
	clear func(p unsafe.Pointer)
}

type nullMarker interface{ nullable() nullAccess }

// Multiset is SQL's MULTISET: each element with how often it is in it.
type Multiset[T comparable] map[T]int32

// multiset marks Multiset for reflection.
func (Multiset[T]) multiset() {}

type multisetMarker interface{ multiset() }
