package udf

import (
	"bytes"
	"unicode/utf8"
	"unsafe"
)

// source is where copies of what rows hold are made: small strings and bytes of many rows share an allocation, since one
// each would cost more than the copies.
type source struct {
	chunk  []byte // what is left of it
	visits int    // bytes of values of the row that may still be visited
}

// maxNesting is in how many values, one within the other, a byte of a row can be. Values that overlap would make more of
// a row than it is; honest ones do not.
const maxNesting = 64

const (
	chunkSize = 4096          // a value that the function keeps keeps its chunk
	maxShared = chunkSize / 8 // larger values have memory of their own
)

// start begins with a row whose variable part has that size.
func (s *source) start(size int) { s.visits = maxNesting * size }

// visit is false if more of the row was visited than it has.
func (s *source) visit(n int) bool {
	s.visits -= n
	return s.visits >= 0
}

// copy returns a copy of b that is never nil.
func (s *source) copy(b []byte) []byte {
	n := len(b)
	if n == 0 {
		return []byte{} // nil is NULL to many a reader
	}
	if n > maxShared {
		return bytes.Clone(b)
	}
	if n > len(s.chunk) {
		s.chunk = make([]byte, chunkSize)
	}
	part := s.chunk[:n:n]
	s.chunk = s.chunk[n:]
	copy(part, b)
	return part
}

// text returns b as a string.
func (s *source) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	part := s.copy(b)
	return unsafe.String(unsafe.SliceData(part), len(part)) // nobody else has part
}

// sink is what results are appended to. Buf may begin as memory of Java, which append leaves when it is full.
type sink struct{ Buf []byte }

// grow appends n zero bytes and returns where they begin.
func (w *sink) grow(n int) int {
	start := len(w.Buf)
	if cap(w.Buf)-start >= n {
		w.Buf = w.Buf[:start+n]
		clear(w.Buf[start:])
		return start
	}
	w.Buf = append(w.Buf, make([]byte, n)...)
	return start
}

func valid(b []byte) bool { return utf8.Valid(b) }
