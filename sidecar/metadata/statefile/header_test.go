package statefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// head writes headers.
type head struct{ data []byte }

func (h *head) u8(v ...byte) { h.data = append(h.data, v...) }
func (h *head) i16(v int16)  { h.data = binary.BigEndian.AppendUint16(h.data, uint16(v)) }
func (h *head) i32(v ...int32) {
	for _, v := range v {
		h.data = binary.BigEndian.AppendUint32(h.data, uint32(v))
	}
}
func (h *head) utf(v string) {
	h.i16(int16(len(v)))
	h.data = append(h.data, v...)
}

const (
	bytesClass  = basic + "array.BytePrimitiveArraySerializer$BytePrimitiveArraySerializerSnapshot"
	stringClass = basic + "StringSerializer$StringSerializerSnapshot"
	voidClass   = "org.apache.flink.runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot"
	kryoClass   = "org.apache.flink.api.java.typeutils.runtime.kryo.KryoSerializerSnapshot"
)

// state writes one state with the serializers given as role and class.
func (h *head) state(name string, kind StateKind, serializers ...string) {
	h.utf(name)
	h.i32(int32(kind), 0, int32(len(serializers)/2))
	for i := 0; i < len(serializers); i += 2 {
		h.utf(serializers[i])
		h.i32(serializerVersion)
		h.utf(serializers[i+1])
		h.i32(simpleVersion)
	}
}

func open(h *head) (*Operator, error) {
	return OpenOperator(bytes.NewReader(h.data), int64(len(h.data)), Limits{})
}

// TestOpaqueHeader: a serializer that is not known hides the states after it, but not the entries of any.
func TestOpaqueHeader(t *testing.T) {
	h := &head{}
	h.i32(headerVersion)
	h.u8(0)
	h.i16(3)
	h.state("first", OperatorList, "VALUE_SERIALIZER", stringClass)
	h.state("second", OperatorList, "VALUE_SERIALIZER", kryoClass)
	h.u8(make([]byte, 50)...)
	offset := int64(len(h.data))
	h.i32(5)
	h.u8([]byte("entry")...)
	state, err := open(h)
	if err != nil {
		t.Fatal(err)
	}
	header := state.Header()
	if !errors.Is(header.Stopped, ErrOpaque) || !strings.Contains(header.Stopped.Error(), kryoClass) {
		t.Errorf("the header stopped with %v", header.Stopped)
	}
	if len(header.States) != 1 || header.States[0].Name != "first" || header.States[0].Value.String() != "string" {
		t.Errorf("states %+v", header.States)
	}
	for entry, err := range state.ByteEntries(&metadata.PartitionedState{Name: "third", Offsets: []int64{offset}}) {
		if err != nil || string(entry) != "entry" {
			t.Errorf("an entry behind it: %q, %v", entry, err)
		}
	}
}

