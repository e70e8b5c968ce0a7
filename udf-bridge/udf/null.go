package udf

// Null holds a value that may be NULL, for those who prefer it to a pointer. The zero value is NULL.
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

// nullable marks Null for reflection: generic types have no common type to compare with.
func (Null[T]) nullable() {}

type nullMarker interface{ nullable() }
