package contents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
	"github.com/drey-flink/drey/sidecar/metadata/statefile"
)

// Entry is one entry of a state. Bytes are as the job's serializer wrote them; of byte[] without its length. In JSON they are
// base64.
type Entry struct {
	Subtask int32 `json:"subtask"`
	// Index counts the entries of the subtask, from 0.
	Index int `json:"index"`
	// KeyGroup is of keyed state only.
	KeyGroup *int32 `json:"key_group,omitempty"`
	// Key is of keyed state and of the map in broadcast state, UserKey of the map in keyed map state of a canonical savepoint.
	Key       []byte `json:"key_base64,omitempty"`
	Namespace []byte `json:"namespace_base64,omitempty"`
	UserKey   []byte `json:"user_key_base64,omitempty"`
	// Time is of timers, in ms since 1970.
	Time  *int64 `json:"time,omitempty"`
	Value []byte `json:"base64"`
}

// SplitStateName finds operator and state in OPERATOR/STATE. Both may hold slashes: the split is the first at which the
// checkpoint has the operator.
func (c *Checkpoint) SplitStateName(text string) (operator, state string, err error) {
	first := error(nil)
	for i, r := range text {
		if r != '/' {
			continue
		}
		_, err := c.Operator(text[:i])
		if err == nil {
			return text[:i], text[i+1:], nil
		}
		first = cmp.Or(first, err)
	}
	if first == nil {
		first = fmt.Errorf("%q: write OPERATOR/STATE; the checkpoint has the operators %s", text, c.operators())
	}
	return "", "", first
}

// DumpState yields every entry of one state of one operator, subtask by subtask: list, union and broadcast state, and keyed state
// of the heap backend and of canonical savepoints. yield's error ends it and is the answer.
func (c *Checkpoint) DumpState(ctx context.Context, operator, state string, yield func(Entry) error) error {
	o, err := c.Operator(operator)
	if err != nil {
		return err
	}
	subtasks := make([]*metadata.Subtask, len(o.Subtasks))
	for i := range o.Subtasks {
		subtasks[i] = &o.Subtasks[i]
	}
	slices.SortFunc(subtasks, func(a, b *metadata.Subtask) int { return cmp.Compare(a.Index, b.Index) })
	d := &dump{checkpoint: c, ctx: ctx, operator: o, state: state, yield: yield, names: map[string]bool{}}
	for _, subtask := range subtasks {
		if subtask.SubtaskState == nil {
			continue
		}
		if err := d.subtask(subtask); err != nil {
			return fmt.Errorf("operator %s, subtask %d: %w", operator, subtask.Index, err)
		}
	}
	if !d.found {
		return fmt.Errorf("operator %s has no state %q; it has %s", operator, state, d.known())
	}
	return nil
}

type dump struct {
	checkpoint *Checkpoint
	ctx        context.Context
	operator   *metadata.Operator
	state      string
	yield      func(Entry) error
	found      bool
	names      map[string]bool
	opaque     error // why the names of keyed states are not known
}

