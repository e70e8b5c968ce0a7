package udf

import (
	"unicode/utf8"
	"unsafe"
)

// source is where copies of what a row holds are made: one allocation for all strings and bytes of a small row.
type source struct {
	left   int // the most bytes that are still to be copied from the row, if none is copied twice
	chunk  []byte
	visits int // bytes of values that may still be visited
}

// maxNesting is in how many values, one within the other, a byte of a row can be. Values that overlap would make more of
// a row than it is; honest ones do not.
const maxNesting = 64

// maxChunk is the largest allocation that several values share. A value that the function keeps keeps its chunk.
const maxChunk = 4096

// start forgets the chunk of the last row, which its values keep. The new one's variable part has that size.
func (s *source) start(size int) { s.left, s.chunk, s.visits = size, nil, maxNesting*size }

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
	if n > len(s.chunk) {
		if n >= maxChunk/2 {
			s.left -= n
			return append(make([]byte, 0, n), b...)
		}
		s.chunk = make([]byte, max(n, min(s.left, maxChunk)))
	}
	part := s.chunk[:n:n]
	s.chunk, s.left = s.chunk[n:], s.left-n
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
