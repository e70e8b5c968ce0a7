package segment

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// BlockBytes is about how long the blocks of a sealed segment are before compression: long enough to compress well, short
// enough that one decision is read in well under a millisecond.
const BlockBytes = 64 << 10

// Sealed is what came of sealing.
type Sealed struct {
	Last    Head
	Records int
	Bytes   int64 // of the sealed file
	Raw     int64 // of its blocks before compression
}

// Seal writes the records of an open segment, which grows no more, as a sealed one. Each record's checksum and the chain are
// checked on the way: a segment that is damaged is not sealed (ErrDamaged), since that would hide where it is. key reads a
// record's body. The caller makes the file durable.
func Seal(ctx context.Context, from *File, to io.Writer, codec Codec, key func(body []byte) (Key, error)) (Sealed, error) {
	enc, err := newEncoder(codec)
	if err != nil {
		return Sealed{}, err
	}
	s := &sealer{
		w: bufio.NewWriterSize(to, 1<<20), enc: enc, index: newIndexer(), chain: NewChain(from.Header.Before),
		block: make([]byte, 0, 2*BlockBytes),
	}
	header := from.Header
	header.kind, header.Codec = kindSealed, codec
	s.write(appendHeader(nil, header))
	for scan := from.Scan().Borrow(); ; {
		if err := ctx.Err(); err != nil {
			return Sealed{}, err
		}
		b, err := scan.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, ErrUnfinished) {
			err = damaged("the end of a segment that has a successor")
		}
		if err != nil {
			return Sealed{}, err
		}
		if err := s.add(b, key); err != nil {
			return Sealed{}, err
		}
	}
	return s.finish()
}

type sealer struct {
	w     *bufio.Writer
	at    int64 // bytes written
	err   error // of the first write that failed
	enc   *encoder
	index *indexer
	chain *Chain

	block  []byte // the records of the block that is being filled
	count  int
	keys   []Key // of these records, whose parts they are
	packed []byte
	sealed Sealed
}

func (s *sealer) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
		s.at += int64(len(b))
	}
}

// add takes over a block of the open segment.
func (s *sealer) add(b Block, key func([]byte) (Key, error)) error {
	if want := s.chain.Head().Seq + 1; b.First != want {
		return damaged("record %d stands where %d should", b.First, want)
	}
	for seq, body := range b.Records() {
		if len(s.block) > 0 && len(s.block)+len(body) > BlockBytes {
			if err := s.flush(); err != nil {
				return err
			}
		}
		start := len(s.block)
		s.block = FinishRecord(append(BeginRecord(s.block), body...), start)
		k, err := key(s.block[start+recordHeader:])
		if err != nil {
			return damaged("record %d: %v", seq, err)
		}
		s.keys = append(s.keys, k)
		s.chain.Add(body)
		s.count++
	}
	if s.chain.Head() != b.After {
		return damaged("the chain at record %d", b.After.Seq)
	}
	return s.err
}

// flush writes the block that is being filled.
func (s *sealer) flush() error {
	if s.count == 0 {
		return s.err
	}
	after := s.chain.Head()
	info := BlockInfo{Offset: s.at, First: after.Seq - uint64(s.count) + 1, Count: s.count, Earliest: s.keys[0].Time, Latest: s.keys[0].Time}
	for _, k := range s.keys {
		info.Earliest, info.Latest = min(info.Earliest, k.Time), max(info.Latest, k.Time)
	}
	if err := s.index.begin(info); err != nil {
		return err
	}
	for _, k := range s.keys {
		s.index.add(k)
	}
	s.packed = s.enc.compress(append(s.packed[:0], make([]byte, blockHeaderSize)...), s.block)
	putBlockHeader(s.packed, blockHeader{
		stored: len(s.packed) - blockHeaderSize, raw: len(s.block), count: s.count, first: info.First,
		earliest: info.Earliest, latest: info.Latest, after: after.Hash,
	})
	s.write(s.packed)
	s.sealed.Records += s.count
	s.sealed.Raw += int64(len(s.block))
	s.block, s.keys, s.count = s.block[:0], s.keys[:0], 0
	return s.err
}

func (s *sealer) finish() (Sealed, error) {
	if err := s.flush(); err != nil {
		return Sealed{}, err
	}
	buckets, directory := s.index.finish()
	foot := footer{
		buckets: s.at, directory: s.at + int64(len(buckets)), dirBytes: uint32(len(directory)),
		dirSum: checksum(directory), last: s.chain.Head(),
	}
	s.write(buckets)
	s.write(directory)
	s.write(appendFooter(nil, foot))
	if s.err == nil {
		s.err = s.w.Flush()
	}
	if s.err != nil {
		return Sealed{}, fmt.Errorf("write a sealed segment: %w", s.err)
	}
	s.sealed.Last, s.sealed.Bytes = s.chain.Head(), s.at
	return s.sealed, nil
}
