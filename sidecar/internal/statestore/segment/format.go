package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// ErrDamaged: the bytes are not those that were written, or another program wrote them.
var ErrDamaged = errors.New("damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrDamaged)...)
}

const (
	version      = 1
	headerBytes  = 24
	sectionBytes = 68
	blockHeader  = 8
	// blockTarget is when a block is written: small, since one value that lives on keeps the memory of its whole block.
	blockTarget = 64 << 10
	// maxBlock is what a reader takes at most: a block of one record is as long as the record.
	maxBlock = 256 << 20
	// maxRatio is how much smaller a block may be stored, so that a small file cannot make a reader take much memory.
	maxRatio = 1 << 16
)

var magic = [8]byte{'d', 'r', 'e', 'y', 's', 't', 'a', 't'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Kind of a segment.
type Kind uint8

// The kinds. A base has all keys of its key groups; an increment those that changed since the segment before.
const (
	Base Kind = iota + 1
	Increment
)

func (k Kind) String() string {
	switch k {
	case Base:
		return "base"
	case Increment:
		return "increment"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) {
	if k != Base && k != Increment {
		return nil, damaged("%s", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads it.
func (k *Kind) UnmarshalText(text []byte) error {
	switch string(text) {
	case "base":
		*k = Base
	case "increment":
		*k = Increment
	default:
		return damaged("kind %q", text)
	}
	return nil
}

type header struct {
	kind           Kind
	maxParallelism int
	keyGroups      statestore.Range
}

func (h header) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, version)
	dst = append(dst, byte(h.kind), 0)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(h.maxParallelism)) //nolint:gosec // at most MaxParallelism
	dst = binary.LittleEndian.AppendUint16(dst, h.keyGroups.From)
	dst = binary.LittleEndian.AppendUint16(dst, h.keyGroups.To)
	dst = append(dst, 0, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func readHeader(data []byte) (header, error) {
	if len(data) != headerBytes || !bytes.Equal(data[:8], magic[:]) {
		return header{}, damaged("this is no segment")
	}
	if v := binary.LittleEndian.Uint16(data[8:]); v != version {
		return header{}, fmt.Errorf("the segment has version %d, this program reads %d: use one that reads it", v, version)
	}
	if binary.LittleEndian.Uint32(data[20:]) != crc32.Checksum(data[:20], castagnoli) {
		return header{}, damaged("the header's checksum")
	}
	h := header{
		kind:           Kind(data[10]),
		maxParallelism: int(binary.LittleEndian.Uint16(data[12:])),
		keyGroups:      statestore.Range{From: binary.LittleEndian.Uint16(data[14:]), To: binary.LittleEndian.Uint16(data[16:])},
	}
	if h.kind != Base && h.kind != Increment {
		return header{}, damaged("%s", h.kind)
	}
	if err := h.keyGroups.Check(h.maxParallelism); err != nil {
		return header{}, damaged("%v", err)
	}
	return h, nil
}

// section is where a key group lies in a segment.
type section struct {
	keyGroup         uint16
	records, answers uint32
	offset, bytes    int64
	version          uint64
	sha256           [sha256.Size]byte
}

func (s *section) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, s.keyGroup)
	dst = append(dst, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, s.records)
	dst = binary.LittleEndian.AppendUint32(dst, s.answers)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.offset)) //nolint:gosec // not negative
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.bytes))  //nolint:gosec // not negative
	dst = binary.LittleEndian.AppendUint64(dst, s.version)
	return append(dst, s.sha256[:]...)
}

func appendIndex(dst []byte, sections []section) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(sections))) //nolint:gosec // at most MaxParallelism
	for i := range sections {
		dst = sections[i].append(dst)
	}
	return dst
}

// readIndex reads the index of a segment that has the key groups and whose index begins at the offset end. Nothing it says
// leads outside the segment.
func readIndex(data []byte, keyGroups statestore.Range, end int64) ([]section, error) {
	if len(data) < 4 {
		return nil, damaged("an index of %d bytes", len(data))
	}
	n := int64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; n > int64(keyGroups.Len()) || int64(len(data)) != n*sectionBytes {
		return nil, damaged("an index of %d sections in %d bytes, for %d key groups", n, len(data), keyGroups.Len())
	}
	sections := make([]section, n)
	next, at := int64(headerBytes), int64(-1)
	for i := range sections {
		row := data[i*sectionBytes:]
		s := &sections[i]
		*s = section{
			keyGroup: binary.LittleEndian.Uint16(row),
			records:  binary.LittleEndian.Uint32(row[4:]),
			answers:  binary.LittleEndian.Uint32(row[8:]),
			offset:   int64(binary.LittleEndian.Uint64(row[12:])), //nolint:gosec // compared below
			bytes:    int64(binary.LittleEndian.Uint64(row[20:])), //nolint:gosec // compared below
			version:  binary.LittleEndian.Uint64(row[28:]),
			sha256:   [sha256.Size]byte(row[36:sectionBytes]),
		}
		switch {
		case !keyGroups.Contains(s.keyGroup) || int64(s.keyGroup) <= at:
			return nil, damaged("a section of key group %d after %d, in a segment of %s", s.keyGroup, at, keyGroups)
		case s.offset != next || s.bytes < 0 || s.bytes > end-next:
			return nil, damaged("a section of %d bytes at %d, %d are left at %d", s.bytes, s.offset, end-next, next)
		case s.answers > s.records:
			return nil, damaged("a section of %d records with %d answers", s.records, s.answers)
		}
		next, at = next+s.bytes, int64(s.keyGroup)
	}
	if next != end {
		return nil, damaged("%d bytes before the index belong to no section", end-next)
	}
	return sections, nil
}
