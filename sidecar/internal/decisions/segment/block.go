package segment

import (
	"bytes"
	"iter"
	"math"
)

// MaxRecord is the longest body of a record.
const MaxRecord = 12 << 20

// BeginRecord makes room for a record's header; the caller appends the body and calls FinishRecord with the length that b had
// before. (One call that takes a function would make what the function uses escape to the heap.)
func BeginRecord(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 0) }

// FinishRecord fills the header of the record that begins at start.
func FinishRecord(b []byte, start int) []byte {
	body := b[start+recordHeader:]
	order.PutUint32(b[start:], uint32(len(body)))
	order.PutUint32(b[start+4:], checksum(body))
	return b
}

// RecordSize is how many bytes the first record of b takes, b being what FinishRecord made.
func RecordSize(b []byte) int { return recordHeader + int(order.Uint32(b)) }

// RecordBody is the body of the first record of b, b being what FinishRecord made.
func RecordBody(b []byte) []byte { return b[recordHeader:RecordSize(b)] }

// Block is a number of records that were written together.
type Block struct {
	First            uint64 // number of the first record
	Count            int
	Earliest, Latest int64 // Unix ns
	After            Head
	Offset           int64  // in the file
	payload          []byte // not compressed
}

type blockHeader struct {
	stored, raw, count int
	first              uint64
	earliest, latest   int64
	after              [32]byte
}

// BlockHeaderSize is how many bytes PutBlockHeader fills.
const BlockHeaderSize = blockHeaderSize

// PutBlockHeader fills the header of a block that is not compressed: raw bytes of count records, of which the last one is after.
func PutBlockHeader(b []byte, raw, count int, earliest, latest int64, after Head) {
	putBlockHeader(b, blockHeader{
		stored: raw, raw: raw, count: count, first: after.Seq - uint64(count) + 1,
		earliest: earliest, latest: latest, after: after.Hash,
	})
}

func putBlockHeader(b []byte, h blockHeader) {
	b = b[:blockHeaderSize]
	copy(b, blockMagic)
	order.PutUint32(b[4:], uint32(h.stored))
	order.PutUint32(b[8:], uint32(h.raw))
	order.PutUint32(b[12:], uint32(h.count))
	order.PutUint64(b[16:], h.first)
	order.PutUint64(b[24:], uint64(h.earliest))
	order.PutUint64(b[32:], uint64(h.latest))
	copy(b[40:], h.after[:])
	order.PutUint32(b[72:], checksum(b[:72]))
}

func parseBlockHeader(b []byte) (blockHeader, error) {
	if len(b) < blockHeaderSize {
		return blockHeader{}, ErrUnfinished
	}
	b = b[:blockHeaderSize]
	if !bytes.Equal(b[:4], blockMagic) || order.Uint32(b[72:]) != checksum(b[:72]) {
		return blockHeader{}, damaged("a block's header")
	}
	h := blockHeader{
		first: order.Uint64(b[16:]), earliest: int64(order.Uint64(b[24:])), latest: int64(order.Uint64(b[32:])),
	}
	stored, raw, count := order.Uint32(b[4:]), order.Uint32(b[8:]), order.Uint32(b[12:])
	// A block that compression makes longer is possible, one that is much longer is not.
	if raw > MaxBlock || stored > raw+raw/2+1024 || count == 0 || uint64(count)*recordHeader > uint64(raw) || h.first == 0 ||
		h.first > math.MaxUint64-uint64(count) {
		return blockHeader{}, damaged("a block's lengths")
	}
	h.stored, h.raw, h.count = int(stored), int(raw), int(count)
	copy(h.after[:], b[40:])
	return h, nil
}

// parseBlock makes a block of its header and its stored bytes and checks every record's CRC, so that what follows may trust
// the payload, which is part of stored if that is not compressed.
func parseBlock(h blockHeader, stored []byte, codec Codec, d *decoders) (Block, error) {
	payload, err := d.decompress(codec, stored, h.raw)
	if err != nil {
		return Block{}, err
	}
	b := Block{
		First: h.first, Count: h.count, Earliest: h.earliest, Latest: h.latest, payload: payload,
		After: Head{Seq: h.first + uint64(h.count) - 1, Hash: h.after},
	}
	count := 0
	for rest := payload; len(rest) > 0; count++ {
		if len(rest) < recordHeader || uint64(order.Uint32(rest)) > uint64(len(rest)-recordHeader) {
			return Block{}, damaged("the length of record %d", h.first+uint64(count))
		}
		size := RecordSize(rest)
		if checksum(rest[recordHeader:size]) != order.Uint32(rest[4:]) {
			return Block{}, damaged("the checksum of record %d", h.first+uint64(count))
		}
		rest = rest[size:]
	}
	if count != h.count {
		return Block{}, damaged("%d records in a block of %d", count, h.count)
	}
	return b, nil
}

// Records goes through the bodies, which are part of the block's memory, and their numbers.
func (b *Block) Records() iter.Seq2[uint64, []byte] {
	return func(yield func(uint64, []byte) bool) {
		seq := b.First
		for rest := b.payload; len(rest) > 0; rest = rest[RecordSize(rest):] {
			if !yield(seq, RecordBody(rest)) {
				return
			}
			seq++
		}
	}
}
