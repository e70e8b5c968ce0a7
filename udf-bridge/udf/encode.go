package udf

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// encodeFunc appends v to dst as JSON.
type encodeFunc func(dst []byte, v reflect.Value) ([]byte, error)

// marshalObject writes a result as a JSON object: a ROW as it is, anything else as {"value": ...}.
func (p *plan) marshalObject(v reflect.Value) ([]byte, error) {
	dst, before, behind := make([]byte, 0, 256), "", ""
	if p.typ.Root != RootRow || p.nullable {
		before, behind = `{"value":`, "}"
	}
	dst, err := p.encode(append(dst, before...), v)
	if err != nil {
		return nil, resultError(err)
	}
	return append(dst, behind...), nil
}

func encodeBool(dst []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendBool(dst, v.Bool()), nil
}

func encodeInt(dst []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendInt(dst, v.Int(), 10), nil
}

// appendFloat writes the shortest text that reads back as the same number, in the form of ECMAScript (RFC 8785, 3.2.2.3).
func appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("is %v, which JSON cannot carry; return a *float64 or udf.Null, and leave it NULL", f)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if n := len(dst); format == 'e' && n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst = append(dst[:n-2], dst[n-1]) // e-09 -> e-9
	}
	return dst, nil
}

func encodePointer(inner *plan) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return inner.encode(dst, v.Elem())
	}
}

func encodeNull(inner *plan) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		if !v.Field(1).Bool() {
			return append(dst, "null"...), nil
		}
		return inner.encode(dst, v.Field(0))
	}
}

func encodeSlice(element *plan) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = element.encode(dst, v.Index(i)); err != nil {
				return nil, atField("["+strconv.Itoa(i)+"]", err)
			}
		}
		return append(dst, ']'), nil
	}
}

func encodeRow(fields []rowField) encodeFunc {
	names := make([][]byte, len(fields))
	for i, f := range fields {
		names[i], _ = jsontext.AppendQuote([]byte(nil), f.name)
		names[i] = append(names[i], ':')
	}
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		dst = append(dst, '{')
		for i, f := range fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			dst = append(dst, names[i]...)
			if dst, err = f.plan.encode(dst, v.FieldByIndex(f.index)); err != nil {
				return nil, atField(f.name, err)
			}
		}
		return append(dst, '}'), nil
	}
}
