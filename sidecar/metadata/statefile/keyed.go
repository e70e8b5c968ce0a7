package statefile

import (
	"fmt"
	"io"
	"iter"

	"github.com/drey-flink/drey/sidecar/metadata"
)

// Keyed reads the keyed state of one subtask: that of the heap backend, or of a canonical savepoint. It is for one goroutine at a
// time.
type Keyed struct {
	handle *metadata.KeyGroupsHandle
	header Header
	reader *reader
	// prefix is the number of bytes of the key group in the keys of savepoints.
	prefix int
}

// KeyedEntry is one key's value in one state, or one timer. Bytes are in serialized form, but byte[] without its length.
type KeyedEntry struct {
	KeyGroup int32
	// State is a state of the header.
	State          *State
	Key, Namespace []byte
	// UserKey is the key in a map state of a canonical savepoint, where each entry of the map is an entry of its own; else nil.
	UserKey []byte
	// Value is nil for timers. In a canonical savepoint the value of a map state begins with a byte that is 1 for null, and the
	// elements of a list state stand with a comma (one byte) between them.
	Value []byte
	// Time is when a timer is due, in milliseconds since 1970.
	Time int64
}

// OpenKeyed begins to read a stream of keyed state. maxParallelism is the operator's. It fails with ErrOpaque, naming the class,
// if one of the serializers is not known: nothing after it could be told apart.
func OpenKeyed(handle *metadata.KeyGroupsHandle, maxParallelism int32, source io.ReaderAt, size int64,
	limits Limits) (*Keyed, error) {
	k := &Keyed{handle: handle, prefix: 1, reader: newReader(source, size, limits)}
	if maxParallelism > 128 {
		k.prefix = 2
	}
	header, err := keyedHeader(headerReader(source, size))
	if err == nil {
		err = header.Stopped
	}
	if err != nil {
		return nil, fmt.Errorf("keyed state: %w", err)
	}
	k.header = header
	for i := range header.States {
		if err := k.check(&header.States[i]); err != nil {
			return nil, fmt.Errorf("keyed state %q: %w", header.States[i].Name, err)
		}
	}
	return k, nil
}

// check refuses what could not be read: a state without a serializer, or one whose keys cannot be split.
func (k *Keyed) check(state *State) error {
	switch state.Kind {
	case Timers:
		if state.Value == nil || state.Value.name != "timer" {
			return fmt.Errorf("%w: it holds timers of type %v", ErrOpaque, state.Value)
		}
	case KeyValue:
		if state.Value == nil || state.Namespace == nil {
			return fmt.Errorf("%w: the header names no serializer", ErrOpaque)
		}
		if k.handle.Type == metadata.TypeSavepoint && k.header.Key.fixed == 0 && state.Namespace.fixed == 0 {
			// Flink adds lengths then (CompositeKeySerializationUtils.isAmbiguousKeyPossible).
			return fmt.Errorf("%w: neither key (%v) nor namespace (%v) has a fixed length", ErrOpaque, k.header.Key, state.Namespace)
		}
	default:
		return fmt.Errorf("%w: kind %d of state", ErrOpaque, state.Kind)
	}
	return nil
}

// Header is the head of the stream.
func (k *Keyed) Header() *Header { return &k.header }

// Entries yields every entry of every key group, in the order of key groups and in them of the stream. The first error ends it.
// The slices are the caller's.
func (k *Keyed) Entries() iter.Seq2[KeyedEntry, error] {
	return func(yield func(KeyedEntry, error) bool) {
		for i := range k.handle.Offsets {
			for entry, err := range k.KeyGroup(k.handle.First + int32(i)) {
				if !yield(entry, err) || err != nil {
					return
				}
			}
		}
	}
}

// KeyGroup yields the entries of one key group. One that is not in the handle has none.
func (k *Keyed) KeyGroup(group int32) iter.Seq2[KeyedEntry, error] {
	return func(yield func(KeyedEntry, error) bool) {
		index := int(group) - int(k.handle.First)
		if index < 0 || index >= len(k.handle.Offsets) || k.handle.Offsets[index] == 0 {
			return
		}
		k.reader.err = nil
		each := func(entry KeyedEntry) bool {
			entry.KeyGroup = group
			return yield(entry, nil)
		}
		if k.handle.Type == metadata.TypeSavepoint {
			k.reader.seek(k.handle.Offsets[index], k.header.Compressed)
			k.savepoint(group, each)
		} else {
			k.reader.seek(k.handle.Offsets[index], false)
			k.heap(group, each)
		}
		if k.reader.err != nil {
			yield(KeyedEntry{}, fmt.Errorf("keyed state: key group %d at offset %d: %w",
				group, k.handle.Offsets[index], k.reader.err))
		}
	}
}

