package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"unsafe"

	"github.com/klauspost/compress/s2"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// sink takes what a section holds, in order. Keys and bytes are its own.
type sink interface {
	Put(key string, v statestore.Value)
	Delete(key string)
	Answer(a statestore.Answer)
}

// readSection reads a section from r, which is at its beginning, and compares its hash. Until it returns nil nothing of what
// the sink was given can be trusted.
func readSection(r io.Reader, s *section, to sink) error {
	in := sectionReader{r: r, left: s.bytes, sum: sha256.New()}
	var records, answers uint32
	for in.left > 0 {
		block, err := in.block()
		if err != nil {
			return err
		}
		for len(block) > 0 {
			kind := block[0]
			if block, err = readRecord(block, to); err != nil {
				return err
			}
			if records++; records > s.records {
				return damaged("key group %d has more than %d records", s.keyGroup, s.records)
			}
			if kind == recordAnswer {
				answers++
			}
		}
	}
	if sum := in.sum.Sum(nil); [sha256.Size]byte(sum) != s.sha256 {
		return damaged("the hash of key group %d is %x, not %x", s.keyGroup, sum, s.sha256)
	}
	if records != s.records || answers != s.answers {
		return damaged("key group %d has %d records with %d answers, not %d with %d", s.keyGroup, records, answers, s.records, s.answers)
	}
	return nil
}

type sectionReader struct {
	r    io.Reader
	left int64
	sum  hash.Hash
}

func (in *sectionReader) full(data []byte) error {
	if _, err := io.ReadFull(in.r, data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return damaged("%d bytes of a section are missing", in.left)
		}
		return err
	}
	in.left -= int64(len(data))
	in.sum.Write(data) //nolint:errcheck // a hash never fails
	return nil
}

// block returns the next block, not compressed, in memory of its own.
func (in *sectionReader) block() ([]byte, error) {
	if in.left < blockHeader {
		return nil, damaged("%d bytes at the end of a section", in.left)
	}
	var head [blockHeader]byte
	if err := in.full(head[:]); err != nil {
		return nil, err
	}
	raw, stored := int64(binary.LittleEndian.Uint32(head[:])), int64(binary.LittleEndian.Uint32(head[4:]))
	if raw == 0 || raw > maxBlock || stored > in.left || stored > raw || raw > stored*maxRatio {
		return nil, damaged("a block of %d bytes stored as %d, %d are left", raw, stored, in.left)
	}
	data, err := in.take(stored)
	if err != nil {
		return nil, err
	}
	if raw == stored {
		return data, nil
	}
	if n, err := s2.DecodedLen(data); err != nil || int64(n) != raw {
		return nil, damaged("a compressed block of %d bytes, not %d", n, raw)
	}
	out, err := s2.Decode(nil, data)
	if err != nil {
		return nil, damaged("%v", err)
	}
	return out, nil
}

// take reads n bytes. A long block is read piece by piece: a length that lies does not cost its memory.
func (in *sectionReader) take(n int64) ([]byte, error) {
	const piece = 1 << 20
	if n <= piece {
		data := make([]byte, n)
		return data, in.full(data)
	}
	var data []byte
	for int64(len(data)) < n {
		at := len(data)
		data = append(data, make([]byte, min(piece, n-int64(at)))...)
		if err := in.full(data[at:]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readRecord gives one record to the sink and returns what is behind it. It copies nothing: the block is never written to.
func readRecord(block []byte, to sink) ([]byte, error) {
	kind, rest := block[0], block[1:]
	key, rest, err := readBytes(rest)
	if err != nil {
		return nil, err
	}
	name := unsafe.String(unsafe.SliceData(key), len(key))
	switch kind {
	case recordDeleted:
		to.Delete(name)
		return rest, nil
	case recordAnswer:
		data, rest, err := readBytes(rest)
		if err != nil {
			return nil, err
		}
		to.Answer(statestore.Answer{ID: name, Data: data})
		return rest, nil
	case recordValue, recordExpiring:
	default:
		return nil, damaged("a record of kind %d", kind)
	}
	var v statestore.Value
	var n int
	if v.Version, n = binary.Uvarint(rest); n <= 0 || v.Version == 0 {
		return nil, damaged("the version of a value")
	}
	rest = rest[n:]
	if kind == recordExpiring {
		if v.Expires, n = binary.Varint(rest); n <= 0 || v.Expires == 0 {
			return nil, damaged("the time at which a value expires")
		}
		rest = rest[n:]
	}
	if v.Data, rest, err = readBytes(rest); err != nil {
		return nil, err
	}
	to.Put(name, v)
	return rest, nil
}

func readBytes(data []byte) (value, rest []byte, err error) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size > uint64(len(data)-n) {
		return nil, nil, damaged("a length of %d, %d bytes are left", size, len(data))
	}
	end := n + int(size) //nolint:gosec // at most len(data)
	return data[n:end:end], data[end:], nil
}
