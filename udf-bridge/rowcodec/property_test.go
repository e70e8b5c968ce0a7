package rowcodec_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
)

// TestRandom: whatever the types and the rows are, what was written is read as it was, from a message and from JSON; a
// message that is cut anywhere is refused.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		types := make([]*rowcodec.Type, rapid.IntRange(1, 9).Draw(rt, "columns"))
		for i := range types {
			types[i] = randomType(rt, 3)
			again, err := rowcodec.ParseType(types[i].String())
			if err != nil || !reflect.DeepEqual(again, types[i]) {
				rt.Fatalf("%s is read as %v, %v", types[i], again, err)
			}
		}
		rows := make([][]any, rapid.IntRange(1, 3).Draw(rt, "rows"))
		for i := range rows {
			rows[i] = randomRow(rt, types)
		}
		message, err := rowcodec.Encode(types, rows)
		if err != nil {
			rt.Fatal(err)
		}
		read, err := rowcodec.Decode(types, message)
		if err != nil || !reflect.DeepEqual(read, rows) {
			rt.Fatalf("%v\nis read as %v, %v", rows, read, err)
		}
		dec := json.NewDecoder(bytes.NewReader(asJSON(t, rows)))
		dec.UseNumber()
		var fromJSON [][]any
		if err := dec.Decode(&fromJSON); err != nil {
			rt.Fatal(err)
		}
		again, err := rowcodec.Encode(types, fromJSON)
		if err != nil || !bytes.Equal(again, message) {
			rt.Fatalf("from JSON %x, %v\nwant %x", again, err, message)
		}
		cut := rapid.IntRange(0, len(message)-1).Draw(rt, "cut")
		if _, err := rowcodec.Decode(types, message[:cut]); !errors.Is(err, rowcodec.ErrMalformed) {
			rt.Fatalf("cut to %d of %d bytes: %v", cut, len(message), err)
		}
		if again, err := rowcodec.Decode(types, append(message, 0)); !errors.Is(err, rowcodec.ErrMalformed) {
			rt.Fatalf("with a byte more: %v, %v", again, err)
		}
	})
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// memoryFactor is how many times its own size the values of a message may take: a BOOLEAN of one byte is an any of 16, a pair
// of them in a MAP a list of its own, which was two lists before.
const memoryFactor = 100

// TestMemory: a message that claims much must not cost much.
func TestMemory(t *testing.T) {
	type claim struct {
		column string
		value  any
		at     int // of a u32
		max    uint32
	}
	const row = 12
	for _, c := range []claim{
		{"INT NOT NULL", int64(1), 4, 1<<32 - 1},
		{"INT NOT NULL", int64(1), row - 4, 1<<32 - 1},
		{"STRING", "x", row + 12, 1<<32 - 1},
		{"ARRAY<BOOLEAN>", []any{true}, row + 16, 1<<32 - 1},
		{"ARRAY<ROW<>>", []any{[]any{}}, row + 16, 1<<32 - 1},
		{"MAP<BOOLEAN, BOOLEAN>", []any{[]any{true, nil}}, row + 20, 1<<32 - 1},
		{"MULTISET<INT>", []any{[]any{int64(1), int64(1)}}, row + 20 + 9, 1<<32 - 1},
	} {
		types := columns(t, []string{c.column})
		for value := c.max; value > 2; value /= 16 {
			message, err := rowcodec.Encode(types, [][]any{{c.value}})
			if err != nil {
				t.Fatal(err)
			}
			binary.LittleEndian.PutUint32(message[c.at:], value)
			n := allocated(func() { _, err = rowcodec.Decode(types, message) })
			if err == nil || n > 1<<14 {
				t.Errorf("%s that claims %d costs %d bytes: %v", c.column, value, n, err)
			}
		}
	}
}

// TestMemoryOfValues: what is read costs a small multiple of the message, and one that would cost more is refused early.
func TestMemoryOfValues(t *testing.T) {
	long := make([]any, 10_000)
	for i := range long {
		long[i] = []any{true, false}
	}
	flags := make([]any, 100_000)
	for i := range flags {
		flags[i] = true
	}
	for column, value := range map[string]any{
		"ARRAY<BOOLEAN>":                 flags,
		"MAP<BOOLEAN, BOOLEAN>":          long,
		"ARRAY<ROW<a BOOLEAN>>":          many(10_000, []any{true}, []any{true}),
		"ARRAY<STRING>":                  many(10_000, "x", ""),
		"ARRAY<DECIMAL(38, 0) NOT NULL>": many(10_000, "1", strings.Repeat("9", 38)),
	} {
		types := columns(t, []string{column})
		message, err := rowcodec.Encode(types, [][]any{{value}})
		if err != nil {
			t.Fatal(err)
		}
		n := allocated(func() { _, err = rowcodec.Decode(types, message) })
		if err != nil || n > memoryFactor*uint64(len(message)) {
			t.Errorf("%s of %d bytes costs %d, %v", column, len(message), n, err)
		}
	}
	for _, v := range hostileVectors(t) {
		if !strings.HasPrefix(v.Name, "hostile-overlap") {
			continue
		}
		types, message := columns(t, v.Columns), unhex(t, v.Hex)
		var err error
		n := allocated(func() { _, err = rowcodec.Decode(types, message) })
		if err == nil || n > 64*memoryFactor*uint64(len(message)) {
			t.Errorf("%s of %d bytes costs %d, %v", v.Name, len(message), n, err)
		}
	}
}
