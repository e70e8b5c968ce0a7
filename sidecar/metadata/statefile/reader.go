package statefile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/drey-flink/drey/sidecar/metadata/internal/javautf"
)

// reader reads values from a stream, plain or framed. Its first error sticks, and every read after it answers zero.
type reader struct {
	window  window
	framed  bool
	decoded []byte // room for one chunk
	unread  []byte
	next    int64 // offset in the stream of the first byte after unread
	limit   int
	err     error
	// kept collects what is read while keeping is true.
	keeping bool
	kept    []byte
}

func newReader(source io.ReaderAt, size int64, limits Limits) *reader {
	return &reader{window: window{source: source, size: size}, limit: limits.maxEntry()}
}

// seek goes to an offset of the stream; framed tells how the bytes there are to be read.
func (r *reader) seek(offset int64, framed bool) {
	r.unread, r.next, r.framed = nil, offset, framed
	if framed && r.decoded == nil {
		r.decoded = make([]byte, maxChunk)
	}
}

// position is the offset of the next byte; in a framed stream it is only meaningful between chunks.
func (r *reader) position() int64 { return r.next - int64(len(r.unread)) }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) corrupt(format string, args ...any) {
	if r.err == nil {
		r.fail(fmt.Errorf("%w: near byte %d: %s", ErrCorrupt, r.position(), fmt.Sprintf(format, args...)))
	}
}

// fill makes unread non-empty, or fails.
func (r *reader) fill() bool {
	for len(r.unread) == 0 && r.err == nil {
		var err error
		if r.framed {
			r.unread, r.next, err = readChunk(&r.window, r.decoded, r.next)
		} else if r.unread, err = r.window.some(r.next); err == nil {
			r.next += int64(len(r.unread))
		}
		if err != nil {
			r.unread = nil
			r.fail(err)
		}
	}
	return r.err == nil
}

// skip reads n bytes and keeps them if asked to.
func (r *reader) skip(n int64) {
	if !r.framed && r.err == nil && n > r.window.size-r.position() {
		// Known without reading: say so before anything is kept.
		r.fail(fmt.Errorf("%w: %d bytes are needed at %d, it has %d", ErrTruncated, n, r.position(), r.window.size))
		return
	}
	if r.keeping && n > int64(r.limit-len(r.kept)) {
		r.fail(fmt.Errorf("%w of %d bytes", ErrTooLarge, r.limit))
		return
	}
	for n > 0 && r.fill() {
		k := int(min(n, int64(len(r.unread))))
		if r.keeping {
			r.kept = append(r.kept, r.unread[:k]...)
		}
		r.unread = r.unread[k:]
		n -= int64(k)
	}
}

// number reads a big-endian number of at most 8 bytes.
func (r *reader) number(size int) uint64 {
	if !r.keeping && len(r.unread) >= size && r.err == nil {
		value := uint64(0)
		for _, b := range r.unread[:size] {
			value = value<<8 | uint64(b)
		}
		r.unread = r.unread[size:]
		return value
	}
	value := uint64(0)
	for range size {
		if !r.fill() {
			return 0
		}
		value = value<<8 | uint64(r.unread[0])
		r.skip(1)
	}
	if r.err != nil {
		return 0
	}
	return value
}

func (r *reader) u8() uint8   { return uint8(r.number(1)) }
func (r *reader) u16() uint16 { return uint16(r.number(2)) }
func (r *reader) i32() int32  { return int32(r.number(4)) }

// count reads a number of elements or bytes.
func (r *reader) count() int64 {
	n := r.i32()
	if n < 0 {
		r.corrupt("a length of %d", n)
		return 0
	}
	return int64(n)
}

// keep answers a copy of the bytes that read reads.
func (r *reader) keep(read func()) []byte {
	if r.err != nil {
		return nil
	}
	r.keeping, r.kept = true, r.kept[:0]
	read()
	r.keeping = false
	if r.err != nil {
		return nil
	}
	if len(r.kept) == 0 {
		return []byte{}
	}
	return bytes.Clone(r.kept)
}

// utf reads a string of Java's writeUTF.
func (r *reader) utf() string {
	n := int64(r.u16())
	text, ok := javautf.Decode(r.keep(func() { r.skip(n) }))
	if !ok {
		r.corrupt("a string is not in Java's modified UTF-8")
	}
	return text
}
