package udf

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/shopspring/decimal"
)

// plan is a Go type prepared for the hot path: its SQL type, how to read and write it as JSON and in the row codec.
type plan struct {
	goType   reflect.Type
	typ      Type
	nullable bool
	decode   decodeFunc
	encode   encodeFunc
	cell     cell // of the value; if nullable, of the value that is not NULL
	null     nullPlan
}

func (p *plan) field() Field { return Field{Type: p.typ, Nullable: p.nullable} }

// nullPlan is how a Go type says NULL.
type nullPlan struct {
	kind  nullKind
	valid uintptr               // of a Null: where its Valid is
	clear func(unsafe.Pointer)  // of a Null: makes it NULL
	make  func() unsafe.Pointer // of a pointer: a new value to point to
}

type nullKind uint8

const (
	notNullable nullKind = iota
	nullPointer
	nullStruct
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	decimalType  = reflect.TypeFor[decimal.Decimal]()
	nullType     = reflect.TypeFor[nullMarker]()
	multisetType = reflect.TypeFor[multisetMarker]()
)

// planFor reads a Go type. The error names the path of the field that has no counterpart and what would do.
func planFor(t reflect.Type) (*plan, error) { return planOf(t, "", nil) }

// inputPlan reads the type of a function's input, whose fields are its arguments; rename, if not nil, has other names
// for them.
func inputPlan(t reflect.Type, rename []string) (*plan, error) {
	switch {
	case t == reflect.TypeFor[struct{}](): // no argument
		return &plan{goType: t, typ: Type{Root: RootRow}, decode: decodeRow(nil), encode: encodeRow(nil), cell: rowCell(nil)}, nil
	case t.Kind() == reflect.Struct && isRow(t):
		return rowPlan(t, []reflect.Type{t}, rename)
	}
	return planFor(t)
}

// isRow says whether a struct is a ROW and not a value of its own.
func isRow(t reflect.Type) bool {
	return leafOf(t) == nil && !t.Implements(nullType)
}

// planOf reads a Go type; sql, if not empty, is the SQL type that its tag asks for.
func planOf(t reflect.Type, sql string, above []reflect.Type) (*plan, error) {
	if slices.Contains(above, t) {
		return nil, fmt.Errorf("%s: the type contains itself; SQL has no recursive types, pass an id or a STRING of JSON", t)
	}
	above = append(slices.Clip(above), t)
	p, err := planOfKind(t, sql, above)
	if err != nil {
		return nil, err
	}
	p.goType = t
	return p, nil
}

func planOfKind(t reflect.Type, sql string, above []reflect.Type) (*plan, error) {
	if leaf := leafOf(t); leaf != nil {
		return leaf(sql)
	}
	switch {
	case t.Kind() == reflect.Pointer:
		inner, err := innerPlan(t, t.Elem(), sql, above)
		if err != nil {
			return nil, err
		}
		return &plan{
			typ: inner.typ, nullable: true, decode: decodePointer(inner), encode: encodePointer(inner),
			cell: inner.cell, null: nullPlan{kind: nullPointer, make: maker(inner)},
		}, nil
	case t.Kind() == reflect.Struct && t.Implements(nullType):
		inner, err := innerPlan(t, t.Field(0).Type, sql, above)
		if err != nil {
			return nil, err
		}
		access := reflect.Zero(t).Interface().(nullMarker).nullable()
		return &plan{
			typ: inner.typ, nullable: true, decode: decodeNull(inner), encode: encodeNull(inner),
			cell: inner.cell, null: nullPlan{kind: nullStruct, valid: access.valid, clear: access.clear},
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return stringPlan(sql)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesPlan(sql)
		}
		return arrayPlan(t, sql, above)
	}
	if sql != "" {
		return nil, fmt.Errorf("%s: its tag asks for %s, but %s", t, sql, refinable)
	}
	switch t.Kind() {
	case reflect.Bool:
		return &plan{typ: Type{Root: RootBoolean}, decode: decodeBool, encode: encodeBool, cell: cell{op: opBool, size: 1}}, nil
	case reflect.Int8:
		return intPlan(RootTinyInt, 8, cell{op: opInt8, size: 1}), nil
	case reflect.Int16:
		return intPlan(RootSmallInt, 16, cell{op: opInt16, size: 2}), nil
	case reflect.Int32:
		return intPlan(RootInt, 32, cell{op: opInt32, size: 4}), nil
	case reflect.Int64:
		return intPlan(RootBigInt, 64, cell{op: opInt64, size: 8}), nil
	case reflect.Int:
		return intPlan(RootBigInt, 64, cellOfInt()), nil
	case reflect.Float32:
		return floatPlan(RootFloat, 32, cell{op: opFloat32, size: 4}), nil
	case reflect.Float64:
		return floatPlan(RootDouble, 64, cell{op: opFloat64, size: 8}), nil
	case reflect.Map:
		if t.Implements(multisetType) {
			return multisetPlan(t, above)
		}
		return mapPlan(t, above)
	case reflect.Struct:
		return rowPlan(t, above, nil)
	default:
		return nil, noMatch(t)
	}
}

// noMatch says what to use in place of a Go type that has no counterpart in SQL.
func noMatch(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint, reflect.Uintptr:
		return fmt.Errorf("%s: SQL has no unsigned integers; use the next larger signed type (int16, int32, int64)", t)
	case reflect.Array:
		return fmt.Errorf("%s: SQL's arrays have no fixed length; use []%s", t, t.Elem())
	case reflect.Interface:
		return fmt.Errorf("%s: a column has one type; use that, or a string of JSON", t)
	case reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s: SQL has no complex numbers; use two float64", t)
	default:
		return fmt.Errorf("%s: no SQL type matches; use bool, int8..int64, float32/64, string, []byte, time.Time, udf.Date, decimal.Decimal, slices, maps or structs of them", t)
	}
}

