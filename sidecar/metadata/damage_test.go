package metadata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
)

// allocated answers the bytes that f allocates, garbage included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// stepOf is 1: damage goes byte by byte. With the race detector, which makes it twenty times slower and finds nothing in code of
// one goroutine, this is so for the smaller files only, which hold every handle.
func stepOf(data []byte) int {
	if len(data) > 15<<10 {
		return stride
	}
	return 1
}

// TestTruncated cuts every file at every byte. Every cut is an error, because even the Java objects at the end are followed to
// theirs; and none costs memory.
func TestTruncated(t *testing.T) {
	for _, name := range append(captures, written...) {
		t.Run(name, func(t *testing.T) {
			data := read(t, name)
			total := allocated(func() {
				for n := 0; n < len(data); n += stepOf(data) {
					m, err := Parse(data[:n])
					if err == nil {
						t.Fatalf("the first %d of %d bytes parse: %+v", n, len(data), m.Snapshot)
					}
					if n > 0 && !errors.Is(err, ErrTruncated) {
						t.Fatalf("the first %d of %d bytes: %v; want ErrTruncated", n, len(data), err)
					}
				}
			})
			if each := total / uint64(len(data)/stepOf(data)); each > 64<<10 {
				t.Errorf("a refused file takes %d bytes of memory", each)
			}
		})
	}
}

// TestCorrupted changes every byte of every file: the answer is an error or a model that says the same as the changed bytes, and
// takes no more memory than a sound file.
func TestCorrupted(t *testing.T) {
	for _, name := range append(captures, written...) {
		t.Run(name, func(t *testing.T) {
			data := read(t, name)
			changed := bytes.Clone(data)
			parsed := 0
			masks := []byte{0xff, 0x80, 0x01}
			if len(data) > 15<<10 || stride > 1 {
				masks = masks[:1] // every byte, but not every way: that takes seconds
			}
			total := allocated(func() {
				for i := 0; i < len(data); i += stepOf(data) {
					for _, mask := range masks {
						changed[i] = data[i] ^ mask
						m, err := Parse(changed)
						if err != nil {
							checkError(t, err, len(data))
							continue
						}
						// The memory of what parses is the test's, too: the encoder's below is left out by sampling it.
						if parsed++; parsed%997 == 0 {
							sameMeaning(t, m, changed)
						}
					}
					changed[i] = data[i]
				}
			})
			if each := total / uint64(len(masks)*(len(data)/stepOf(data))); each > uint64(8*len(data)+64<<10) {
				t.Errorf("a damaged file of %d bytes takes %d bytes of memory on average", len(data), each)
			}
		})
	}
}

func checkError(t *testing.T, err error, size int) {
	t.Helper()
	var at *Error
	if !errors.As(err, &at) || at.Offset < 0 || at.Offset > int64(size) || at.Reading == "" {
		t.Fatalf("%#v is no *Error with a place in the file", err)
	}
	for _, kind := range []error{ErrMagic, ErrVersion, ErrTruncated, ErrCorrupt} {
		if errors.Is(err, kind) {
			return
		}
	}
	t.Fatalf("%v is of no known kind", err)
}

func sameMeaning(t *testing.T, m *Metadata, data []byte) {
	t.Helper()
	// Strings that are not written the way Java writes them may be written again differently; the model is what counts.
	again, err := Parse(encode(m))
	if err != nil {
		t.Fatalf("a file that parses does not parse when it is written again: %v", err)
	}
	if len(again.Operators) != len(m.Operators) || again.CheckpointID != m.CheckpointID || !bytes.Equal(again.Properties, m.Properties) {
		t.Fatalf("a file of %d bytes means something else when it is written again", len(data))
	}
}

// file begins a file of a version, up to the number of operators.
func file(version int32, build func(w *writer)) []byte {
	w := &writer{version: int(version)}
	w.i32(fileMagic)
	w.i32(version)
	w.i64(1)
	w.i32(0)
	build(w)
	return w.data
}

