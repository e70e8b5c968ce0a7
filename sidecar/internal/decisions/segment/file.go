package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Reader opens segments. It is safe for concurrent use.
type Reader struct{ dec decoders }

// File is a segment, open for reading. It is safe for concurrent use, but for its scanners.
type File struct {
	Header Header
	src    io.ReaderAt
	close  func() error
	dec    *decoders
	foot   *footer // nil for an open segment
}

type footer struct {
	buckets, directory int64
	dirBytes, dirSum   uint32
	last               Head
}

// Open opens a file. The error is fs.ErrNotExist if it is gone (sealed or dropped meanwhile: look at the folder again),
// ErrUnfinished if it is shorter than a header, ErrDamaged if it has none.
func (r *Reader) Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	file, err := r.open(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return file, nil
}

func (r *Reader) open(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := r.From(f, info.Size())
	if err != nil {
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// From reads a segment of size bytes. A sealed one whose footer is damaged is taken as one without an index.
func (r *Reader) From(src io.ReaderAt, size int64) (*File, error) {
	head, err := read(src, 0, int(min(size, headerSize)))
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(head)
	if err != nil {
		return nil, err
	}
	f := &File{Header: h, src: src, dec: &r.dec, close: func() error { return nil }}
	if h.kind == kindSealed {
		foot, err := readFooter(src, size)
		if err != nil && !errors.Is(err, ErrDamaged) {
			return nil, err
		}
		f.foot = foot
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Sealed says whether the file is of the kind that does not change.
func (f *File) Sealed() bool { return f.Header.kind == kindSealed }

// Last is the chain at the end of a sealed segment; ok is false for an open one, or one with a damaged footer.
func (f *File) Last() (last Head, ok bool) {
	if f.foot == nil {
		return Head{}, false
	}
	return f.foot.last, true
}

// Scan reads the blocks from the first one on.
func (f *File) Scan() *Scanner {
	s := &Scanner{src: f.src, codec: f.Header.Codec, dec: f.dec, next: headerSize}
	if f.foot != nil {
		s.limit = f.foot.buckets
	}
	return s
}

// Directory reads what the segment knows of itself. The error is ErrDamaged if it has none that can be trusted; its blocks can
// be scanned all the same.
func (f *File) Directory() (*Directory, error) {
	if f.foot == nil {
		return nil, damaged("the footer")
	}
	b, err := read(f.src, f.foot.directory, int(f.foot.dirBytes))
	if err != nil {
		return nil, err
	}
	if checksum(b) != f.foot.dirSum {
		return nil, damaged("the directory's checksum")
	}
	return parseDirectory(b, f.foot.buckets, f.foot.directory)
}

// Candidates are the indices of the blocks that may hold an id, in order.
func (f *File) Candidates(d *Directory, id string) ([]int, error) {
	hash := Hash(id)
	i := bucketOf(hash, d.width)
	var from uint32
	if i > 0 {
		from = d.buckets[i-1].end
	}
	b, err := read(f.src, f.foot.buckets+int64(from)*entrySize, int(d.buckets[i].end-from)*entrySize)
	if err != nil {
		return nil, err
	}
	if checksum(b) != d.buckets[i].sum {
		return nil, damaged("the checksum of bucket %d", i)
	}
	var found []int
	for ; len(b) > 0; b = b[entrySize:] {
		if order.Uint16(b[2:]) != uint16(hash) {
			continue
		}
		block := int(order.Uint16(b))
		if block >= len(d.Blocks) {
			return nil, damaged("an entry of bucket %d", i)
		}
		found = append(found, block)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// Block reads one block.
func (f *File) Block(info BlockInfo) (Block, error) {
	b, err := read(f.src, info.Offset, blockHeaderSize)
	if err != nil {
		return Block{}, err
	}
	h, err := parseBlockHeader(b)
	if err != nil {
		return Block{}, err
	}
	if h.first != info.First || h.count != info.Count {
		return Block{}, damaged("block %d is not the one of the directory", info.First)
	}
	if b, err = read(f.src, info.Offset+blockHeaderSize, h.stored); err != nil {
		return Block{}, err
	}
	block, err := parseBlock(h, b, f.Header.Codec, f.dec)
	block.Offset = info.Offset
	return block, err
}

func readFooter(src io.ReaderAt, size int64) (*footer, error) {
	if size < headerSize+footerSize {
		return nil, damaged("the footer")
	}
	b, err := read(src, size-footerSize, footerSize)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b[68:], footerMagic) || order.Uint32(b[64:]) != checksum(b[:64]) {
		return nil, damaged("the footer")
	}
	f := &footer{
		buckets: int64(order.Uint64(b)), directory: int64(order.Uint64(b[8:])),
		dirBytes: order.Uint32(b[16:]), dirSum: order.Uint32(b[20:]),
	}
	f.last.Seq = order.Uint64(b[24:])
	copy(f.last.Hash[:], b[32:])
	if f.buckets < headerSize || f.directory < f.buckets || f.directory+int64(f.dirBytes) != size-footerSize {
		return nil, damaged("the footer's offsets")
	}
	return f, nil
}

func appendFooter(b []byte, f footer) []byte {
	start := len(b)
	b = order.AppendUint64(b, uint64(f.buckets))
	b = order.AppendUint64(b, uint64(f.directory))
	b = order.AppendUint32(b, f.dirBytes)
	b = order.AppendUint32(b, f.dirSum)
	b = order.AppendUint64(b, f.last.Seq)
	b = append(b, f.last.Hash[:]...)
	b = order.AppendUint32(b, checksum(b[start:]))
	return append(b, footerMagic...)
}

// read returns exactly n bytes of its own; fewer is damage, since whoever asks knows of n.
func read(src io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if got, err := src.ReadAt(b, at); got < n {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, damaged("the file ends at %d, %d bytes were expected at %d", at+int64(got), n, at)
		}
		return nil, err
	}
	return b, nil
}

// Gone says that a file is no longer there.
func Gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
