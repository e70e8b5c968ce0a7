package udf

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// Root is the root of a SQL type, by the name Flink's SQL gives it.
type Root string

// The SQL types that Go types have counterparts for.
const (
	RootBoolean   Root = "BOOLEAN"
	RootTinyInt   Root = "TINYINT"
	RootSmallInt  Root = "SMALLINT"
	RootInt       Root = "INT"
	RootBigInt    Root = "BIGINT"
	RootFloat     Root = "FLOAT"
	RootDouble    Root = "DOUBLE"
	RootString    Root = "STRING"
	RootBytes     Root = "BYTES"
	RootTimestamp Root = "TIMESTAMP_LTZ(9)"
	RootArray     Root = "ARRAY"
	RootMap       Root = "MAP"
	RootRow       Root = "ROW"
)

// Type is a SQL type. Element is set for ARRAY and MAP (its values), Key for MAP, Fields for ROW.
type Type struct {
	Root    Root    `json:"root"`
	Key     *Type   `json:"key,omitempty"`
	Element *Field  `json:"element,omitempty"`
	Fields  []Field `json:"fields,omitempty"`
}

// Field is a named type: an argument, a field of a ROW, the element of an ARRAY.
type Field struct {
	Name     string `json:"name,omitempty"`
	Type     Type   `json:"type"`
	Nullable bool   `json:"nullable"`
}

// String is the type as SQL, e.g. ARRAY<STRING NOT NULL>.
func (t Type) String() string {
	switch t.Root {
	case RootArray:
		return "ARRAY<" + t.Element.sql() + ">"
	case RootMap:
		return "MAP<" + t.Key.String() + " NOT NULL, " + t.Element.sql() + ">"
	case RootRow:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = "`" + f.Name + "` " + f.sql()
		}
		return "ROW<" + strings.Join(fields, ", ") + ">"
	default:
		return string(t.Root)
	}
}

func (f Field) sql() string {
	if f.Nullable {
		return f.Type.String()
	}
	return f.Type.String() + " NOT NULL"
}

// plan is a Go type prepared for the hot path: its SQL type, how to read it from JSON and how to write it.
type plan struct {
	typ      Type
	nullable bool
	decode   decodeFunc
	encode   encodeFunc
}

var timeType = reflect.TypeFor[time.Time]()

// planFor reads a Go type. The error names the path of the field that has no counterpart and what would do.
func planFor(t reflect.Type) (*plan, error) { return planOf(t, nil) }

func planOf(t reflect.Type, above []reflect.Type) (*plan, error) {
	for _, a := range above {
		if a == t {
			return nil, fmt.Errorf("%s: the type contains itself; SQL has no recursive types, pass an id or a STRING of JSON", t)
		}
	}
	above = append(above, t)
	switch {
	case t == timeType:
		return &plan{typ: Type{Root: RootTimestamp}, decode: decodeTime, encode: encodeTime}, nil
	case t.Kind() == reflect.Pointer:
		inner, err := planOf(t.Elem(), above)
		if err != nil {
			return nil, err
		}
		if inner.nullable {
			return nil, fmt.Errorf("%s: nullable twice; one * or one udf.Null is enough", t)
		}
		return &plan{typ: inner.typ, nullable: true, decode: decodePointer(inner), encode: encodePointer(inner)}, nil
	case t.Implements(reflect.TypeFor[nullMarker]()):
		inner, err := planOf(t.Field(0).Type, above)
		if err != nil {
			return nil, err
		}
		if inner.nullable {
			return nil, fmt.Errorf("%s: nullable twice; one * or one udf.Null is enough", t)
		}
		return &plan{typ: inner.typ, nullable: true, decode: decodeNull(inner), encode: encodeNull(inner)}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return &plan{typ: Type{Root: RootBoolean}, decode: decodeBool, encode: encodeBool}, nil
	case reflect.Int8:
		return intPlan(RootTinyInt, 8), nil
	case reflect.Int16:
		return intPlan(RootSmallInt, 16), nil
	case reflect.Int32:
		return intPlan(RootInt, 32), nil
	case reflect.Int64, reflect.Int:
		return intPlan(RootBigInt, 64), nil
	case reflect.Float32:
		return floatPlan(RootFloat, 32), nil
	case reflect.Float64:
		return floatPlan(RootDouble, 64), nil
	case reflect.String:
		return &plan{typ: Type{Root: RootString}, decode: decodeString, encode: encodeString}, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &plan{typ: Type{Root: RootBytes}, decode: decodeBytes, encode: encodeBytes}, nil
		}
		element, err := planOf(t.Elem(), above)
		if err != nil {
			return nil, fmt.Errorf("[]: %w", err)
		}
		return &plan{
			typ:    Type{Root: RootArray, Element: &Field{Type: element.typ, Nullable: element.nullable}},
			decode: decodeSlice(element), encode: encodeSlice(element),
		}, nil
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%s: a map needs string keys; use []struct{ Key ...; Value ... } for others", t)
		}
		element, err := planOf(t.Elem(), above)
		if err != nil {
			return nil, fmt.Errorf("map value: %w", err)
		}
		return &plan{
			typ: Type{
				Root: RootMap, Key: &Type{Root: RootString},
				Element: &Field{Type: element.typ, Nullable: element.nullable},
			},
			decode: decodeMap(element), encode: encodeMap(element),
		}, nil
	case reflect.Struct:
		return rowPlan(t, above)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return nil, fmt.Errorf("%s: SQL has no unsigned integers; use the next larger signed type (int16, int32, int64)", t)
	default:
		return nil, fmt.Errorf("%s: no SQL type matches; use bool, int8..int64, float32/64, string, []byte, time.Time, slices, maps or structs of them", t)
	}
}

// rowPlan reads a struct: each exported field is one argument, or one field of a ROW.
func rowPlan(t reflect.Type, above []reflect.Type) (*plan, error) {
	var fields []rowField
	seen := map[string]string{}
	typ := Type{Root: RootRow}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Tag.Get("udf")
		if name == "" {
			name = snakeCase(f.Name)
		}
		if other, dup := seen[name]; dup {
			return nil, fmt.Errorf("field %s: same name %q as field %s; set its tag udf:\"...\"", f.Name, name, other)
		}
		seen[name] = f.Name
		p, err := planOf(f.Type, above)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		fields = append(fields, rowField{name: name, index: i, plan: p})
		typ.Fields = append(typ.Fields, Field{Name: name, Type: p.typ, Nullable: p.nullable})
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s: a struct without exported fields; export those that are arguments", t)
	}
	return &plan{typ: typ, decode: decodeRow(fields), encode: encodeRow(fields)}, nil
}

// snakeCase turns a Go field name into an SQL one: AccountID -> account_id, IPAddress -> ip_address.
func snakeCase(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, c := range runes {
		if unicode.IsUpper(c) && i > 0 {
			afterLower := !unicode.IsUpper(runes[i-1]) && runes[i-1] != '_'
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1]) && runes[i-1] != '_'
			if afterLower || beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