// heap reads one key group of the heap backend: every state of the header has a block.
func (k *Keyed) heap(group int32, each func(KeyedEntry) bool) {
	r := k.reader
	if found := r.i32(); r.err == nil && found != group {
		r.corrupt("key group %d stands where %d belongs", found, group)
		return
	}
	if k.header.Compressed {
		// The blocks are streams of their own, one after the other; identifiers are skipped, so they read as one.
		r.seek(r.position(), true)
	}
	for range k.header.States {
		state := k.state(r.u16())
		n := r.count()
		for ; n > 0 && r.err == nil; n-- {
			entry := KeyedEntry{State: state}
			if state.Kind == Timers {
				entry.Time = r.timer()
				entry.Key = r.value(state.Value.nested[0])
				entry.Namespace = r.value(state.Value.nested[1])
			} else {
				entry.Namespace = r.value(state.Namespace)
				entry.Key = r.value(k.header.Key)
				entry.Value = r.value(state.Value)
			}
			if r.err != nil || !each(entry) {
				return
			}
		}
		if r.err != nil {
			return
		}
	}
}

// timer reads a time, which Flink writes with the sign flipped so that bytes sort like times.
func (r *reader) timer() int64 { return int64(r.number(8) ^ 1<<63) }

// state answers the state of a number; at an error it answers one that may be used and means nothing.
func (k *Keyed) state(number uint16) *State {
	if int(number) < len(k.header.States) {
		return &k.header.States[number]
	}
	k.reader.corrupt("state %d is not among the %d of the header", number, len(k.header.States))
	return &State{}
}

const (
	// metaFollows is the bit in the first byte of a key (FullSnapshotUtil.FIRST_BIT_IN_BYTE_MASK).
	metaFollows = 0x80
	// endOfKeyGroup is FullSnapshotUtil.END_OF_KEY_GROUP_MARK.
	endOfKeyGroup = 0xffff
)

// savepoint reads one key group of a canonical savepoint.
func (k *Keyed) savepoint(group int32, each func(KeyedEntry) bool) {
	r := k.reader
	for number := r.u16(); r.err == nil && number != endOfKeyGroup; number = r.u16() {
		state := k.state(number)
		for last := false; !last && r.err == nil; {
			n := r.count()
			key := r.keep(func() { r.skip(n) })
			n = r.count()
			value := r.keep(func() { r.skip(n) })
			if r.err != nil {
				return
			}
			if len(key) < k.prefix {
				r.corrupt("a key of %d bytes", len(key))
				return
			}
			last = key[0]&metaFollows != 0
			key[0] &^= metaFollows
			found := int32(key[0])
			if k.prefix == 2 {
				found = found<<8 | int32(key[1])
			}
			if found != group {
				r.corrupt("a key of key group %d stands in key group %d", found, group)
				return
			}
			entry, err := k.split(state, key[k.prefix:], value)
			if err != nil {
				r.fail(err)
				return
			}
			if !each(entry) {
				return
			}
		}
	}
}

// split takes the key of a savepoint's entry apart.
func (k *Keyed) split(state *State, key, value []byte) (KeyedEntry, error) {
	entry := KeyedEntry{State: state}
	r := newReader(inline(key), int64(len(key)), Limits{MaxEntry: max(1, len(key))})
	if state.Kind == Timers {
		entry.Time = r.timer()
		entry.Key = r.value(state.Value.nested[0])
		entry.Namespace = r.value(state.Value.nested[1])
		return entry, r.err
	}
	entry.Key = r.value(k.header.Key)
	entry.Namespace = r.value(state.Namespace)
	if r.err != nil {
		return entry, fmt.Errorf("a key of %d bytes: %w", len(key), r.err)
	}
	kind := state.Options["KEYED_STATE_TYPE"]
	if rest := key[r.position():]; kind == "MAP" {
		entry.UserKey = rest
	} else if len(rest) > 0 {
		return entry, fmt.Errorf("%w: %d bytes follow key and namespace", ErrCorrupt, len(rest))
	}
	entry.Value = value
	if state.Value.IsBytes() && kind != "MAP" && kind != "LIST" {
		if len(value) < 4 || int64(i32At(value)) != int64(len(value)-4) {
			return entry, fmt.Errorf("%w: a byte[] of %d bytes has the wrong length in front", ErrCorrupt, len(value))
		}
		entry.Value = value[4:]
	}
	return entry, nil
}

// i32At reads a number from a slice that is long enough.
func i32At(data []byte) int32 {
	return int32(uint32(data[0])<<24 | uint32(data[1])<<16 | uint32(data[2])<<8 | uint32(data[3]))
}
