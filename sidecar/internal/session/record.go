package session

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// The log of a session is a list of records, each a kind and a body. Each generation of the log begins with a beginning, which
// is a freeze in all but the first.
const (
	recordBegin   = 'B' // JSON, begin
	recordRestore = 'R' // JSON, restored
	recordApply   = 'A' // see appendApply
	recordMark    = 'M' // JSON, Mark
	recordAbort   = 'X' // JSON, aborted
	recordDurable = 'D' // JSON, durable
)

const logVersion = 1

type begin struct {
	Version int    `json:"version"`
	Token   Token  `json:"token"`
	Spec    Spec   `json:"spec"`
	Epoch   uint64 `json:"epoch"`
}

type restored struct {
	References []segment.Reference `json:"references"`
}

type aborted struct {
	Epoch uint64 `json:"epoch"`
}

// durable says that the state at the beginning of a generation is in the store, and in local copies of it.
type durable struct {
	Epoch      uint64            `json:"epoch"`
	Generation uint64            `json:"generation"`
	Manifest   segment.Manifest  `json:"manifest"`
	Reference  segment.Reference `json:"reference"`
}

func jsonRecord(kind byte, body any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return append([]byte{kind}, data...), nil
}

const (
	writeDeletes = 1 << iota
	writeExpires
)

// appendApply writes what a transaction did, and which event time all that may come later have reached:
//
//	apply = 'A', key group, epoch, seq, low, reached, version, id, answer, writes, per write: flags u8 (1 deletes, 2 expires), key,
//	        the time if it expires, the value if it does not delete
//
// Numbers are uvarints, times varints; ids, keys, answers and values have their length before them, as a uvarint.
func appendApply(dst []byte, c *statestore.Committed, reached int64) []byte {
	dst = append(dst, recordApply)
	dst = binary.AppendUvarint(dst, uint64(c.KeyGroup))
	dst = binary.AppendUvarint(dst, c.Epoch)
	dst = binary.AppendUvarint(dst, c.Seq)
	dst = binary.AppendUvarint(dst, c.Low)
	dst = binary.AppendVarint(dst, reached)
	dst = binary.AppendUvarint(dst, c.Version)
	dst = appendBytes(dst, c.ID)
	dst = appendBytes(dst, c.Answer)
	dst = binary.AppendUvarint(dst, uint64(len(c.Writes)))
	for i := range c.Writes {
		key, data, expires, deleted := c.Write(i)
		switch {
		case deleted:
			dst = appendBytes(append(dst, writeDeletes), key)
		case expires != 0:
			dst = binary.AppendVarint(appendBytes(append(dst, writeExpires), key), expires)
			dst = appendBytes(dst, data)
		default:
			dst = appendBytes(appendBytes(append(dst, 0), key), data)
		}
	}
	return dst
}

func appendBytes[T string | []byte](dst []byte, data T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	return append(dst, data...)
}

var errRecord = errors.New("a record of the log makes no sense")

// readApply reads it, without the kind. What it returns refers to data.
func readApply(data []byte) (c statestore.Committed, watermark int64, err error) {
	in := input{data: data}
	keyGroup := in.uvarint()
	c.Epoch, c.Seq, c.Low = in.uvarint(), in.uvarint(), in.uvarint()
	watermark = in.varint()
	c.Version = in.uvarint()
	c.ID = string(in.bytes())
	c.Answer = in.bytes()
	writes := in.uvarint()
	if keyGroup >= statestore.MaxParallelism || writes > uint64(len(in.data)) {
		return c, 0, errRecord
	}
	c.KeyGroup = uint16(keyGroup) //nolint:gosec // compared above
	for range writes {
		flags := in.byte()
		key := string(in.bytes())
		change := statestore.Delete()
		switch flags {
		case writeDeletes:
		case writeExpires:
			expires := in.varint()
			change = statestore.Set(in.bytes(), expires)
			in.bad = in.bad || expires == 0
		case 0:
			change = statestore.Set(in.bytes(), 0)
		default:
			in.bad = true
		}
		if in.bad {
			return c, 0, errRecord
		}
		c.Add(key, change)
	}
	if in.bad || len(in.data) > 0 {
		return c, 0, errRecord
	}
	return c, watermark, nil
}

// input is read from its beginning; bad is set by what does not fit.
type input struct {
	data []byte
	bad  bool
}

func (in *input) uvarint() uint64 {
	v, n := binary.Uvarint(in.data)
	in.skip(n)
	return v
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.data)
	in.skip(n)
	return v
}

func (in *input) skip(n int) {
	if n <= 0 {
		in.bad, in.data = true, nil
		return
	}
	in.data = in.data[n:]
}

func (in *input) byte() byte {
	if len(in.data) == 0 {
		in.bad = true
		return 0
	}
	b := in.data[0]
	in.data = in.data[1:]
	return b
}

func (in *input) bytes() []byte {
	n := in.uvarint()
	if n > uint64(len(in.data)) {
		in.bad, in.data = true, nil
		return nil
	}
	b := in.data[:n:n]
	in.data = in.data[n:]
	return b
}

// readJSON reads the body of a record.
func readJSON(record []byte, into any) error {
	if err := json.Unmarshal(record[1:], into); err != nil {
		return fmt.Errorf("%w: %c: %w", errRecord, record[0], err)
	}
	return nil
}
