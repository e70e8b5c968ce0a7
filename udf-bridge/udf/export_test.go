package udf

import (
	"reflect"
	"unsafe"
)

// EncodeRows and DecodeRows are the plans of T alone, for tests.
func EncodeRows[T any](rows ...T) ([]byte, error) {
	p, err := planFor(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	r := newRowPlanner(columnsOf(p, "value"))
	var w sink
	start := w.startMessage(len(r.columns))
	for i := range rows {
		if err := w.row(r, unsafe.Pointer(&rows[i])); err != nil {
			return nil, err
		}
	}
	w.endMessage(start, len(rows))
	return w.Buf, nil
}

func DecodeRows[T any](b []byte) ([]T, error) {
	p, err := planFor(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	r := newRowPlanner(columnsOf(p, "value"))
	m, err := openMessage(b, len(r.columns))
	if err != nil {
		return nil, err
	}
	rows := make([]T, m.rows)
	var s source
	for i := range rows {
		row, err := m.next()
		if err != nil {
			return nil, err
		}
		s.start(len(row) - r.fixed)
		if err := r.load(&s, row, unsafe.Pointer(&rows[i])); err != nil {
			return nil, err
		}
	}
	return rows, m.end()
}
