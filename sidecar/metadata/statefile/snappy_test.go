package statefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// chunk writes a chunk of the framing format.
func chunk(kind byte, body []byte) []byte {
	return append([]byte{kind, byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16)}, body...)
}

func summed(content, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, maskedChecksum(content)), body...)
}

func stored(content string) []byte {
	return chunk(chunkStored, summed([]byte(content), []byte(content)))
}

func compressed(content string) []byte {
	return chunk(chunkCompressed, summed([]byte(content), s2.EncodeSnappy(nil, []byte(content))))
}

func identifier() []byte { return chunk(chunkIdentifier, []byte(streamIdentifier)) }

// readFrames reads n bytes of a framed stream.
func readFrames(data []byte, n int) ([]byte, error) {
	r := newReader(bytes.NewReader(data), int64(len(data)), Limits{})
	r.seek(0, true)
	content := r.keep(func() { r.skip(int64(n)) })
	return content, r.err
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("long ", 13000)
	for name, test := range map[string]struct {
		frames [][]byte
		want   string
	}{
		"stored":                  {[][]byte{stored("abc")}, "abc"},
		"compressed":              {[][]byte{compressed("aaaaaaaaaaaaaaaaaaaa")}, "aaaaaaaaaaaaaaaaaaaa"},
		"over chunks":             {[][]byte{stored("ab"), compressed("cdcdcdcdcd"), stored("e")}, "abcdcdcdcdcde"},
		"identifier anywhere":     {[][]byte{identifier(), stored("a"), identifier(), identifier(), stored("b")}, "ab"},
		"no identifier":           {[][]byte{stored("a")}, "a"},
		"padding":                 {[][]byte{chunk(0xfe, make([]byte, 10)), stored("a"), chunk(0xfe, nil), stored("b")}, "ab"},
		"skippable":               {[][]byte{chunk(0x80, []byte("x")), stored("a"), chunk(0xfd, []byte("y")), stored("b")}, "ab"},
		"skippable and very long": {[][]byte{chunk(0x90, make([]byte, 1<<24-1)), stored("a")}, "a"},
		"empty chunks":            {[][]byte{stored(""), compressed(""), stored("a")}, "a"},
		"as long as allowed":      {[][]byte{compressed(long), stored(long)}, long + long},
		"what follows is unread":  {[][]byte{stored("a"), {0x02, 0, 0, 0}}, "a"},
	} {
		got, err := readFrames(bytes.Join(test.frames, nil), len(test.want))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %.40q, %v; want %.40q", name, got, err, test.want)
		}
	}
}

func TestFramesRefused(t *testing.T) {
	flipped := stored("abc")
	flipped[len(flipped)-1] ^= 1
	bomb := chunk(chunkCompressed, append(make([]byte, 4), 0xff, 0xff, 0xff, 0xff, 0x07)) // says 2^31-1 bytes
	for name, test := range map[string]struct {
		data []byte
		kind error
		says string
	}{
		"reserved 02":         {chunk(0x02, []byte("x")), ErrCorrupt, "reserved type 0x02"},
		"reserved 7f":         {chunk(0x7f, []byte("x")), ErrCorrupt, "reserved type 0x7f"},
		"wrong checksum":      {flipped, ErrCorrupt, "checksum"},
		"wrong identifier":    {chunk(0xff, []byte("sNaPpy")), ErrCorrupt, "identifier"},
		"short identifier":    {chunk(0xff, []byte("sNaP")), ErrCorrupt, "identifier"},
		"nothing":             {nil, ErrTruncated, ""},
		"half a header":       {[]byte{1, 2}, ErrTruncated, ""},
		"half a chunk":        {stored("abc")[:8], ErrTruncated, "ends after"},
		"no room for the sum": {chunk(chunkStored, []byte{1, 2, 3}), ErrCorrupt, "impossible length 3"},
		"longer than allowed": {chunk(chunkStored, make([]byte, 1<<20)), ErrCorrupt, "impossible length"},
		"more than it may hold": {chunk(chunkStored, summed(make([]byte, maxChunk+1), make([]byte, maxChunk+1))),
			ErrCorrupt, "more than 65536"},
		"bomb":            {bomb, ErrCorrupt, "more than 65536"},
		"not snappy":      {chunk(chunkCompressed, append(make([]byte, 4), 5, 0xff, 0xff)), ErrCorrupt, ""},
		"only identifier": {identifier(), ErrTruncated, ""},
	} {
		got, err := readFrames(test.data, 1)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v; want %v that says %q", name, got, err, test.kind, test.says)
		}
	}
}

// TestFlinkWritesBothKinds: the captures alone have only stored chunks, so see that the files that test this hold both.
func TestFlinkWritesBothKinds(t *testing.T) {
	handle := statesOfFlink(t)["operator compressed"].Subtasks[0].ManagedOperator
	data := handle.Stream.(*metadata.InlineHandle).Data
	start := int64(bytes.Index(data, []byte(streamIdentifier)) - frameHeader)
	kinds := map[byte]int{}
	w := &window{source: bytes.NewReader(data), size: int64(len(data))}
	decoded := make([]byte, maxChunk)
	for at := start; at < int64(len(data)); {
		header, err := w.at(at, 1)
		if err != nil {
			t.Fatal(err)
		}
		kinds[header[0]]++
		if _, at, err = readChunk(w, decoded, at); err != nil {
			t.Fatal(err)
		}
	}
	if kinds[chunkCompressed] < 4 || kinds[chunkStored] < 4 || kinds[chunkIdentifier] != 1 || len(kinds) != 3 {
		t.Errorf("chunks by type: %v", kinds)
	}
}

// endless reads zeros and counts how many were asked for.
type counting struct {
	io.ReaderAt
	bytes int
}

func (c *counting) ReadAt(p []byte, offset int64) (int, error) {
	c.bytes += len(p)
	return c.ReaderAt.ReadAt(p, offset)
}

// TestReadsOnce: small entries do not each cost a read of the file.
func TestReadsOnce(t *testing.T) {
	handle := statesOfFlink(t)["operator compressed"].Subtasks[0].ManagedOperator
	data := handle.Stream.(*metadata.InlineHandle).Data
	source := &counting{ReaderAt: bytes.NewReader(data)}
	state, err := OpenOperator(source, int64(len(data)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	partitioned, _ := handle.State("list")
	for _, err := range state.ByteEntries(partitioned) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if source.bytes > 3*len(data) {
		t.Errorf("a stream of %d bytes was read %d bytes", len(data), source.bytes)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(bytes.Join([][]byte{identifier(), stored("abc"), compressed("aaaaaaaaaaaaaaaa"), chunk(0xfe, nil), stored("d")}, nil), 20)
	f.Add(chunk(0x02, []byte("x")), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		n = max(0, min(n, 1<<20))
		got, err := readFrames(data, n)
		switch {
		case err == nil && len(got) != n:
			t.Errorf("%d bytes were asked for, %d came", n, len(got))
		case err != nil && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt):
			t.Errorf("%v is of no known kind", err)
		}
	})
}
