package statefile

import (
	"errors"
	"fmt"
	"io"

	"github.com/drey-flink/drey/sidecar/metadata"
)

var (
	// ErrTruncated: the stream ends before what it announces.
	ErrTruncated = errors.New("the state file ends too early")
	// ErrCorrupt: the stream holds what no Flink writes.
	ErrCorrupt = errors.New("the state file is damaged")
	// ErrTooLarge: an entry is larger than Limits allow.
	ErrTooLarge = errors.New("a state entry is larger than the limit")
	// ErrOpaque: the state is written by a serializer that this package does not know.
	ErrOpaque = errors.New("the state's serializer is not known")
)

// DefaultMaxEntry is the largest entry that is read by default: 64 MiB.
const DefaultMaxEntry = 64 << 20

// Limits bound what reading takes.
type Limits struct {
	// MaxEntry is the largest key, value or list entry in bytes; 0 stands for DefaultMaxEntry.
	MaxEntry int
}

func (l Limits) maxEntry() int {
	if l.MaxEntry <= 0 {
		return DefaultMaxEntry
	}
	return l.MaxEntry
}

// Section cuts the stream of a handle from the file that the handle names. file may be nil for state without a file: inline
// bytes and empty segments. The size of the section is what the handle says; where Flink noted none, fileSize.
func Section(handle metadata.StreamHandle, file io.ReaderAt, fileSize int64) (*io.SectionReader, error) {
	offset, size := int64(0), int64(0)
	switch handle := handle.(type) {
	case *metadata.InlineHandle:
		return io.NewSectionReader(inline(handle.Data), 0, int64(len(handle.Data))), nil
	case metadata.EmptySegmentHandle, nil:
		return io.NewSectionReader(inline(nil), 0, 0), nil
	case *metadata.KeyGroupsHandle:
		return Section(handle.Stream, file, fileSize)
	case *metadata.FileHandle:
		size = handle.Size
	case *metadata.RelativeHandle:
		size = handle.Size
	case *metadata.SegmentHandle:
		offset, size = handle.Start, handle.Size
	default:
		return nil, fmt.Errorf("a stream handle of type %T is not known", handle)
	}
	if file == nil {
		return nil, errors.New("the state lies in a file, which is needed to read it")
	}
	if size < 0 {
		size = fileSize
	}
	if offset > fileSize || size > fileSize-offset {
		return nil, fmt.Errorf("%w: the handle needs %d bytes from %d on, the file has %d", ErrTruncated, size, offset, fileSize)
	}
	return io.NewSectionReader(file, offset, size), nil
}

// inline reads at offsets of bytes, as bytes.Reader does but without a position.
type inline []byte

func (b inline) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 || offset > int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// windowSize is what is read at a time. It holds the largest chunk of a snappy stream: see maxChunkBody.
const windowSize = 96 << 10

// window is a part of a stream, kept so that small reads do not each become a read of the file.
type window struct {
	source io.ReaderAt
	size   int64
	start  int64
	data   []byte
	buffer []byte
}

// at answers n bytes at offset, at most windowSize; they are valid until the next call.
func (w *window) at(offset int64, n int) ([]byte, error) {
	if offset < 0 || offset > w.size || int64(n) > w.size-offset {
		return nil, fmt.Errorf("%w: %d bytes are needed at %d, it has %d", ErrTruncated, n, offset, w.size)
	}
	if offset < w.start || offset+int64(n) > w.start+int64(len(w.data)) {
		if err := w.fill(offset); err != nil {
			return nil, err
		}
	}
	return w.data[offset-w.start:][:n], nil
}

// some answers all bytes at hand at offset, at least one.
func (w *window) some(offset int64) ([]byte, error) {
	if _, err := w.at(offset, 1); err != nil {
		return nil, err
	}
	return w.data[offset-w.start:], nil
}

func (w *window) fill(offset int64) error {
	n := int(min(windowSize, w.size-offset))
	if cap(w.buffer) < n {
		w.buffer = make([]byte, n)
	}
	w.data = nil
	read, err := w.source.ReadAt(w.buffer[:n], offset)
	if read < n {
		if err == nil || errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the file has %d bytes where %d were expected", ErrTruncated, offset+int64(read), w.size)
		}
		return fmt.Errorf("state file: read at %d: %w", offset, err)
	}
	w.start, w.data = offset, w.buffer[:n]
	return nil
}