// oneSubtask is a file of version 3 with one operator of one subtask; build writes the subtask's body.
func oneSubtask(build func(w *writer)) []byte {
	return file(3, func(w *writer) {
		w.i32(1)
		w.data = append(w.data, make([]byte, 16)...)
		w.i32(1)
		w.i32(128)
		w.u8(0)
		w.i32(1)
		w.i32(0)
		build(w)
	})
}

func TestRefused(t *testing.T) {
	huge := int32(math.MaxInt32)
	nothing := func(w *writer) {
		w.i32(0)
		w.i32(0)
		w.u8(0)
		w.u8(0)
		w.i32(0)
		w.i32(0)
	}
	stream := func(build func(w *writer)) []byte { // an operator state without states over a stream
		return oneSubtask(func(w *writer) { w.i32(1); w.u8(4); w.i32(0); build(w) })
	}
	keyed := func(build func(w *writer)) []byte {
		return oneSubtask(func(w *writer) { w.i32(0); w.i32(0); build(w) })
	}
	operator := func(parallelism, maxParallelism int32, build func(w *writer)) []byte {
		return file(3, func(w *writer) {
			w.i32(1)
			w.data = append(w.data, make([]byte, 16)...)
			w.i32(parallelism)
			w.i32(maxParallelism)
			build(w)
		})
	}
	nested := func(w *writer) {
		for range 10000 {
			w.u8(8)
			w.i32(0)
			w.i32(1)
			w.i64(0)
			w.i32(1)
		}
	}
	for name, test := range map[string]struct {
		data []byte
		kind error
		says string
	}{
		"empty":         {nil, ErrMagic, "the file is empty"},
		"other file":    {[]byte("PK\x03\x04...."), ErrMagic, "it begins with 504b0304"},
		"aws-chunked":   {read(t, "awschunked"), ErrMagic, "aws-chunked"},
		"error page":    {[]byte("<html>no such key"), ErrMagic, "XML page"},
		"gzip":          {[]byte("\x1f\x8b\x08\x00"), ErrMagic, "gzip"},
		"version 2":     {file(2, func(*writer) {}), ErrVersion, "2; versions 3 to 7"},
		"version 8":     {file(8, func(*writer) {}), ErrVersion, "8; versions 3 to 7"},
		"version -1":    {file(-1, func(*writer) {}), ErrVersion, "-1"},
		"id below zero": {append(file(3, func(*writer) {})[:8], bytes.Repeat([]byte{0xff}, 12)...), ErrCorrupt, "byte 8: checkpoint id"},

		"2^31-1 master states":   {append(file(3, func(*writer) {})[:16], 0x7f, 0xff, 0xff, 0xff), ErrTruncated, "number of master states"},
		"-1 master states":       {append(file(3, func(*writer) {})[:16], 0xff, 0xff, 0xff, 0xff), ErrCorrupt, "-1 is negative"},
		"2^31-1 operators":       {file(3, func(w *writer) { w.i32(huge) }), ErrTruncated, "2147483647 of at least 29 bytes"},
		"-2^31 operators":        {file(3, func(w *writer) { w.i32(math.MinInt32) }), ErrCorrupt, "negative"},
		"bytes after version 3":  {file(3, func(w *writer) { w.i32(0); w.u8(1) }), ErrCorrupt, "1 bytes follow"},
		"no properties":          {file(4, func(w *writer) { w.i32(0) }), ErrTruncated, "checkpoint properties"},
		"properties not of Java": {file(4, func(w *writer) { w.i32(0); w.i64(1) }), ErrCorrupt, "Java serialization"},
		"bytes after properties": {append(read(t, "inline"), 'x'), ErrCorrupt, "1 bytes follow the checkpoint properties"},

		"master state, wrong magic": {append(file(3, func(*writer) {})[:16], append([]byte{0, 0, 0, 1}, make([]byte, 99)...)...),
			ErrCorrupt, "magic number of a master state"},

		"parallelism above max":  {operator(2, 1, func(w *writer) { w.u8(0); w.i32(-1) }), ErrCorrupt, "of operator 0"},
		"max parallelism above":  {operator(1, 1<<15+1, func(w *writer) { w.u8(0); w.i32(-1) }), ErrCorrupt, "parallelism"},
		"coordinator in a file":  {operator(1, 1, func(w *writer) { w.u8(2); w.i64(1); w.utf("x"); w.i32(-1) }), ErrCorrupt, "not inline"},
		"finished, coordinator":  {operator(1, 1, func(w *writer) { w.u8(1); w.utf("x"); w.i32(0); w.i32(-1) }), ErrCorrupt, "no coordinator"},
		"-2 subtasks":            {operator(1, 1, func(w *writer) { w.u8(0); w.i32(-2) }), ErrCorrupt, "-2 is negative"},
		"2^31-1 subtasks":        {operator(1, 1, func(w *writer) { w.u8(0); w.i32(huge) }), ErrTruncated, "number of subtasks"},
		"two subtasks of one":    {operator(1, 1, func(w *writer) { w.u8(0); w.i32(2); w.i32(0); w.i32(0) }), ErrCorrupt, "more than the parallelism"},
		"index out of range":     {operator(1, 1, func(w *writer) { w.u8(0); w.i32(1); w.i32(1) }), ErrCorrupt, "index of subtask entry 0 of operator 0"},
		"finished, out of range": {operator(1, 1, func(w *writer) { w.u8(0); w.i32(1); w.i32(math.MinInt32) }), ErrCorrupt, "2147483647 is not below"},
		"index twice":            {operator(2, 2, func(w *writer) { w.u8(0); w.i32(2); w.i32(-1); w.i32(0); nothing(w) }), ErrCorrupt, "appears twice"},
		"two operator states":    {oneSubtask(func(w *writer) { w.i32(2) }), ErrCorrupt, "neither 0 nor 1"},
		"operator state type 5":  {oneSubtask(func(w *writer) { w.i32(1); w.u8(5) }), ErrCorrupt, "type 5 of an operator state handle"},
		"2^31-1 states":          {oneSubtask(func(w *writer) { w.i32(1); w.u8(4); w.i32(huge) }), ErrTruncated, "managed operator state"},
		"mode 3": {oneSubtask(func(w *writer) {
			w.i32(1)
			w.u8(4)
			w.i32(1)
			w.utf("s")
			w.u8(3)
			w.i64(0)
		}), ErrCorrupt, "mode 3 of a state"},
		"2^31-1 offsets": {oneSubtask(func(w *writer) {
			w.i32(1)
			w.u8(4)
			w.i32(1)
			w.utf("s")
			w.u8(0)
			w.i32(huge)
		}), ErrTruncated, "2147483647"},
		"name not in Java's UTF-8": {oneSubtask(func(w *writer) { w.i32(1); w.u8(4); w.i32(1); w.data = append(w.data, 0, 1, 0xff); w.i64(0) }), ErrCorrupt, "modified UTF-8"},

		"type 17 without segment": {oneSubtask(func(w *writer) {
			w.i32(1)
			w.u8(17)
			w.i32(0)
			w.utf("t")
			w.utf("s")
			w.u8(0)
			w.u8(0)
		}), ErrCorrupt, "holds no segment"},
		"flag of type 17": {oneSubtask(func(w *writer) {
			w.i32(1)
			w.u8(17)
			w.i32(0)
			w.utf("t")
			w.utf("s")
			w.u8(2)
		}), ErrCorrupt, "neither 0 nor 1"},

		"stream type 4":            {stream(func(w *writer) { w.u8(4) }), ErrCorrupt, "type 4 of a stream handle"},
		"2^31-1 inline bytes":      {stream(func(w *writer) { w.u8(1); w.utf("x"); w.i32(huge) }), ErrTruncated, "2147483647"},
		"file of -2 bytes":         {stream(func(w *writer) { w.u8(2); w.i64(-2) }), ErrCorrupt, "-2 is negative"},
		"segment beyond files":     {stream(func(w *writer) { w.u8(15); w.i64(math.MaxInt64); w.i64(1) }), ErrCorrupt, "ends beyond"},
		"segment before the start": {stream(func(w *writer) { w.u8(15); w.i64(-1) }), ErrCorrupt, "negative"},
		"segment of scope 2":       {stream(func(w *writer) { w.u8(15); w.i64(0); w.i64(1); w.i32(2) }), ErrCorrupt, "scope 2"},
		"key groups below zero":    {stream(func(w *writer) { w.u8(3); w.i32(-1); w.i32(1) }), ErrCorrupt, "impossible"},
		"2^31-1 key groups":        {stream(func(w *writer) { w.u8(3); w.i32(0); w.i32(huge) }), ErrCorrupt, "impossible"},
		"key groups in a circle": {stream(func(w *writer) {
			for range 10000 {
				w.u8(3)
				w.i64(0)
			}
		}), ErrCorrupt, "nest more than"},

		"keyed type 6":           {keyed(func(w *writer) { w.u8(6) }), ErrCorrupt, "type 6 of a keyed state handle"},
		"changelogs in a circle": {keyed(nested), ErrCorrupt, "nest more than"},
		"null in a changelog":    {keyed(func(w *writer) { w.u8(8); w.i64(0); w.i64(0); w.i32(1); w.u8(0) }), ErrCorrupt, "is null"},
		"2^31-1 in a changelog":  {keyed(func(w *writer) { w.u8(8); w.i64(0); w.i64(0); w.i32(huge) }), ErrTruncated, "2147483647"},
		"2^31-1 changes":         {keyed(func(w *writer) { w.u8(9); w.i64(0); w.i64(0); w.i64(0); w.i32(huge) }), ErrTruncated, "2147483647"},
		"2^31-1 parts":           {keyed(func(w *writer) { w.u8(10); w.i64(0); w.i32(huge) }), ErrTruncated, "2147483647"},
		"2^31-1 shared files": {keyed(func(w *writer) {
			w.u8(5)
			w.i64(0)
			w.utf("b")
			w.i64(0)
			w.u8(0)
			w.i32(huge)
		}), ErrTruncated, "2147483647"},
		"2^31-1 channels":          {keyed(func(w *writer) { w.u8(0); w.u8(0); w.i32(huge) }), ErrTruncated, "input channel state"},
		"channel type 2 for input": {strange(func(w *writer) { w.u8(2) }), ErrCorrupt, "type 2 of a channel handle"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if total := allocated(func() { _, err = Parse(test.data) }); total > 64<<10+uint64(len(test.data)) {
				t.Errorf("refusing %d bytes took %d bytes of memory", len(test.data), total)
			}
			if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v; want %v that says %q", err, test.kind, test.says)
			}
		})
	}
}

