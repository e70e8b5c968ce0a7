package statefile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// readOperator reads everything that a handle says is in data, and answers the first error.
func readOperator(handle *metadata.OperatorHandle, data []byte) error {
	state, err := OpenOperator(bytes.NewReader(data), int64(len(data)), Limits{MaxEntry: 1 << 20})
	if err != nil {
		return err
	}
	for i := range handle.States {
		partitioned := &handle.States[i]
		if partitioned.Mode == metadata.Broadcast {
			for _, err := range state.BroadcastEntries(partitioned) {
				if err != nil {
					return err
				}
			}
			continue
		}
		encoding := Bytes()
		if known, ok := state.Header().State(partitioned.Name); ok && known.Value != nil {
			encoding = known.Value
		}
		for _, err := range state.Entries(partitioned, encoding) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func readKeyed(handle *metadata.KeyGroupsHandle, maxParallelism int32, data []byte) error {
	state, err := OpenKeyed(handle, maxParallelism, bytes.NewReader(data), int64(len(data)), Limits{MaxEntry: 1 << 20})
	if err != nil {
		return err
	}
	for _, err := range state.Entries() {
		if err != nil {
			return err
		}
	}
	return nil
}

func known(err error) bool {
	for _, kind := range []error{ErrTruncated, ErrCorrupt, ErrTooLarge, ErrOpaque} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// subject is a stream and how all of it is read.
type subject struct {
	data []byte
	read func(data []byte) error
}

func subjects(t testing.TB) map[string]subject {
	list := map[string]subject{}
	for _, name := range []string{"inline", "compressed"} {
		c := readCapture(t, name)
		handle := c.operator(t, "go-udf-state").Subtasks[0].ManagedOperator
		list["operator state of "+name] = subject{handle.Stream.(*metadata.InlineHandle).Data,
			func(data []byte) error { return readOperator(handle, data) }}
		operator := c.operator(t, "keyed-count")
		keyed := operator.Subtasks[0].ManagedKeyed.(*metadata.KeyGroupsHandle)
		list["keyed state of "+name] = subject{keyed.Stream.(*metadata.InlineHandle).Data,
			func(data []byte) error { return readKeyed(keyed, operator.MaxParallelism, data) }}
	}
	for name, operator := range statesOfFlink(t) {
		if keyed, ok := operator.Subtasks[0].ManagedKeyed.(*metadata.KeyGroupsHandle); ok {
			list[name] = subject{keyed.Stream.(*metadata.InlineHandle).Data,
				func(data []byte) error { return readKeyed(keyed, operator.MaxParallelism, data) }}
			continue
		}
		handle := operator.Subtasks[0].ManagedOperator
		list[name] = subject{handle.Stream.(*metadata.InlineHandle).Data, func(data []byte) error { return readOperator(handle, data) }}
	}
	return list
}

// steps goes through the offsets of data: every one of the captures; of the larger streams of Flink's backends, where each
// step decodes hundreds of kilobytes, the head, the end and some between.
func steps(name string, data []byte, each func(i int)) {
	for i := 0; i < len(data); i += stride {
		if !strings.Contains(name, " of ") && i > 500 && i < len(data)-300 {
			i += 200
		}
		each(i)
	}
}

func TestTruncatedStreams(t *testing.T) {
	for name, subject := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := subject.read(subject.data); err != nil {
				t.Fatal(err)
			}
			steps(name, subject.data, func(i int) {
				// The last bytes may belong to nothing: an empty block at the end of the last key group, say, is read, but not missed.
				if err := subject.read(subject.data[:i]); !known(err) {
					t.Errorf("the first %d of %d bytes: %v", i, len(subject.data), err)
				}
			})
		})
	}
}

func TestCorruptedStreams(t *testing.T) {
	for name, subject := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := bytes.Clone(subject.data)
			steps(name, subject.data, func(i int) {
				changed[i] ^= 0xff
				if err := subject.read(changed); err != nil && !known(err) {
					t.Errorf("byte %d changed: %v is of no known kind", i, err)
				}
				changed[i] ^= 0xff
			})
		})
	}
}

// TestChecksumsCatchAll: in the framed part of a stream no changed byte goes unnoticed.
func TestChecksumsCatchAll(t *testing.T) {
	c := readCapture(t, "compressed")
	handle := c.operator(t, "go-udf-state").Subtasks[0].ManagedOperator
	data := bytes.Clone(handle.Stream.(*metadata.InlineHandle).Data)
	list, _ := handle.State("go-udf-list")
	for i := int(list.Offsets[0]); i < len(data); i++ {
		data[i] ^= 0x01
		if err := readOperator(handle, data); !known(err) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		data[i] ^= 0x01
	}
}

