package statefile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// The framing format of snappy (google/snappy, framing_format.txt), as snappy-java's SnappyFramedOutputStream writes it.
const (
	chunkCompressed = 0x00
	chunkStored     = 0x01
	chunkSkippable  = 0x80 // and all above
	chunkIdentifier = 0xff

	frameHeader = 4 // u8 type, u24 length in little-endian
	checksum    = 4
	// maxChunk is the most that a chunk holds uncompressed.
	maxChunk = 64 << 10
	// maxChunkBody is the most that it takes: Snappy's bound for incompressible data, and the checksum.
	maxChunkBody = 32 + maxChunk + maxChunk/6 + checksum

	streamIdentifier = "sNaPpY"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedChecksum is CRC-32C, rotated and shifted as the framing format asks.
func maskedChecksum(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// readChunk decodes the chunk at offset, and answers its content, which is empty for chunks that hold none, and the offset of
// the next chunk. Unlike a reader of whole streams it asks for no stream identifier at the start. The content is valid until
// the next call.
func readChunk(w *window, decoded []byte, offset int64) (content []byte, next int64, err error) {
	header, err := w.at(offset, frameHeader)
	if err != nil {
		return nil, 0, err
	}
	kind := header[0]
	length := int(header[1]) | int(header[2])<<8 | int(header[3])<<16
	offset += frameHeader
	next = offset + int64(length)
	if next > w.size {
		return nil, 0, fmt.Errorf("%w: a snappy chunk of %d bytes at %d ends after the %d of the stream",
			ErrTruncated, length, offset, w.size)
	}
	switch {
	case kind == chunkIdentifier:
		if length == len(streamIdentifier) {
			body, err := w.at(offset, length)
			if err != nil {
				return nil, 0, err
			}
			if string(body) == streamIdentifier {
				return nil, next, nil
			}
		}
		return nil, 0, fmt.Errorf("%w: the snappy stream identifier at %d is wrong", ErrCorrupt, offset)
	case kind >= chunkSkippable: // padding (0xfe) too
		return nil, next, nil
	case kind != chunkCompressed && kind != chunkStored:
		return nil, 0, fmt.Errorf("%w: a snappy chunk of the reserved type %#02x at %d cannot be skipped", ErrCorrupt, kind, offset)
	case length < checksum || length > maxChunkBody:
		return nil, 0, fmt.Errorf("%w: a snappy chunk at %d has the impossible length %d", ErrCorrupt, offset, length)
	}
	body, err := w.at(offset, length)
	if err != nil {
		return nil, 0, err
	}
	want := binary.LittleEndian.Uint32(body)
	content = body[checksum:]
	if kind == chunkCompressed {
		size, err := s2.DecodedLen(content)
		if err != nil || size > maxChunk {
			return nil, 0, fmt.Errorf("%w: a snappy chunk at %d holds more than %d bytes", ErrCorrupt, offset, maxChunk)
		}
		if content, err = s2.Decode(decoded[:0:cap(decoded)], content); err != nil {
			return nil, 0, fmt.Errorf("%w: a snappy chunk at %d: %w", ErrCorrupt, offset, err)
		}
	}
	if len(content) > maxChunk {
		return nil, 0, fmt.Errorf("%w: a snappy chunk at %d holds more than %d bytes", ErrCorrupt, offset, maxChunk)
	}
	if sum := maskedChecksum(content); sum != want {
		return nil, 0, fmt.Errorf("%w: a snappy chunk at %d has the checksum %08x, not %08x", ErrCorrupt, offset, sum, want)
	}
	return content, next, nil
}