// strange is a file of version 6 whose subtask has one input channel, to be written by build.
func strange(build func(w *writer)) []byte {
	return file(6, func(w *writer) {
		w.i32(1)
		w.utf("")
		w.utf("")
		w.data = append(w.data, make([]byte, 16)...)
		w.i32(1)
		w.i32(1)
		w.u8(0)
		w.i32(1)
		w.i32(0)
		w.i64(0)
		w.u8(0)
		w.u8(0)
		w.i32(1)
		build(w)
		w.data = append(w.data, make([]byte, 30)...)
	})
}

// TestMemory parses the files in which the model is largest against the bytes of the file.
func TestMemory(t *testing.T) {
	const n = 20000
	for name, data := range map[string][]byte{
		"finished subtasks": file(3, func(w *writer) {
			w.i32(1)
			w.data = append(w.data, make([]byte, 16)...)
			w.i32(n)
			w.i32(n)
			w.u8(0)
			w.i32(n)
			for i := range int32(n) {
				w.i32(-(i + 1))
			}
		}),
		"null files": oneSubtask(func(w *writer) {
			w.i64(0)
			w.u8(5)
			w.i64(0)
			w.utf("")
			w.i64(0)
			w.u8(0)
			w.i32(n)
			for range n {
				w.utf("")
				w.u8(0)
			}
			w.i32(0)
			w.u8(0)
			w.i64(0)
		}),
		"states without entries": oneSubtask(func(w *writer) {
			w.i32(1)
			w.u8(4)
			w.i32(n)
			for range n {
				w.utf("")
				w.u8(0)
				w.i32(0)
			}
			w.u8(0)
			w.i32(0)
			w.u8(0)
			w.u8(0)
			w.i64(0)
		}),
		"operators": file(3, func(w *writer) {
			w.i32(n)
			for range n {
				w.data = append(w.data, make([]byte, 16+8+1)...)
				w.i32(0)
			}
		}),
		"many properties": properties(60000),
	} {
		t.Run(name, func(t *testing.T) {
			var m *Metadata
			var err error
			total := allocated(func() { m, err = Parse(data) })
			if err != nil {
				t.Fatal(err)
			}
			if ratio := float64(total) / float64(len(data)); ratio > 12.5 {
				t.Errorf("a file of %d bytes takes %d bytes of memory, %.1f times as many", len(data), total, ratio)
			}
			runtime.KeepAlive(m)
		})
	}
}

