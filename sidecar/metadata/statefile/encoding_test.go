package statefile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// TestEncodings: the length of a value of each serializer that is known by its class.
func TestEncodings(t *testing.T) {
	for class, test := range map[string]struct{ name, value string }{
		voidClass: {"void-namespace", "00"},
		windows + "TimeWindow$Serializer$TimeWindowSerializerSnapshot":     {"time-window", "00000000000000000000000000000001"},
		windows + "GlobalWindow$Serializer$GlobalWindowSerializerSnapshot": {"global-window", "00"},
		basic + "BooleanSerializer$BooleanSerializerSnapshot":              {"boolean", "01"},
		basic + "ByteSerializer$ByteSerializerSnapshot":                    {"byte", "01"},
		basic + "ShortSerializer$ShortSerializerSnapshot":                  {"short", "0102"},
		basic + "CharSerializer$CharSerializerSnapshot":                    {"char", "0041"},
		basic + "IntSerializer$IntSerializerSnapshot":                      {"int", "01020304"},
		basic + "LongSerializer$LongSerializerSnapshot":                    {"long", "0102030405060708"},
		basic + "FloatSerializer$FloatSerializerSnapshot":                  {"float", "3f800000"},
		basic + "DoubleSerializer$DoubleSerializerSnapshot":                {"double", "3ff0000000000000"},
		basic + "InstantSerializer$InstantSerializerSnapshot":              {"instant", "000000000000000100000002"},
		basic + "DateSerializer$DateSerializerSnapshot":                    {"date", "0000000000000001"},
		basic + "VoidSerializer$VoidSerializerSnapshot":                    {"void", "00"},
		stringClass: {"string", "036162"},
		bytesClass:  {"bytes", "0000000568656c6c6f"},
		basic + "array.BooleanPrimitiveArraySerializer$BooleanPrimitiveArraySerializerSnapshot": {"booleans", "000000020100"},
		basic + "array.ShortPrimitiveArraySerializer$ShortPrimitiveArraySerializerSnapshot":     {"shorts", "0000000200010002"},
		basic + "array.CharPrimitiveArraySerializer$CharPrimitiveArraySerializerSnapshot":       {"chars", "0000000100ff"},
		basic + "array.IntPrimitiveArraySerializer$IntPrimitiveArraySerializerSnapshot":         {"ints", "0000000100000007"},
		basic + "array.LongPrimitiveArraySerializer$LongPrimitiveArraySerializerSnapshot":       {"longs", "000000010000000000000007"},
		basic + "array.FloatPrimitiveArraySerializer$FloatPrimitiveArraySerializerSnapshot":     {"floats", "000000013f800000"},
		basic + "array.DoublePrimitiveArraySerializer$DoublePrimitiveArraySerializerSnapshot":   {"doubles", "00000000"},
	} {
		e := simple(class)
		if e == nil || e.String() != test.name {
			t.Errorf("%s is %v, want %s", class, e, test.name)
			continue
		}
		checkValue(t, e, test.value)
	}
	long, void := simple(basic+"LongSerializer$LongSerializerSnapshot"), simple(voidClass)
	timer, _ := composite("org.apache.flink.streaming.api.operators.TimerSerializerSnapshot")
	timer.nested = []*Encoding{long, void}
	checkValue(t, timer, "8000000000000001"+"0000000000000007"+"00")
	dictionary, _ := composite(basic + "MapSerializerSnapshot")
	dictionary.nested = []*Encoding{Text(), long}
	checkValue(t, dictionary, "00000002"+"0261"+"00"+"0000000000000001"+"0262"+"01") // {a: 1, b: null}
	list, _ := composite(basic + "ListSerializerSnapshot")
	list.nested = []*Encoding{Text()}
	checkValue(t, list, "00000003"+"00"+"01"+"0261") // [null, "", "a"]
	checkValue(t, Text(), "02"+"bdf002")             // one unit of 16 bits, in three groups

	for _, class := range []string{"", "LongSerializer$LongSerializerSnapshot", basic + "LongSerializer", basic + "LongSerializer$IntSerializerSnapshot",
		basic + "EnumSerializer$EnumSerializerSnapshot", kryoClass} {
		if e := simple(class); e != nil {
			t.Errorf("%q is taken for %v", class, e)
		}
	}
	if name := (*Encoding)(nil).String(); name != "unknown" {
		t.Errorf("no encoding is named %q", name)
	}
}

// checkValue reads a value that is followed by another byte, and expects all of it and no more.
func checkValue(t *testing.T, e *Encoding, text string) {
	t.Helper()
	want, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(bytes.NewReader(append(bytes.Clone(want), 0xaa)), int64(len(want)+1), Limits{})
	r.seek(0, false)
	got := r.value(e)
	if e.IsBytes() {
		want = want[4:]
	}
	if r.err != nil || !bytes.Equal(got, want) || r.u8() != 0xaa {
		t.Errorf("%v: %x reads as %x, %v", e, text, got, r.err)
	}
}

func TestEndlessNumber(t *testing.T) {
	data := bytes.Repeat([]byte{0xff}, 20)
	r := newReader(bytes.NewReader(data), int64(len(data)), Limits{})
	r.seek(0, false)
	if r.value(Text()); !errors.Is(r.err, ErrCorrupt) {
		t.Errorf("a number without an end: %v", r.err)
	}
}