func (d *dump) known() string {
	var names []string
	for name := range d.names {
		names = append(names, name)
	}
	slices.Sort(names)
	if d.opaque != nil {
		names = append(names, fmt.Sprintf("keyed state that cannot be read (%v)", d.opaque))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (d *dump) subtask(s *metadata.Subtask) error {
	for _, handle := range []*metadata.OperatorHandle{s.ManagedOperator, s.RawOperator} {
		if handle == nil {
			continue
		}
		for i := range handle.States {
			d.names[handle.States[i].Name] = true
			if handle.States[i].Name != d.state {
				continue
			}
			d.found = true
			if err := d.operatorState(s.Index, handle, &handle.States[i]); err != nil {
				return err
			}
		}
	}
	return d.keyed(s)
}

func (d *dump) operatorState(subtask int32, handle *metadata.OperatorHandle, state *metadata.PartitionedState) error {
	source, size, err := d.open(handle.Stream)
	if err != nil {
		return err
	}
	o, err := statefile.OpenOperator(source, size, statefile.Limits{})
	if err != nil {
		return err
	}
	index := 0
	emit := func(e Entry) error {
		e.Subtask, e.Index = subtask, index
		index++
		return d.yield(e)
	}
	if state.Mode == metadata.Broadcast {
		for entry, err := range o.BroadcastEntries(state) {
			if err == nil {
				err = emit(Entry{Key: entry.Key, Value: entry.Value})
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	encoding := statefile.Bytes()
	if known, ok := o.Header().State(state.Name); ok && known.Value != nil {
		encoding = known.Value
	}
	for entry, err := range o.Entries(state, encoding) {
		if err == nil {
			err = emit(Entry{Value: entry})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) keyed(s *metadata.Subtask) error {
	for _, keyed := range []metadata.KeyedHandle{s.ManagedKeyed, s.RawKeyed} {
		handle, ok := keyed.(*metadata.KeyGroupsHandle)
		if !ok {
			if keyed != nil {
				d.opaque = fmt.Errorf("%s: the files of a database; make a canonical savepoint", keyed.Kind())
			}
			continue
		}
		if err := d.keyedStream(s.Index, handle); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) keyedStream(subtask int32, handle *metadata.KeyGroupsHandle) error {
	source, size, err := d.open(handle.Stream)
	if err != nil {
		return err
	}
	k, err := statefile.OpenKeyed(handle, d.operator.MaxParallelism, source, size, statefile.Limits{})
	if errors.Is(err, statefile.ErrOpaque) {
		d.opaque = err
		return nil
	}
	if err != nil {
		return err
	}
	wanted := false
	for i := range k.Header().States {
		name := k.Header().States[i].Name
		d.names[name] = true
		wanted = wanted || name == d.state
	}
	if !wanted {
		return nil
	}
	d.found = true
	index := 0
	for entry, err := range k.Entries() {
		if err != nil {
			return err
		}
		if entry.State.Name != d.state {
			continue
		}
		e := Entry{
			Subtask: subtask, Index: index, KeyGroup: &entry.KeyGroup, Key: entry.Key, Namespace: entry.Namespace,
			UserKey: entry.UserKey, Value: entry.Value,
		}
		if entry.State.Kind == statefile.Timers {
			e.Time = &entry.Time
		}
		index++
		if err := d.yield(e); err != nil {
			return err
		}
	}
	return nil
}

// open gives the bytes of a stream handle: those in _metadata as they are, those of a file through a buffer.
func (d *dump) open(stream metadata.StreamHandle) (io.ReaderAt, int64, error) {
	location, hasFile, err := metadata.Locate(d.checkpoint.Dir, stream)
	if err != nil {
		return nil, 0, err
	}
	var file io.ReaderAt
	size := int64(0)
	if hasFile {
		o, err := d.checkpoint.files.Object(d.ctx, location)
		if err != nil {
			return nil, 0, err
		}
		object, err := o.Source.Stat(d.ctx, o.Key)
		if err != nil {
			return nil, 0, err
		}
		file, size = &remote{ctx: d.ctx, object: o, size: object.Size, etag: object.ETag}, object.Size
	}
	section, err := statefile.Section(stream, file, size)
	if err != nil {
		return nil, 0, err
	}
	return section, section.Size(), nil
}

// readAhead is how much of an object is asked for at once: state is read from front to back, with a few looks at its head.
const readAhead = 4 << 20

// remote reads an object in pieces; it is for one goroutine.
type remote struct {
	ctx    context.Context
	object locate.Object
	size   int64
	etag   string
	buffer []byte
	start  int64 // offset of the buffer
}

func (r *remote) ReadAt(p []byte, offset int64) (int, error) {
	n := 0
	for n < len(p) {
		at := offset + int64(n)
		if at >= r.size {
			return n, io.EOF
		}
		if at < r.start || at >= r.start+int64(len(r.buffer)) {
			if err := r.fill(at); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], r.buffer[at-r.start:])
	}
	return n, nil
}

func (r *remote) fill(at int64) error {
	length := min(readAhead, r.size-at)
	body, _, err := r.object.Source.Open(r.ctx, r.object.Key, snapshot.Part{Offset: at, Length: length, ETag: r.etag})
	if err != nil {
		return err
	}
	if int64(cap(r.buffer)) < length {
		r.buffer = make([]byte, length)
	}
	r.buffer = r.buffer[:length]
	_, err = io.ReadFull(body, r.buffer)
	if err = errors.Join(err, body.Close()); err != nil {
		r.buffer = r.buffer[:0]
		return fmt.Errorf("%s: %w", r.object.URL, err)
	}
	r.start = at
	return nil
}
