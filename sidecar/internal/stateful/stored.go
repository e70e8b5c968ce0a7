package stateful

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// stored is an answer as it is stored with the state: with all that the decision log has to say of it, since the process may end, or the log
// refuse it, after the answer is stored and before it is logged. Whoever answers the request that comes again logs it then.
//
//	stored   = format u8 (2), place, version uvarint, time in ms since 1970 varint, watermark varint, epoch uvarint, unnamed uvarint,
//	           reads uvarint, per read: name (its length before it, as a uvarint), version uvarint; result
//	place    = version u64, writes u32: of a fixed length, since they are known only when the rest is there
//	format 1 = format u8 (1), version uvarint, time varint, result
type stored struct {
	version   uint64
	at        time.Time
	watermark int64
	epoch     uint64
	unnamed   int // reads that were too many to be named
	reads     []decisions.StateRead
	result    []byte
}

const (
	storedPlain  = 1
	storedPlaced = 2

	placeBytes = 8 + 4
)

func (s *stored) append(dst []byte) []byte {
	dst = append(dst, storedPlaced)
	dst = append(dst, make([]byte, placeBytes)...)
	dst = binary.AppendUvarint(dst, s.version)
	dst = binary.AppendVarint(dst, s.at.UnixMilli())
	dst = binary.AppendVarint(dst, s.watermark)
	dst = binary.AppendUvarint(dst, s.epoch)
	dst = binary.AppendUvarint(dst, uint64(s.unnamed))
	dst = binary.AppendUvarint(dst, uint64(len(s.reads)))
	for _, r := range s.reads {
		dst = binary.AppendUvarint(dst, uint64(len(r.State)))
		dst = append(dst, r.State...)
		dst = binary.AppendUvarint(dst, r.Version)
	}
	return append(dst, s.result...)
}

// setPlace writes where the call stands into what append has written.
func setPlace(data []byte, p statestore.Place) {
	binary.LittleEndian.PutUint64(data[1:], p.Version)
	binary.LittleEndian.PutUint32(data[9:], uint32(p.Writes)) //nolint:gosec // of one call
}

var errStored = errors.New("is none; was it written by a newer version of this program?")

// readStored reads an answer to a request for the state of a key.
func readStored(data []byte, key string) (evaluate.Applied, error) {
	in := storedInput{data: data}
	var a evaluate.Applied
	switch format := in.take(1); {
	case in.bad:
	case format[0] == storedPlain:
		a.Version, a.Time = in.uvarint(), time.UnixMilli(in.varint())
	case format[0] == storedPlaced:
		if place := in.take(placeBytes); !in.bad {
			a.Place = statestore.Place{Version: binary.LittleEndian.Uint64(place), Writes: int(binary.LittleEndian.Uint32(place[8:]))}
		}
		a.Version, a.Time, a.Watermark, a.Epoch = in.uvarint(), time.UnixMilli(in.varint()), in.varint(), in.uvarint()
		a.Unnamed = int(in.uvarint() & (1<<31 - 1)) //nolint:gosec // so it fits
		n := in.uvarint()
		if n > uint64(len(in.data)) {
			return a, errStored
		}
		for range n {
			name := string(in.take(in.uvarint()))
			a.Reads = append(a.Reads, decisions.StateRead{State: name, Key: key, Version: in.uvarint()})
		}
	default:
		return a, errStored
	}
	if in.bad || len(in.data) == 0 {
		return evaluate.Applied{}, errStored
	}
	a.Result = in.data
	return a, nil
}

// storedInput is read from its beginning; bad is set by what does not fit.
type storedInput struct {
	data []byte
	bad  bool
}

func (in *storedInput) take(n uint64) []byte {
	if n > uint64(len(in.data)) {
		in.bad, in.data = true, nil
		return nil
	}
	taken := in.data[:n]
	in.data = in.data[n:]
	return taken
}

func (in *storedInput) uvarint() uint64 {
	v, n := binary.Uvarint(in.data)
	in.skip(n)
	return v
}

func (in *storedInput) varint() int64 {
	v, n := binary.Varint(in.data)
	in.skip(n)
	return v
}

func (in *storedInput) skip(n int) {
	if n <= 0 {
		in.bad, in.data = true, nil
		return
	}
	in.data = in.data[n:]
}
