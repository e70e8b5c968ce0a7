package metadata

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/drey-flink/drey/sidecar/metadata/internal/javautf"
)

// walk reads the primitives of the file. The first error sticks: after it every read answers zero, so that callers check once
// per element and not once per field.
type walk struct {
	data     []byte
	at       int
	operator int // index for errors, -1 outside
	subtask  int // likewise
	err      error
	slabs    slabs
	strange  bool                          // a string is not plain ASCII
	built    bool                          // the second walk
	seen     [maxParallelism/64 + 1]uint64 // bits of the subtask indexes that the present operator has had
	none     *SubtaskState                 // the empty state that all finished subtasks embed, so that no reader meets a nil
}

func (w *walk) left() int { return len(w.data) - w.at }

// fail notes the first error, at the byte where the value begins. After it nothing is left to read, so that the fast paths below
// need to compare lengths only.
func (w *walk) fail(at int, reading string, err error) {
	if w.err == nil {
		w.err = &Error{Offset: int64(at), Reading: reading, Operator: w.operator, Subtask: w.subtask, Err: err}
		w.data = w.data[:w.at]
	}
}

func (w *walk) corrupt(at int, reading, format string, args ...any) {
	if w.err == nil {
		w.fail(at, reading, fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...)))
	}
}

// truncated is apart from take so that take stays small enough to be inlined. It answers nil.
func (w *walk) truncated(n int, reading string) []byte {
	if w.err == nil {
		w.fail(w.at, reading, fmt.Errorf("%w: %d bytes are needed, %d are left", ErrTruncated, n, w.left()))
	}
	return nil
}

// take answers the next n bytes, nil at an error.
func (w *walk) take(n int, reading string) []byte {
	if n > len(w.data)-w.at {
		return w.truncated(n, reading)
	}
	w.at += n
	return w.data[w.at-n : w.at : w.at]
}

func (w *walk) u8(reading string) uint8 {
	if w.at >= len(w.data) {
		w.truncated(1, reading)
		return 0
	}
	w.at++
	return w.data[w.at-1]
}

func (w *walk) i32(reading string) int32 {
	if len(w.data)-w.at < 4 {
		w.truncated(4, reading)
		return 0
	}
	w.at += 4
	return int32(binary.BigEndian.Uint32(w.data[w.at-4:]))
}

func (w *walk) i64(reading string) int64 {
	if len(w.data)-w.at < 8 {
		w.truncated(8, reading)
		return 0
	}
	w.at += 8
	return int64(binary.BigEndian.Uint64(w.data[w.at-8:]))
}

// flag reads a Java boolean, and refuses what no writer writes.
func (w *walk) flag(reading string) bool {
	at := w.at
	value := w.u8(reading)
	if value > 1 {
		w.corrupt(at, reading, "%d is neither 0 nor 1", value)
	}
	return value == 1
}

// count reads how many elements follow, each of which takes at least size bytes: more than fit into the rest of the file are
// refused before anybody makes room for them.
func (w *walk) count(size int, reading string) int {
	at := w.at
	n := int(w.i32(reading))
	if n < 0 {
		w.corrupt(at, reading, "%d is negative", n)
		return 0
	}
	if int64(n)*int64(size) > int64(w.left()) {
		w.fail(at, reading, fmt.Errorf("%w: %d of at least %d bytes each are announced, %d bytes are left",
			ErrTruncated, n, size, w.left()))
		return 0
	}
	if w.err != nil {
		return 0
	}
	return n
}

// bytes reads a length and as many bytes.
func (w *walk) bytes(reading string) []byte {
	n := w.count(1, reading)
	return w.take(n, reading)
}

// size reads a number of bytes that is not of this file; atLeast is -1 where Flink writes -1 for "not known".
func (w *walk) size(atLeast int64, reading string) int64 {
	at := w.at
	size := w.i64(reading)
	if size < atLeast {
		w.corrupt(at, reading, "%d is negative", size)
	}
	return size
}

// offsets reads n offsets.
func (w *walk) offsets(n int, reading string) []int64 {
	if w.err == nil && n > w.left()/8 {
		w.truncated(8*n, reading)
	}
	bytes := w.take(8*n, reading)
	if bytes == nil {
		return nil
	}
	offsets := w.slabs.offsets.many(n)
	for i := range offsets {
		offsets[i] = int64(binary.BigEndian.Uint64(bytes[8*i:]))
	}
	return offsets
}

// utf reads a string in Java's modified UTF-8 (java.io.DataInput.readUTF).
func (w *walk) utf(reading string) string {
	at := w.at
	length := w.take(2, reading)
	if length == nil {
		return ""
	}
	bytes := w.take(int(binary.BigEndian.Uint16(length)), reading)
	if len(bytes) == 0 {
		return ""
	}
	if !w.built {
		if isPlain(bytes) {
			return ""
		}
		w.strange = true
		if _, ok := javautf.Decode(bytes); !ok {
			w.corrupt(at, reading, "a string is not in Java's modified UTF-8")
		}
		return ""
	}
	if w.strange && !isPlain(bytes) {
		decoded, _ := javautf.Decode(bytes)
		return decoded
	}
	// Parse's caller has promised not to change data, and inline state points into it anyway; names and paths are most of a
	// large file, so they are not copied either.
	return unsafe.String(&bytes[0], len(bytes))
}

// isPlain is true for ASCII without NUL, which is the same in Java's modified UTF-8 and in Go. Eight bytes at a time: names and
// paths are most of a large file.
func isPlain(bytes []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(bytes) >= 8; bytes = bytes[8:] {
		// A byte borrows from its top bit if it is zero, and has it set if it is not ASCII.
		if word := binary.LittleEndian.Uint64(bytes); (word-ones|word)&tops != 0 {
			return false
		}
	}
	for _, b := range bytes {
		if b >= utf8.RuneSelf || b == 0 {
			return false
		}
	}
	return true
}