// innerPlan is that of the value that may be NULL.
func innerPlan(t, value reflect.Type, sql string, above []reflect.Type) (*plan, error) {
	inner, err := planOf(value, sql, above)
	if err != nil {
		return nil, err
	}
	if inner.nullable {
		return nil, fmt.Errorf("%s: nullable twice; one * or one udf.Null is enough", t)
	}
	return inner, nil
}

func arrayPlan(t reflect.Type, sql string, above []reflect.Type) (*plan, error) {
	element, err := planOf(t.Elem(), sql, above)
	if err != nil {
		return nil, fmt.Errorf("[]: %w", err)
	}
	f := element.field()
	return &plan{
		typ:    Type{Root: RootArray, Element: &f},
		decode: decodeSlice(element), encode: encodeSlice(element), cell: arrayCell(element),
	}, nil
}

func mapPlan(t reflect.Type, above []reflect.Type) (*plan, error) {
	key, err := keyPlan(t, above)
	if err != nil {
		return nil, err
	}
	element, err := planOf(t.Elem(), "", above)
	if err != nil {
		return nil, fmt.Errorf("map value: %w", err)
	}
	f := element.field()
	return &plan{
		typ:    Type{Root: RootMap, Key: &key.typ, Element: &f},
		decode: decodeMap(key, element), encode: encodeMap(key, element), cell: mapCell(t, key, element),
	}, nil
}

func multisetPlan(t reflect.Type, above []reflect.Type) (*plan, error) {
	key, err := keyPlan(t, above)
	if err != nil {
		return nil, err
	}
	count := intPlan(RootInt, 32, cell{op: opInt32, size: 4})
	count.goType = t.Elem()
	f := key.field()
	return &plan{
		typ:    Type{Root: RootMultiset, Element: &f},
		decode: decodeMultiset(key, count), encode: encodeMultiset(key, count), cell: mapCell(t, key, count),
	}, nil
}

// keyPlan is that of a map's keys: a value that can be compared, and is not NULL.
func keyPlan(t reflect.Type, above []reflect.Type) (*plan, error) {
	if t.Key() == decimalType {
		return nil, fmt.Errorf("%s: decimals as keys would be compared by their address; use a string, or an int64 of the smallest unit", t)
	}
	key, err := planOf(t.Key(), "", above)
	switch {
	case err != nil:
		return nil, fmt.Errorf("map key: %w", err)
	case key.nullable:
		return nil, fmt.Errorf("%s: a key cannot be NULL; use %s", t, key.typ)
	case key.typ.Root == RootRow:
		return nil, fmt.Errorf("%s: a map needs keys of one value; use []struct{ Key ...; Value ... }", t)
	}
	return key, nil
}

// rowPlan reads a struct: each exported field is one argument, or one field of a ROW. The fields of an embedded struct are
// the row's own, as in encoding/json.
func rowPlan(t reflect.Type, above []reflect.Type, rename []string) (*plan, error) {
	r := rowReader{above: above, rename: rename, seen: map[string]string{}}
	if err := r.read(t, 0, nil); err != nil {
		return nil, err
	}
	if len(r.fields) == 0 {
		return nil, fmt.Errorf("%s: a struct without exported fields; export those that are arguments", t)
	}
	typ := Type{Root: RootRow, Fields: make([]Field, len(r.fields))}
	for i, f := range r.fields {
		typ.Fields[i] = Field{Name: f.name, Type: f.plan.typ, Nullable: f.plan.nullable}
	}
	if len(rename) > 0 && len(rename) != len(r.fields) {
		return nil, fmt.Errorf("udf.Args names %d arguments, the function has %d (%s); name each of them", len(rename), len(r.fields), names(typ.Fields))
	}
	return &plan{goType: t, typ: typ, decode: decodeRow(r.fields), encode: encodeRow(r.fields), cell: rowCell(r.fields)}, nil
}

// rowReader collects the fields of a row.
type rowReader struct {
	above  []reflect.Type
	rename []string
	seen   map[string]string
	fields []rowField
}

// read reads the struct t, which is at that offset and index of the row's.
func (r *rowReader) read(t reflect.Type, offset uintptr, index []int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("udf")
		at := append(slices.Clip(index), i)
		switch {
		case tag == "-":
			continue
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct && isRow(f.Type):
			if err := r.read(f.Type, offset+f.Offset, at); err != nil {
				return err
			}
			continue
		case f.Anonymous && f.Type.Kind() == reflect.Pointer && (tag == "" || !f.IsExported()):
			return fmt.Errorf("field %s: a pointer that is embedded; embed the struct itself, or give the field a name", f.Name)
		case !f.IsExported():
			continue
		}
		name, sql, _ := strings.Cut(tag, ",")
		if name == "" {
			name = snakeCase(f.Name)
		}
		if len(r.fields) < len(r.rename) {
			name = r.rename[len(r.fields)]
		}
		if err := checkName(name); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		if other, dup := r.seen[name]; dup {
			return fmt.Errorf("field %s: same name %q as field %s; set its tag udf:\"...\"", f.Name, name, other)
		}
		r.seen[name] = f.Name
		p, err := planOf(f.Type, strings.TrimSpace(sql), r.above)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		r.fields = append(r.fields, rowField{name: name, index: at, offset: offset + f.Offset, plan: p})
	}
	return nil
}

type rowField struct {
	name   string
	index  []int
	offset uintptr
	plan   *plan
}

func names(fields []Field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.Name
	}
	return strings.Join(all, ", ")
}

// checkName refuses what no column can be called. Anything else can be quoted in SQL.
func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("the name %q is no SQL name; use letters, digits and _", name)
	}
	return nil
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
