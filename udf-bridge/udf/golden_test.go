package udf

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// goTypeOf is the Go type that a SQL type is read into, and what its tag must ask for.
func goTypeOf(t *rowcodec.Type) (goType reflect.Type, tag string) {
	switch t.Root {
	case rowcodec.Boolean:
		goType = reflect.TypeFor[bool]()
	case rowcodec.TinyInt:
		goType = reflect.TypeFor[int8]()
	case rowcodec.SmallInt:
		goType = reflect.TypeFor[int16]()
	case rowcodec.Int:
		goType = reflect.TypeFor[int32]()
	case rowcodec.BigInt:
		goType = reflect.TypeFor[int64]()
	case rowcodec.Float:
		goType = reflect.TypeFor[float32]()
	case rowcodec.Double:
		goType = reflect.TypeFor[float64]()
	case rowcodec.Decimal:
		goType, tag = decimalType, fmt.Sprintf("DECIMAL(%d, %d)", t.Precision, t.Scale)
	case rowcodec.Char, rowcodec.VarChar:
		goType = reflect.TypeFor[string]()
	case rowcodec.Binary, rowcodec.VarBinary:
		goType = reflect.TypeFor[[]byte]()
	case rowcodec.Date:
		goType = reflect.TypeFor[Date]()
	case rowcodec.Time:
		goType = reflect.TypeFor[TimeOfDay]()
	case rowcodec.Timestamp:
		goType, tag = reflect.TypeFor[Timestamp](), fmt.Sprintf("TIMESTAMP(%d)", t.Precision)
	case rowcodec.TimestampLTZ:
		goType, tag = timeType, fmt.Sprintf("TIMESTAMP_LTZ(%d)", t.Precision)
	case rowcodec.Months:
		goType = reflect.TypeFor[Months]()
	case rowcodec.Millis:
		goType = reflect.TypeFor[time.Duration]()
	case rowcodec.Array:
		var element reflect.Type
		element, tag = goTypeOf(t.Element)
		goType = reflect.SliceOf(element)
	case rowcodec.Map:
		key := *t.Key
		key.Nullable = false
		k, _ := goTypeOf(&key)
		v, _ := goTypeOf(t.Element)
		goType = reflect.MapOf(k, v)
	case rowcodec.Multiset:
		goType = reflect.TypeFor[Multiset[string]]()
		if t.Key.Root == rowcodec.Int {
			goType = reflect.TypeFor[Multiset[int32]]()
		}
	case rowcodec.Row:
		goType = structOf(t.Fields)
	}
	if t.Nullable {
		goType = reflect.PointerTo(goType)
	}
	return goType, tag
}

func structOf(columns []*rowcodec.Type) reflect.Type {
	fields := make([]reflect.StructField, len(columns))
	for i, c := range columns {
		t, tag := goTypeOf(c)
		name := "C" + strconv.Itoa(i)
		fields[i] = reflect.StructField{Name: name, Type: t, Tag: reflect.StructTag(`udf:"` + name + "," + tag + `"`)}
	}
	return reflect.StructOf(fields)
}

// thereAndBack reads a message into Go values and writes them again.
func thereAndBack(t reflect.Type, msg []byte) ([]byte, error) {
	p, err := planFor(t)
	if err != nil {
		return nil, err
	}
	r := newRowPlanner(columnsOf(p, ""))
	m, err := openMessage(msg, len(r.columns))
	if err != nil {
		return nil, err
	}
	var s source
	var w sink
	start := w.startMessage(len(r.columns))
	value := reflect.New(t).UnsafePointer()
	for range m.rows {
		row, err := m.next()
		if err != nil {
			return nil, err
		}
		s.start(len(row) - r.fixed)
		if err := r.load(&s, row, value); err != nil {
			return nil, err
		}
		if err := w.row(r, value); err != nil {
			return nil, &ResultError{Message: err.Error()}
		}
	}
	w.endMessage(start, m.rows)
	return w.Buf, m.end()
}

