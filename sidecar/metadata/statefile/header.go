package statefile

import (
	"fmt"
	"io"
)

// StateKind tells what a state of a stream is (StateMetaInfoSnapshot.BackendStateType).
type StateKind int32

const (
	KeyValue StateKind = iota
	OperatorList
	BroadcastMap
	Timers
	KeyValueV2
)

// State is what the header of a stream says of one state.
type State struct {
	Name string
	Kind StateKind
	// Options are Flink's, as OPERATOR_STATE_DISTRIBUTION_MODE or KEYED_STATE_TYPE.
	Options map[string]string
	// Key is the key of a broadcast map, Namespace the namespace of keyed state; nil where there is none.
	Key, Namespace *Encoding
	// Value is the encoding of an entry.
	Value *Encoding
}

// Header is the head of a stream.
type Header struct {
	// Version is that of OperatorBackendSerializationProxy or KeyedBackendSerializationProxy.
	Version    int32
	Compressed bool
	// Key is the encoding of keys, for keyed state.
	Key *Encoding
	// States are in the order of the stream: keyed state is numbered by it. They end before the first that is not understood.
	States []State
	// Stopped is nil if the whole header was understood. It wraps ErrOpaque if a serializer is not known; the states up to there
	// can still be used.
	Stopped error
}

// State finds a state by name.
func (h *Header) State(name string) (*State, bool) {
	for i := range h.States {
		if h.States[i].Name == name {
			return &h.States[i], true
		}
	}
	return nil, false
}

const (
	headerVersion = 6
	// serializerVersion is that of TypeSerializerSnapshotSerializationProxy.
	serializerVersion = 2
	// simpleVersion is that of SimpleTypeSerializerSnapshot and of CompositeTypeSerializerSnapshot.
	simpleVersion   = 3
	compositeMagic  = 911108  // CompositeTypeSerializerSnapshot.MAGIC_NUMBER
	nestedMagic     = 1333245 // NestedSerializersSnapshotDelegate.MAGIC_NUMBER
	nestedVersion   = 1
	maxNesting      = 8
	maxHeaderStates = 1<<15 - 1
	// maxHeader is how far into a stream the header is looked for: a real one takes a few hundred bytes for each state.
	maxHeader = 1 << 20
)

func headerReader(source io.ReaderAt, size int64) *reader {
	r := newReader(source, min(size, maxHeader), Limits{})
	r.seek(0, false)
	return r
}

// operatorHeader reads the head of operator state.
func operatorHeader(r *reader) (Header, error) {
	h, err := headStart(r, headerVersion)
	if err != nil || h.Stopped != nil {
		return h, err
	}
	for range 2 { // list states, then broadcast states
		h.states(r)
	}
	h.stop(r)
	return h, nil
}

// keyedHeader reads the head of keyed state.
func keyedHeader(r *reader) (Header, error) {
	h, err := headStart(r, 4)
	if err != nil || h.Stopped != nil {
		return h, err
	}
	h.Key = serializer(r)
	h.states(r)
	h.stop(r)
	return h, nil
}

// headStart reads what must be understood: whether the payload is compressed, which has been said since version flagged.
func headStart(r *reader, flagged int32) (Header, error) {
	h := Header{Version: r.i32()}
	if r.err == nil && (h.Version < 1 || h.Version > headerVersion) {
		r.corrupt("version %d of the header is not among 1 to %d", h.Version, headerVersion)
	}
	if h.Version >= flagged {
		flag := r.u8()
		if flag > 1 {
			r.corrupt("the flag of compression is %d", flag)
		}
		h.Compressed = flag == 1
	}
	if r.err != nil {
		return h, fmt.Errorf("header: %w", r.err)
	}
	if h.Version < headerVersion {
		h.Stopped = fmt.Errorf("%w: the header has the old version %d", ErrOpaque, h.Version)
	}
	return h, nil
}

// stop moves the reader's error into the header: what follows the flag is only read for convenience.
func (h *Header) stop(r *reader) {
	h.Stopped, r.err = r.err, nil
}

func (h *Header) states(r *reader) {
	n := r.u16()
	if n > maxHeaderStates {
		r.corrupt("%d states", n)
	}
	for i := 0; i < int(n) && r.err == nil; i++ {
		if state := readState(r); r.err == nil {
			h.States = append(h.States, state)
		}
	}
}

// readState: StateMetaInfoSnapshotReadersWriters.CurrentWriterImpl.
func readState(r *reader) State {
	state := State{Name: r.utf(), Kind: StateKind(r.i32()), Options: map[string]string{}}
	if state.Kind < KeyValue || state.Kind > KeyValueV2 {
		r.corrupt("state %q is of the unknown kind %d", state.Name, state.Kind)
	}
	for i, n := int64(0), r.count(); i < n && r.err == nil; i++ {
		option := r.utf()
		state.Options[option] = r.utf()
	}
	for i, n := int64(0), r.count(); i < n && r.err == nil; i++ {
		role := r.utf()
		encoding := serializer(r)
		switch role {
		case "VALUE_SERIALIZER":
			state.Value = encoding
		case "KEY_SERIALIZER":
			state.Key = encoding
		case "NAMESPACE_SERIALIZER":
			state.Namespace = encoding
		}
	}
	return state
}

// serializer reads the description of a serializer (TypeSerializerSnapshotSerializationUtil).
func serializer(r *reader) *Encoding {
	if version := r.i32(); r.err == nil && version != serializerVersion {
		r.fail(fmt.Errorf("%w: its description has version %d", ErrOpaque, version))
	}
	return snapshot(r, 0)
}

// snapshot reads a TypeSerializerSnapshot (TypeSerializerSnapshot.writeVersionedSnapshot).
func snapshot(r *reader, depth int) *Encoding {
	class := r.utf()
	version := r.i32()
	if r.err != nil {
		return nil
	}
	if depth <= maxNesting && version == simpleVersion {
		if e := simple(class); e != nil {
			return e
		}
		if e, nested := composite(class); e != nil {
			return compositeSnapshot(r, e, nested, depth)
		}
	}
	r.fail(fmt.Errorf("%w: %s of version %d", ErrOpaque, class, version))
	return nil
}

func compositeSnapshot(r *reader, e *Encoding, nested, depth int) *Encoding {
	if magic := r.i32(); r.err == nil && magic != compositeMagic {
		r.corrupt("the description of %s has the magic number %d", e.name, magic)
	}
	r.i32() // version of what the class itself wrote, which is nothing for those we know
	if magic, version := r.i32(), r.i32(); r.err == nil && (magic != nestedMagic || version != nestedVersion) {
		r.corrupt("the nested serializers of %s have the magic number %d and version %d", e.name, magic, version)
	}
	if n := r.i32(); r.err == nil && n != int32(nested) {
		r.corrupt("%s has %d nested serializers", e.name, n)
	}
	for i := 0; i < nested && r.err == nil; i++ {
		e.nested = append(e.nested, snapshot(r, depth+1))
	}
	if r.err != nil {
		return nil
	}
	return e
}
