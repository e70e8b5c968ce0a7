package udf

import (
	"fmt"
	"reflect"
)

// EncodeArguments writes rows of arguments as [Caller.Call] takes them for OpEval. Each row is a value of the function's
// input type. It is for tests and tools: Java writes rows itself. RAW and JSON have no rows.
func (f *Function) EncodeArguments(rows ...any) ([]byte, error) {
	if f.in == nil {
		return nil, fmt.Errorf("%s is of kind %s, whose argument is bytes", f.desc.Name, f.desc.Kind)
	}
	var w sink
	start := w.startMessage(len(f.inRow.columns))
	value := reflect.New(f.in.goType)
	for i, row := range rows {
		v := reflect.ValueOf(row)
		if row == nil && f.in.null.kind == nullPointer {
			v = reflect.Zero(f.in.goType)
		}
		if !v.IsValid() || v.Type() != f.in.goType {
			return nil, fmt.Errorf("row %d is a %T, %s takes a %s", i, row, f.desc.Name, f.in.goType)
		}
		value.Elem().Set(v)
		if err := w.row(f.inRow, value.UnsafePointer()); err != nil {
			return nil, inputError(err)
		}
	}
	w.endMessage(start, len(rows))
	return w.Buf, nil
}

// DecodeResults reads rows of results as [Caller.Call] returns them. Each is a value of the function's result type.
func (f *Function) DecodeResults(msg []byte) ([]any, error) {
	if f.out == nil {
		return nil, fmt.Errorf("%s is of kind %s, whose result is bytes", f.desc.Name, f.desc.Kind)
	}
	m, err := openMessage(msg, len(f.outRow.columns))
	if err != nil {
		return nil, err
	}
	all := make([]any, m.rows)
	var s source
	for i := range all {
		row, err := m.next()
		if err != nil {
			return nil, err
		}
		value := reflect.New(f.out.goType)
		s.start(len(row) - f.outRow.fixed)
		if err := f.outRow.load(&s, row, value.UnsafePointer()); err != nil {
			return nil, err
		}
		all[i] = value.Elem().Interface()
	}
	return all, m.end()
}