type vector struct {
	Name    string
	Columns []string
	Hex     string
	Error   string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("../rowcodec/testdata/golden/*.json")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	all := make([]vector, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func typesOf(t testing.TB, columns []string) []*rowcodec.Type {
	t.Helper()
	types := make([]*rowcodec.Type, len(columns))
	for i, c := range columns {
		var err error
		if types[i], err = rowcodec.ParseType(c); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

// TestGolden reads the vectors that all implementations of the row codec read.
func TestGolden(t *testing.T) {
	// What Go's types cannot say, or say otherwise. Both are errors here too, never another value.
	beyond := map[string]string{
		"no-columns": "", "string-not-utf8": "not valid UTF-8", "interval-millis": "longer than a time.Duration",
	}
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			if len(v.Columns) == 0 {
				t.Skip("a function has at least one column")
			}
			msg, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			columns := typesOf(t, v.Columns)
			got, err := thereAndBack(structOf(columns), msg)
			want, other := beyond[v.Name]
			switch {
			case v.Error != "" || other:
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("accepted, or for another reason refused: %v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				sameRows(t, columns, got, msg)
			}
		})
	}
}

// sameRows compares messages by what they mean: a map has no order.
func sameRows(t testing.TB, columns []*rowcodec.Type, got, want []byte) {
	t.Helper()
	g, err := canonical(columns, got)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	w, err := canonical(columns, want)
	if err != nil {
		t.Fatal(err)
	}
	if g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func canonical(columns []*rowcodec.Type, msg []byte) (string, error) {
	rows, err := rowcodec.Decode(columns, msg)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, row := range rows {
		for i, v := range row {
			sortMaps(columns[i], v)
		}
		text, err := json.Marshal(row)
		if err != nil {
			return "", err
		}
		b.Write(append(text, '\n'))
	}
	return b.String(), nil
}

// sortMaps sorts the entries of all maps in a value.
func sortMaps(t *rowcodec.Type, value any) {
	list, ok := value.([]any)
	if !ok {
		return
	}
	for i, v := range list {
		switch t.Root {
		case rowcodec.Array:
			sortMaps(t.Element, v)
		case rowcodec.Row:
			sortMaps(t.Fields[i], v)
		case rowcodec.Map:
			sortMaps(t.Element, v.([]any)[1])
		}
	}
	if t.Root == rowcodec.Map || t.Root == rowcodec.Multiset {
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// hostile is a row of every type that a message can be about.
type hostile struct {
	Flag    *bool
	Tiny    int8
	Small   Null[int16]
	Big     int64
	Single  *float32
	Money   decimal.Decimal `udf:",DECIMAL(9, 2)"`
	Exact   *decimal.Decimal
	Text    string
	Blob    Null[[]byte]
	Clock   *TimeOfDay
	Local   Timestamp
	Instant *time.Time `udf:",TIMESTAMP_LTZ(3)"`
	Months  Months
	Flags   []bool
	Texts   *[]*string
	Times   []Timestamp
	Rows    []struct {
		A Null[int32]
		B map[string]*[]float32
	}
	Days map[Date]int8
	Bag  *Multiset[string]
}

// TestOverlap: a small row that says the same bytes over and over must not become a large one.
func TestOverlap(t *testing.T) {
	p, err := planFor(reflect.TypeFor[[][]string]())
	if err != nil {
		t.Fatal(err)
	}
	r := newRowPlanner(columnsOf(p, "value"))
	const n = 1000
	inner := make([]string, n)
	outer := make([][]string, n)
	outer[0] = inner
	inner[0] = strings.Repeat("x", 10_000)
	var w sink
	if err := r.store(&w, unsafe.Pointer(&outer)); err != nil {
		t.Fatal(err)
	}
	row := w.Buf
	outerAt := int(binary.LittleEndian.Uint32(row[8:]))
	elements := outerAt + 4 + (n+7)/8
	innerAt := outerAt + int(binary.LittleEndian.Uint32(row[elements:]))
	texts := innerAt + 4 + (n+7)/8
	for i := range n { // every element is the first
		copy(row[elements+8*i:elements+8*i+8], row[elements:elements+8])
		copy(row[texts+8*i:texts+8*i+8], row[texts:texts+8])
	}
	var s source
	var got [][]string
	s.start(len(row) - r.fixed)
	if err := r.load(&s, row, unsafe.Pointer(&got)); !errors.Is(err, errOverlap) {
		t.Errorf("%d bytes became 10 GB: %v", len(row), err)
	}
}

func TestNaNHasOneForm(t *testing.T) {
	for _, bits := range []uint64{0x7ff8000000000001, 0xfff8000000000000, 0x7ff0000000000001} {
		values := []struct {
			A float64
			B float32
			C []float64
			D []float32
		}{{math.Float64frombits(bits), float32(math.Float64frombits(bits)), []float64{math.Float64frombits(bits)}, []float32{math.Float32frombits(0xffc00001)}}}
		p, err := planFor(reflect.TypeOf(values[0]))
		if err != nil {
			t.Fatal(err)
		}
		var w sink
		if err := newRowPlanner(columnsOf(p, "")).store(&w, unsafe.Pointer(&values[0])); err != nil {
			t.Fatal(err)
		}
		a, b := binary.LittleEndian.Uint64(w.Buf[8:]), binary.LittleEndian.Uint64(w.Buf[16:])
		c, d := binary.LittleEndian.Uint64(w.Buf[45:]), binary.LittleEndian.Uint32(w.Buf[58:])
		if a != nan64 || b != nan32 || c != nan64 || d != nan32 {
			t.Errorf("%#x: %#x, %#x, %#x, %#x", bits, a, b, c, d)
		}
	}
}

func TestMapsHaveOneOrder(t *testing.T) {
	type maps struct {
		Texts map[string]int
		Ints  map[int8]string
		Days  map[Date]bool
		Times map[Timestamp]Null[int64]
		Bag   Multiset[int64]
	}
	p, err := planFor(reflect.TypeFor[maps]())
	if err != nil {
		t.Fatal(err)
	}
	r := newRowPlanner(columnsOf(p, ""))
	var first string
	for range 20 {
		v := maps{map[string]int{}, map[int8]string{}, map[Date]bool{}, map[Timestamp]Null[int64]{}, Multiset[int64]{}}
		for i := range int8(20) {
			v.Texts[strconv.Itoa(int(i))], v.Ints[i-10], v.Days[Date(i-10)] = int(i), "x", true
			v.Times[TimestampOf(time.Unix(int64(i)-10, 5))], v.Bag[int64(i)-10] = Null[int64]{}, int32(i)
		}
		var w sink
		if err := r.store(&w, unsafe.Pointer(&v)); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(w.Buf)
		} else if first != string(w.Buf) {
			t.Fatal("equal rows are not equal bytes")
		}
	}
}

// FuzzRows asserts that hostile bytes never panic, that what the codec refuses is refused here, and that what is
// accepted means the same.
func FuzzRows(f *testing.F) {
	t := reflect.TypeFor[hostile]()
	p, err := planFor(t)
	if err != nil {
		f.Fatal(err)
	}
	texts := make([]string, len(p.typ.Fields))
	for i, field := range p.typ.Fields {
		texts[i] = field.SQL()
	}
	columns := typesOf(f, texts)
	yes, tiny, half, exact, text, clock, at := true, "x", float32(0.5), decimal.RequireFromString("-12.5"), "", TimeOfDay(1), time.UnixMilli(-1)
	full := hostile{
		Flag: &yes, Tiny: -1, Small: NullOf(int16(-2)), Big: 1 << 40, Single: &half, Money: exact, Exact: &exact, Text: "grüße", Blob: NullOf([]byte{0, 255}),
		Clock: &clock, Local: TimestampOf(time.Unix(0, 1)), Instant: &at, Months: -3, Flags: []bool{true, false}, Texts: &[]*string{&tiny, nil, &text},
		Times: []Timestamp{{}}, Days: map[Date]int8{-1: 1}, Bag: &Multiset[string]{"a": 2},
	}
	full.Rows = append(full.Rows, struct {
		A Null[int32]
		B map[string]*[]float32
	}{NullOf(int32(7)), map[string]*[]float32{"k": {1, 2}}})
	for _, row := range []hostile{{}, full} {
		r := newRowPlanner(columnsOf(p, ""))
		var w sink
		start := w.startMessage(len(r.columns))
		if err := w.row(r, unsafe.Pointer(&row)); err != nil {
			f.Fatal(err)
		}
		w.endMessage(start, 1)
		f.Add(w.Buf)
	}
	f.Fuzz(func(test *testing.T, msg []byte) {
		before := string(msg)
		got, err := thereAndBack(t, msg)
		if string(msg) != before {
			test.Fatal("the message was changed")
		}
		want, wantErr := canonical(columns, msg)
		switch {
		case wantErr != nil && err == nil:
			test.Errorf("accepted what the codec refuses: %v", wantErr)
		case wantErr == nil && err != nil:
			if _, result := err.(*ResultError); !result && !errors.Is(err, errOverlap) {
				test.Errorf("refused what the codec accepts: %v", err)
			}
		case err == nil:
			g, err := canonical(columns, got)
			if err != nil {
				test.Fatalf("what was written cannot be read: %v", err)
			}
			if g != want && len(got) >= len(msg) {
				test.Errorf("got  %s\nwant %s", g, want) // fewer bytes: a key that was there twice
			}
		}
	})
}