// properties is a file whose properties are an object of a class with n fields.
func properties(n int) []byte {
	return file(4, func(w *writer) {
		w.i32(0)
		w.data = append(w.data, 0xac, 0xed, 0, 5, 0x73, 0x72)
		w.utf("C")
		w.i64(0)
		w.u8(2)
		w.data = binary.BigEndian.AppendUint16(w.data, uint16(n))
		for range n {
			w.u8('Z')
			w.utf("")
		}
		w.data = append(w.data, 0x78, 0x70)
		w.data = append(w.data, make([]byte, n)...)
	})
}

func TestRead(t *testing.T) {
	data := read(t, "inline")
	if m, err := Read(bytes.NewReader(data), 0); err != nil || len(m.Operators) != 5 {
		t.Errorf("Read = %v, %v", m, err)
	}
	if _, err := Read(bytes.NewReader(data), int64(len(data))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := Read(bytes.NewReader(data), int64(len(data))-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	endless := io.MultiReader(bytes.NewReader(data), zeros{})
	if _, err := Read(endless, 100000); !errors.Is(err, ErrTooLarge) {
		t.Errorf("without an end: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(data[:100]), failing{})
	if _, err := Read(broken, 0); !errors.Is(err, errBroken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

// tenThousand is a file of 10,000 subtasks with a managed operator state in a file each, like a large job's.
func tenThousand() []byte {
	m := &Metadata{Version: 3, CheckpointID: 1}
	for o := range 10 {
		operator := Operator{ID: FromUID(fmt.Sprint("operator-", o)), Parallelism: 1000, MaxParallelism: 4096}
		for s := range 1000 {
			operator.Subtasks = append(operator.Subtasks, Subtask{Index: int32(s), SubtaskState: &SubtaskState{
				ManagedOperator: &OperatorHandle{
					Type: 4,
					States: []PartitionedState{
						{Name: "source-reader-state", Mode: Split, Offsets: []int64{400, 900, 1500}},
						{Name: "offsets", Mode: Union, Offsets: []int64{300}},
					},
					Stream: &RelativeHandle{Path: "3096ddf9-33af-4c26-9a5e-32287a83b7dd", Size: 49227},
				},
			}})
		}
		m.Operators = append(m.Operators, operator)
	}
	return encode(m)
}

// TestAllocations: the number of allocations does not grow with the handles.
func TestAllocations(t *testing.T) {
	data := tenThousand()
	if n := testing.AllocsPerRun(5, func() {
		if _, err := Parse(data); err != nil {
			t.Fatal(err)
		}
	}); n > 60 {
		t.Errorf("10,000 handles take %.0f allocations", n)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, data := range map[string][]byte{"10000-handles": tenThousand(), "inline": read(b, "inline")} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	// Small files only: they hold every handle, and the fuzzer takes minutes to shorten each variant of a capture.
	for _, name := range written {
		f.Add(read(f, name))
	}
	for version := MinVersion; version <= MaxVersion; version++ {
		f.Add(encode(everything(version)))
	}
	f.Add(read(f, "awschunked"))
	dir := Location{Scheme: "s3", Authority: "bucket", Path: "/chk-1"}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			checkError(t, err, len(data))
			return
		}
		sameMeaning(t, m, data)
		if d, err := Describe(m, dir); err == nil && d.TotalSize < 0 {
			t.Errorf("a total size of %d", d.TotalSize)
		}
	})
}
