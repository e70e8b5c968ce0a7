package statefile

import (
	"fmt"
	"io"
	"iter"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// Operator reads the operator state of one subtask. It is for one goroutine at a time.
type Operator struct {
	header Header
	reader *reader
}

// OpenOperator begins to read the stream of an operator state handle. Only the version and the flag of compression must be
// sound; see Header.Stopped for the rest.
func OpenOperator(source io.ReaderAt, size int64, limits Limits) (*Operator, error) {
	header, err := operatorHeader(headerReader(source, size))
	if err != nil {
		return nil, fmt.Errorf("operator state: %w", err)
	}
	return &Operator{header: header, reader: newReader(source, size, limits)}, nil
}

// Header is the head of the stream.
func (o *Operator) Header() *Header { return &o.header }

// ByteEntries yields the entries of a list or union state of byte[], in order. It fails if the header says that the state is
// of another type; a header that is not understood that far is no obstacle, the caller has to know then. The first error
// ends it. The slices are the caller's.
func (o *Operator) ByteEntries(state *metadata.PartitionedState) iter.Seq2[[]byte, error] {
	if known, ok := o.header.State(state.Name); ok && !known.Value.IsBytes() {
		return func(yield func([]byte, error) bool) {
			yield(nil, fmt.Errorf("operator state %q: its entries are of type %v, not byte[]", state.Name, known.Value))
		}
	}
	return o.Entries(state, Bytes())
}

// Entries yields the entries of a list or union state in their serialized form, for an encoding that the caller knows or has
// from the header.
func (o *Operator) Entries(state *metadata.PartitionedState, encoding *Encoding) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if state.Mode == metadata.Broadcast {
			yield(nil, fmt.Errorf("operator state %q: it is a broadcast state, which has no list entries", state.Name))
			return
		}
		for i, offset := range state.Offsets {
			o.seek(offset)
			entry := o.reader.value(encoding)
			if err := o.error(state, i); err != nil {
				yield(nil, err)
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// MapEntry is one entry of a broadcast state.
type MapEntry struct {
	Key, Value []byte
}

// BroadcastEntries yields the entries of a broadcast state in the order of the stream. The encodings are those of the header; if
// it is not understood that far, keys and values are taken for byte[].
func (o *Operator) BroadcastEntries(state *metadata.PartitionedState) iter.Seq2[MapEntry, error] {
	key, value := Bytes(), Bytes()
	if known, ok := o.header.State(state.Name); ok && known.Key != nil && known.Value != nil {
		key, value = known.Key, known.Value
	}
	return func(yield func(MapEntry, error) bool) {
		if state.Mode != metadata.Broadcast {
			yield(MapEntry{}, fmt.Errorf("operator state %q: it is a %v state, not a broadcast state", state.Name, state.Mode))
			return
		}
		for i, offset := range state.Offsets {
			o.seek(offset)
			n := o.reader.count()
			for ; n > 0 && o.reader.err == nil; n-- {
				entry := MapEntry{Key: o.reader.value(key), Value: o.reader.value(value)}
				if o.reader.err == nil && !yield(entry, nil) {
					return
				}
			}
			if err := o.error(state, i); err != nil {
				yield(MapEntry{}, err)
				return
			}
		}
	}
}

func (o *Operator) seek(offset int64) {
	o.reader.err = nil
	o.reader.seek(offset, o.header.Compressed)
}

func (o *Operator) error(state *metadata.PartitionedState, entry int) error {
	if o.reader.err == nil {
		return nil
	}
	return fmt.Errorf("operator state %q: entry %d of %d at offset %d: %w",
		state.Name, entry, len(state.Offsets), state.Offsets[entry], o.reader.err)
}
