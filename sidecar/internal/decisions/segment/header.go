package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// Version is what this package writes, and all that it reads.
const Version = 1

const (
	headerSize      = 68
	blockHeaderSize = 76
	footerSize      = 76
	recordHeader    = 8
)

var (
	headerMagic = []byte("dreydlog")
	blockMagic  = []byte("dblk")
	footerMagic = []byte("dreydend")
	order       = binary.LittleEndian
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// ErrDamaged says that bytes are not what was written.
var ErrDamaged = errors.New("damaged")

// ErrUnfinished says that the last bytes of an open segment are no whole block: it is being written, or the writer died.
var ErrUnfinished = errors.New("unfinished block")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Head is the chain after a record: the record's number and hash. Number 0 is the state before the first one.
type Head struct {
	Seq  uint64
	Hash [sha256.Size]byte
}

// String writes a head as ParseHead reads it: number, colon, hash in hexadecimal digits.
func (h Head) String() string {
	return strconv.FormatUint(h.Seq, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

// ParseHead reads what String wrote.
func ParseHead(text string) (h Head, err error) {
	number, digits, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(digits)
	if err == nil && len(raw) == len(h.Hash) {
		copy(h.Hash[:], raw)
		if h.Seq, err = strconv.ParseUint(number, 10, 64); err == nil {
			return h, nil
		}
	}
	return Head{}, fmt.Errorf("%q is no head of a chain; write it as drey shows it: number, colon, 64 hexadecimal digits", text)
}

// Chain computes hashes, record by record. It is not safe for concurrent use.
type Chain struct {
	head Head
	sum  hash.Hash
}

// NewChain goes on after a head.
func NewChain(after Head) *Chain { return &Chain{head: after, sum: sha256.New()} }

// Add takes the next record.
func (c *Chain) Add(body []byte) {
	c.sum.Reset()
	c.sum.Write(c.head.Hash[:])
	c.sum.Write(body)
	c.sum.Sum(c.head.Hash[:0])
	c.head.Seq++
}

// Head is that of the last record.
func (c *Chain) Head() Head { return c.head }

// Set goes to another place, for a writer whose write came to nothing.
func (c *Chain) Set(h Head) { c.head = h }

type kind uint8

const (
	kindOpen   kind = 1
	kindSealed kind = 2
)

// Header begins a segment.
type Header struct {
	Before  Head // the chain before the first record
	Created time.Time
	Codec   Codec
	kind    kind
}

// HeaderSize is how many bytes NewHeader gives.
const HeaderSize = headerSize

// NewHeader returns the first bytes of an open segment.
func NewHeader(before Head, created time.Time) []byte {
	return appendHeader(nil, Header{Before: before, Created: created, kind: kindOpen})
}

func appendHeader(b []byte, h Header) []byte {
	start := len(b)
	b = append(b, headerMagic...)
	b = order.AppendUint16(b, Version)
	b = append(b, byte(h.kind), byte(h.Codec), 0, 0, 0, 0)
	b = order.AppendUint64(b, h.Before.Seq)
	b = order.AppendUint64(b, uint64(h.Created.UnixNano()))
	b = append(b, h.Before.Hash[:]...)
	return order.AppendUint32(b, checksum(b[start:]))
}

func parseHeader(b []byte) (Header, error) {
	if len(b) < headerSize {
		return Header{}, ErrUnfinished
	}
	b = b[:headerSize]
	if !bytes.Equal(b[:8], headerMagic) {
		return Header{}, damaged("not a segment of a decision log")
	}
	if v := order.Uint16(b[8:]); v != Version {
		return Header{}, fmt.Errorf("format %d; this drey reads format %d: use the drey that wrote it", v, Version)
	}
	if order.Uint32(b[64:]) != checksum(b[:64]) {
		return Header{}, damaged("the header's checksum")
	}
	h := Header{kind: kind(b[10]), Codec: Codec(b[11]), Created: time.Unix(0, int64(order.Uint64(b[24:])))}
	h.Before.Seq = order.Uint64(b[16:])
	copy(h.Before.Hash[:], b[32:])
	if h.kind != kindOpen && h.kind != kindSealed || h.Codec > Zstd || h.kind == kindOpen && h.Codec != None {
		return Header{}, damaged("kind %d, codec %d", h.kind, h.Codec)
	}
	return h, nil
}