func TestOldHeaders(t *testing.T) {
	for version := int32(1); version < headerVersion; version++ {
		h := &head{}
		h.i32(version)
		h.u8(1) // no flag, but the first byte of what these versions write here
		state, err := open(h)
		if err != nil || state.Header().Compressed || !errors.Is(state.Header().Stopped, ErrOpaque) {
			t.Errorf("version %d: %+v, %v", version, state.Header(), err)
		}
	}
	for _, version := range []int32{0, -1, 7} {
		h := &head{}
		h.i32(version)
		h.u8(0)
		if _, err := open(h); !errors.Is(err, ErrCorrupt) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	h := &head{}
	h.i32(headerVersion)
	h.u8(2)
	if _, err := open(h); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "compression") {
		t.Errorf("a flag of 2: %v", err)
	}
	if _, err := open(&head{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("an empty stream: %v", err)
	}
}

// TestHeaderLies: what is impossible in a header stops it, and never the reading of entries.
func TestHeaderLies(t *testing.T) {
	start := func() *head {
		h := &head{}
		h.i32(headerVersion)
		h.u8(0)
		h.i16(1)
		return h
	}
	list := func(magic, nestedMagic, n int32) *head {
		h := start()
		h.utf("state")
		h.i32(int32(OperatorList), 0, 1)
		h.utf("VALUE_SERIALIZER")
		h.i32(serializerVersion)
		h.utf(basic + "ListSerializerSnapshot")
		h.i32(simpleVersion, magic, 1, nestedMagic, nestedVersion, n)
		h.utf(bytesClass)
		h.i32(simpleVersion)
		h.i16(0)
		return h
	}
	if state, err := open(list(compositeMagic, nestedMagic, 1)); err != nil || state.Header().Stopped != nil ||
		state.Header().States[0].Value.String() != "list(bytes)" {
		t.Fatalf("a sound header: %+v, %v", state.Header(), err)
	}
	unknownKind := start()
	unknownKind.state("state", 9)
	manyOptions := start()
	manyOptions.utf("state")
	manyOptions.i32(int32(OperatorList), 1<<31-1)
	deep := start()
	deep.utf("state")
	deep.i32(int32(OperatorList), 0, 1)
	deep.utf("VALUE_SERIALIZER")
	deep.i32(serializerVersion)
	for range 100 {
		deep.utf(basic + "ListSerializerSnapshot")
		deep.i32(simpleVersion, compositeMagic, 1, nestedMagic, nestedVersion, 1)
	}
	negative := &head{}
	negative.i32(headerVersion)
	negative.u8(0, 0xff, 0xff)
	for name, test := range map[string]struct {
		head *head
		kind error
	}{
		"magic of a composite":    {list(1, nestedMagic, 1), ErrCorrupt},
		"magic of what it nests":  {list(compositeMagic, 1, 1), ErrCorrupt},
		"number of what it nests": {list(compositeMagic, nestedMagic, 2), ErrCorrupt},
		"unknown kind":            {unknownKind, ErrCorrupt},
		"2^31-1 options":          {manyOptions, ErrTruncated},
		"a hundred deep":          {deep, ErrOpaque},
		"-1 states":               {negative, ErrCorrupt},
	} {
		state, err := open(test.head)
		if err != nil || !errors.Is(state.Header().Stopped, test.kind) {
			t.Errorf("%s: %v, %v; want it stopped by %v", name, state, err, test.kind)
		}
	}
}

// TestKeyedRefused: keyed state that could not be told apart is refused at once.
func TestKeyedRefused(t *testing.T) {
	build := func(key string, states func(h *head)) *head {
		h := &head{}
		h.i32(headerVersion)
		h.u8(0)
		h.i32(serializerVersion)
		h.utf(key)
		h.i32(simpleVersion)
		h.i16(1)
		states(h)
		return h
	}
	for name, test := range map[string]struct {
		head *head
		says string
	}{
		"opaque key":   {build(kryoClass, func(*head) {}), kryoClass},
		"opaque value": {build(bytesClass, func(h *head) { h.state("s", KeyValue, "VALUE_SERIALIZER", kryoClass) }), kryoClass},
		"no namespace": {build(bytesClass, func(h *head) { h.state("s", KeyValue, "VALUE_SERIALIZER", bytesClass) }), "names no serializer"},
		"no lengths": {build(bytesClass, func(h *head) {
			h.state("s", KeyValue, "VALUE_SERIALIZER", bytesClass, "NAMESPACE_SERIALIZER", stringClass)
		}), "fixed length"},
		"timers of bytes": {build(bytesClass, func(h *head) { h.state("s", Timers, "VALUE_SERIALIZER", bytesClass) }), "timers of type bytes"},
		"a list state":    {build(bytesClass, func(h *head) { h.state("s", OperatorList, "VALUE_SERIALIZER", bytesClass) }), "kind 1"},
	} {
		handle := &metadata.KeyGroupsHandle{Type: metadata.TypeSavepoint}
		_, err := OpenKeyed(handle, 128, bytes.NewReader(test.head.data), int64(len(test.head.data)), Limits{})
		if !errors.Is(err, ErrOpaque) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v; want ErrOpaque that says %q", name, err, test.says)
		}
	}
	sound := build(bytesClass, func(h *head) {
		h.state("s", KeyValue, "VALUE_SERIALIZER", bytesClass, "NAMESPACE_SERIALIZER", voidClass)
	})
	state, err := OpenKeyed(&metadata.KeyGroupsHandle{}, 128, bytes.NewReader(sound.data), int64(len(sound.data)), Limits{})
	if err != nil || state.Header().Key.String() != "bytes" {
		t.Errorf("a sound header: %v", err)
	}
	for entry, err := range state.KeyGroup(5) {
		t.Errorf("a key group that the handle lacks holds %+v, %v", entry, err)
	}
}
