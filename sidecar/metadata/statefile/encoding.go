package statefile

import "strings"

// Encoding is a serializer of Flink whose values this package can tell the length of. Values are answered in the serialized
// form, big-endian as Java writes it; only the length in front of a byte[] is taken away.
type Encoding struct {
	name string
	walk func(r *reader, e *Encoding)
	// fixed is the length of values that all have the same, else 0.
	fixed int64
	// unit is the length of an element of a primitive array.
	unit   int64
	nested []*Encoding
}

// String is a short name: bytes, string, long, list(bytes), map(string, long).
func (e *Encoding) String() string {
	if e == nil {
		return "unknown"
	}
	if len(e.nested) == 0 {
		return e.name
	}
	names := make([]string, len(e.nested))
	for i, nested := range e.nested {
		names[i] = nested.String()
	}
	return e.name + "(" + strings.Join(names, ", ") + ")"
}

// IsBytes is true for byte[].
func (e *Encoding) IsBytes() bool { return e != nil && e.name == "bytes" }

// Bytes is byte[] (BytePrimitiveArraySerializer): an i32 length and the bytes.
func Bytes() *Encoding { return &Encoding{name: "bytes", walk: walkArray, unit: 1} }

// Text is String (StringSerializer, org.apache.flink.types.StringValue.writeString): the number of UTF-16 units plus one, then
// each unit, all as little-endian groups of seven bits.
func Text() *Encoding { return &Encoding{name: "string", walk: walkString} }

// Fixed is a serializer that always writes size bytes, as those of int (4) and long (8) do.
func Fixed(name string, size int) *Encoding {
	return &Encoding{name: name, walk: walkFixed, fixed: int64(size)}
}

func array(name string, unit int64) *Encoding {
	return &Encoding{name: name, walk: walkArray, unit: unit}
}

func walkFixed(r *reader, e *Encoding) { r.skip(e.fixed) }

func walkArray(r *reader, e *Encoding) { r.skip(r.count() * e.unit) }

func walkString(r *reader, _ *Encoding) {
	n := r.varint()
	for i := uint64(1); i < n && r.err == nil; i++ { // n is one more than the length, 0 is null
		r.varint()
	}
}

func walkList(r *reader, e *Encoding) {
	n := r.count()
	for i := int64(0); i < n && r.err == nil; i++ {
		e.nested[0].walk(r, e.nested[0])
	}
}

func walkMap(r *reader, e *Encoding) {
	n := r.count()
	for i := int64(0); i < n && r.err == nil; i++ {
		e.nested[0].walk(r, e.nested[0])
		if null := r.u8(); null == 0 {
			e.nested[1].walk(r, e.nested[1])
		}
	}
}

// walkTimer: org.apache.flink.streaming.api.operators.TimerSerializer.
func walkTimer(r *reader, e *Encoding) {
	r.skip(8)
	for _, nested := range e.nested {
		nested.walk(r, nested)
	}
}

// varint reads groups of seven bits, the lowest first. Flink writes lengths and characters of strings so.
func (r *reader) varint() uint64 {
	value := uint64(0)
	for shift := 0; ; shift += 7 {
		if shift > 28 {
			r.corrupt("a number of more than five groups of seven bits")
			return 0
		}
		b := r.u8()
		value |= uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return value
		}
	}
}

// value reads one value in this encoding.
func (r *reader) value(e *Encoding) []byte {
	value := r.keep(func() { e.walk(r, e) })
	if e.IsBytes() && len(value) >= 4 {
		return value[4:]
	}
	return value
}

const (
	basic   = "org.apache.flink.api.common.typeutils.base."
	windows = "org.apache.flink.streaming.api.windowing.windows."
)

// simple answers the encoding that belongs to the class of a serializer's snapshot, if the class is a SimpleTypeSerializerSnapshot,
// which writes nothing but its class and version.
func simple(class string) *Encoding {
	switch class {
	case "org.apache.flink.runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot":
		return Fixed("void-namespace", 1)
	case windows + "TimeWindow$Serializer$TimeWindowSerializerSnapshot":
		return Fixed("time-window", 16)
	case windows + "GlobalWindow$Serializer$GlobalWindowSerializerSnapshot":
		return Fixed("global-window", 1)
	}
	name, ok := strings.CutPrefix(class, basic)
	if !ok {
		return nil
	}
	// LongSerializer$LongSerializerSnapshot -> Long
	outer, inner, _ := strings.Cut(name, "$")
	name, ok = strings.CutSuffix(outer, "Serializer")
	if !ok || strings.TrimPrefix(outer, "array.")+"Snapshot" != inner {
		return nil
	}
	switch name {
	case "Boolean":
		return Fixed("boolean", 1)
	case "Byte":
		return Fixed("byte", 1)
	case "Short":
		return Fixed("short", 2)
	case "Char":
		return Fixed("char", 2)
	case "Int":
		return Fixed("int", 4)
	case "Long":
		return Fixed("long", 8)
	case "Float":
		return Fixed("float", 4)
	case "Double":
		return Fixed("double", 8)
	case "Instant":
		return Fixed("instant", 12)
	case "Date":
		return Fixed("date", 8)
	case "Void":
		return Fixed("void", 1)
	case "String":
		return Text()
	case "array.BytePrimitiveArray":
		return Bytes()
	case "array.BooleanPrimitiveArray":
		return array("booleans", 1)
	case "array.ShortPrimitiveArray":
		return array("shorts", 2)
	case "array.CharPrimitiveArray":
		return array("chars", 2)
	case "array.IntPrimitiveArray":
		return array("ints", 4)
	case "array.LongPrimitiveArray":
		return array("longs", 8)
	case "array.FloatPrimitiveArray":
		return array("floats", 4)
	case "array.DoublePrimitiveArray":
		return array("doubles", 8)
	}
	return nil
}

// composite answers the encoding that belongs to the class of a CompositeTypeSerializerSnapshot without fields of its own.
func composite(class string) (e *Encoding, nested int) {
	switch class {
	case basic + "ListSerializerSnapshot":
		return &Encoding{name: "list", walk: walkList}, 1
	case basic + "MapSerializerSnapshot":
		return &Encoding{name: "map", walk: walkMap}, 2
	case "org.apache.flink.streaming.api.operators.TimerSerializerSnapshot":
		return &Encoding{name: "timer", walk: walkTimer}, 2
	}
	return nil, 0
}
