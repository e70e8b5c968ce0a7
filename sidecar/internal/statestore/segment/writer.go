package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"math"

	"github.com/klauspost/compress/s2"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// The kinds of records.
const (
	recordValue = iota + 1
	recordExpiring
	recordDeleted
	recordAnswer
)

// Options of a segment that is written.
type Options struct {
	MaxParallelism int
	// Answers of the state are written, too.
	Answers bool
	// Compress the blocks that become at least an eighth smaller.
	Compress bool
}

// Write writes a frozen state as a segment: all of it, or what changed since the last one that became durable. What it answers
// has no Key yet. It takes little memory, whatever the size of the state.
func Write(w io.Writer, f *statestore.Frozen, kind Kind, o Options) (Segment, error) {
	if kind == Increment && !f.Incremental() {
		return Segment{}, errors.New("an increment needs a state that is durable")
	}
	keyGroups := f.KeyGroups()
	if err := keyGroups.Check(o.MaxParallelism); err != nil {
		return Segment{}, err
	}
	out := &writer{w: w, compress: o.Compress}
	out.write(header{kind: kind, maxParallelism: o.MaxParallelism, keyGroups: keyGroups}.append(nil))
	var sections []section
	entries := f.All
	if kind == Increment {
		entries = f.Changed
	}
	for kg := int(keyGroups.From); kg <= int(keyGroups.To) && out.err == nil; kg++ {
		keyGroup := uint16(kg) //nolint:gosec // in the range
		s := out.begin(keyGroup)
		for key, v := range entries(keyGroup) {
			if out.value(key, v); out.err != nil {
				break
			}
		}
		if o.Answers {
			for _, a := range f.Answers(keyGroup) {
				if out.answer(a); out.err != nil {
					break
				}
			}
		}
		out.end(s)
		// A base keeps the version of a key group of which nothing is left, so that its versions do not come back.
		if s.version = f.Version(keyGroup); s.records > 0 || kind == Base && s.version > 0 {
			sections = append(sections, *s)
		}
	}
	index := appendIndex(nil, sections)
	offset := out.written
	out.write(index)
	if out.err != nil {
		return Segment{}, out.err
	}
	sum := sha256.Sum256(index)
	return Segment{
		Kind: kind, Bytes: out.written, KeyGroups: keyGroups, Watermark: f.Watermark(), Answers: o.Answers,
		IndexOffset: offset, IndexSHA256: hex.EncodeToString(sum[:]),
	}, nil
}

// writer writes sections. After the first error it writes no more.
type writer struct {
	w        io.Writer
	err      error
	written  int64
	compress bool

	section *section
	sum     hash.Hash
	block   []byte // the present one, not compressed
	packed  []byte
}

func (w *writer) write(data []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(data)
	w.written += int64(n)
	w.err = err
}

func (w *writer) begin(keyGroup uint16) *section {
	if w.sum == nil {
		w.sum = sha256.New()
	}
	w.sum.Reset()
	w.section = &section{keyGroup: keyGroup, offset: w.written}
	return w.section
}

func (w *writer) end(s *section) {
	w.flush()
	s.bytes = w.written - s.offset
	w.sum.Sum(s.sha256[:0])
}

func (w *writer) value(key string, v statestore.Value) {
	w.room(len(key) + len(v.Data))
	switch {
	case v.Version == 0:
		w.block = append(w.block, recordDeleted)
		w.block = appendBytes(w.block, key)
		return
	case v.Expires != 0:
		w.block = append(w.block, recordExpiring)
		w.block = appendBytes(w.block, key)
		w.block = binary.AppendUvarint(w.block, v.Version)
		w.block = binary.AppendVarint(w.block, v.Expires)
	default:
		w.block = append(w.block, recordValue)
		w.block = appendBytes(w.block, key)
		w.block = binary.AppendUvarint(w.block, v.Version)
	}
	w.block = appendBytes(w.block, v.Data)
}

func (w *writer) answer(a statestore.Answer) {
	w.room(len(a.ID) + len(a.Data))
	w.block = append(w.block, recordAnswer)
	w.block = appendBytes(w.block, a.ID)
	w.block = appendBytes(w.block, a.Data)
	w.section.answers++
}

func appendBytes[T string | []byte](dst []byte, data T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	return append(dst, data...)
}

// room makes a block that has room for a record.
func (w *writer) room(size int) {
	if len(w.block) > 0 && len(w.block)+size > blockTarget {
		w.flush()
	}
	switch {
	case w.section.records == math.MaxUint32:
		w.err = errors.Join(w.err, errors.New("a key group has too many keys for a segment; raise the max parallelism"))
	case size > maxBlock/2:
		w.err = errors.Join(w.err, errors.New("a value is too long for a segment; set a limit to the length of values"))
	}
	w.section.records++
}

func (w *writer) flush() {
	if len(w.block) == 0 {
		return
	}
	stored := w.block
	if w.compress {
		if need := s2.MaxEncodedLen(len(w.block)); cap(w.packed) < need {
			w.packed = make([]byte, need)
		}
		packed := s2.Encode(w.packed[:cap(w.packed)], w.block)
		if len(packed) < len(w.block)-len(w.block)/8 && len(w.block) <= len(packed)*maxRatio {
			stored = packed
		}
	}
	var head [blockHeader]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(w.block))) //nolint:gosec // below maxBlock
	binary.LittleEndian.PutUint32(head[4:], uint32(len(stored))) //nolint:gosec // below maxBlock
	w.sum.Write(head[:])                                         //nolint:errcheck // a hash never fails
	w.sum.Write(stored)                                          //nolint:errcheck // a hash never fails
	w.write(head[:])
	w.write(stored)
	w.block = w.block[:0]
}