// TestLiesAboutLength: a length that the stream does not hold costs no memory.
func TestLiesAboutLength(t *testing.T) {
	element := []byte{0x7f, 0xff, 0xff, 0xff, 1, 2, 3}
	plain := append([]byte{0, 0, 0, 6, 0, 0, 0, 0, 0}, element...)
	framed := bytes.Join([][]byte{{0, 0, 0, 6, 1, 0, 0, 0, 0}, chunk(chunkStored, summed(element, element))}, nil)
	handle := func(offset int64) *metadata.OperatorHandle {
		return &metadata.OperatorHandle{States: []metadata.PartitionedState{{Name: "list", Offsets: []int64{offset}}}}
	}
	for name, test := range map[string]struct {
		data   []byte
		offset int64
		kind   error
	}{
		"plain":                {plain, 9, ErrTruncated},
		"framed":               {framed, 9, ErrTooLarge},
		"offset at the end":    {plain, int64(len(plain)), ErrTruncated},
		"offset after":         {plain, math.MaxInt64, ErrTruncated},
		"offset before":        {plain, -1, ErrTruncated},
		"negative length":      {append(bytes.Clone(plain[:9]), 0xff, 0xff, 0xff, 0xff), 9, ErrCorrupt},
		"framed, offset after": {framed, math.MaxInt64 - 1, ErrTruncated},
		"framed, before":       {framed, math.MinInt64, ErrTruncated},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := readOperator(handle(test.offset), test.data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), `"list"`) {
			t.Errorf("%s: %v, want %v", name, err, test.kind)
		}
		if total := after.TotalAlloc - before.TotalAlloc; total > 1<<20 {
			t.Errorf("%s: it took %d bytes of memory", name, total)
		}
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestSection(t *testing.T) {
	file := strings.NewReader("0123456789")
	for name, test := range map[string]struct {
		handle metadata.StreamHandle
		want   string
	}{
		"file":            {&metadata.FileHandle{Size: 10}, "0123456789"},
		"unknown size":    {&metadata.RelativeHandle{Size: -1}, "0123456789"},
		"relative":        {&metadata.RelativeHandle{Size: 4}, "0123"},
		"segment":         {&metadata.SegmentHandle{Start: 3, Size: 4}, "3456"},
		"segment, to end": {&metadata.SegmentHandle{Start: 8, Size: 2}, "89"},
		"inline":          {&metadata.InlineHandle{Data: []byte("inline")}, "inline"},
		"empty":           {metadata.EmptySegmentHandle{}, ""},
		"null":            {nil, ""},
		"wrapped":         {&metadata.KeyGroupsHandle{Stream: &metadata.SegmentHandle{Start: 1, Size: 1}}, "1"},
	} {
		section, err := Section(test.handle, file, file.Size())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(section); err != nil || string(got) != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
	for name, handle := range map[string]metadata.StreamHandle{
		"file too short":    &metadata.FileHandle{Size: 11},
		"segment beyond":    &metadata.SegmentHandle{Start: 8, Size: 3},
		"segment far away":  &metadata.SegmentHandle{Start: math.MaxInt64, Size: 1},
		"segment very long": &metadata.SegmentHandle{Start: 1, Size: math.MaxInt64},
	} {
		if _, err := Section(handle, file, file.Size()); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Section(&metadata.FileHandle{Size: 1}, nil, 0); err == nil {
		t.Error("a file handle without a file is read")
	}
	if _, err := OpenOperator(failing{}, 100, Limits{}); !errors.Is(err, errBroken) {
		t.Errorf("a file that fails: %v", err)
	}
	if _, err := OpenOperator(strings.NewReader("abc"), 100, Limits{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("a file shorter than its size: %v", err)
	}
}

func FuzzOperatorState(f *testing.F) {
	for _, subject := range subjects(f) {
		if len(subject.data) < 1000 {
			f.Add(subject.data, int64(437), uint8(0))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, offset int64, mode uint8) {
		handle := &metadata.OperatorHandle{States: []metadata.PartitionedState{
			{Name: "go-udf-list", Mode: metadata.Mode(mode % 3), Offsets: []int64{offset}}}}
		if err := readOperator(handle, data); err != nil && !known(err) {
			t.Errorf("%v is of no known kind", err)
		}
	})
}

// FuzzKeyedState changes one key group behind a header of Flink's: the headers are long and FuzzOperatorState has such, too.
func FuzzKeyedState(f *testing.F) {
	var names []string
	var headers [][]byte
	for name, operator := range statesOfFlink(f) {
		if operator.Subtasks[0].ManagedKeyed != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names) // a seed has the index of its header
	for which, name := range names {
		keyed := statesOfFlink(f)[name].Subtasks[0].ManagedKeyed.(*metadata.KeyGroupsHandle)
		data := keyed.Stream.(*metadata.InlineHandle).Data
		offsets := slices.DeleteFunc(slices.Clone(keyed.Offsets), func(offset int64) bool { return offset == 0 })
		headers = append(headers, data[:offsets[0]])
		offsets = append(offsets, int64(len(data)))
		for i := range offsets[1:] {
			if length := offsets[i+1] - offsets[i]; length > 60 && length < 500 {
				f.Add(data[offsets[i]:offsets[i+1]], uint8(which), uint16(slices.Index(keyed.Offsets, offsets[i])))
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint8, group uint16) {
		name := names[int(which)%len(names)]
		header := headers[int(which)%len(names)]
		handle := &metadata.KeyGroupsHandle{Type: metadata.TypeKeyGroupsV2, KeyGroups: metadata.KeyGroups{First: int32(group), Count: 1},
			Offsets: []int64{int64(len(header))}}
		if strings.HasPrefix(name, "savepoint") {
			handle.Type = metadata.TypeSavepoint
		}
		maxParallelism := int32(128)
		if strings.Contains(name, "300") {
			maxParallelism = 300
		}
		if err := readKeyed(handle, maxParallelism, slices.Concat(header, data)); err != nil && !known(err) {
			t.Errorf("%v is of no known kind", err)
		}
	})
}
