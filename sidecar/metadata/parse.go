package metadata

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// fileMagic begins the file (org.apache.flink.runtime.checkpoint.Checkpoints.HEADER_MAGIC_NUMBER).
	fileMagic = 0x4960672d
	// masterMagic begins a master state (MetadataV2V3SerializerBase.MASTER_STATE_MAGIC_NUMBER).
	masterMagic = 0xc96b1696
	// MinVersion and MaxVersion are the versions that Parse reads.
	MinVersion = 3
	MaxVersion = 7
	// maxParallelism is the largest number of key groups, and so of subtasks (KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM).
	maxParallelism = 1 << 15
	// maxDepth bounds handles in handles. Flink nests two deep: the base of a changelog in the changelog handle.
	maxDepth = 8
	// DefaultLimit is the largest file that Read takes when it is given no limit: 1 GiB.
	DefaultLimit = 1 << 30
)

// Header reads only what stands at the start of every _metadata file; 16 bytes are enough.
func Header(data []byte) (version int, checkpointID int64, err error) {
	w := walk{data: data, operator: -1, subtask: -1}
	version, checkpointID = w.header()
	return version, checkpointID, w.err
}

// Read reads a whole file from r and parses it. A file of more than limit bytes is refused with ErrTooLarge after as many bytes;
// limit 0 stands for DefaultLimit.
func Read(r io.Reader, limit int64) (*Metadata, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	var buffer bytes.Buffer
	n, err := buffer.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("_metadata: read: %w", err)
	}
	if n > limit {
		return nil, fmt.Errorf("_metadata: %w of %d bytes", ErrTooLarge, limit)
	}
	return Parse(buffer.Bytes())
}

// Parse reads a _metadata file. The strings and inline state of the result are parts of data, which must not be changed
// afterwards. An error is an *Error.
func Parse(data []byte) (*Metadata, error) {
	w := walk{data: data, operator: -1, subtask: -1}
	w.file()
	if w.err != nil {
		return nil, w.err
	}
	// The file is sound: the second walk cannot fail, and everything it hands out is there.
	w.slabs.make()
	w.at, w.built = 0, true
	return w.file(), w.err
}

func (w *walk) header() (version int, checkpointID int64) {
	if len(w.data) < 4 || binary.BigEndian.Uint32(w.data) != fileMagic {
		if len(w.data) > 0 && len(w.data) < 4 && bytes.HasPrefix(binary.BigEndian.AppendUint32(nil, fileMagic), w.data) {
			w.truncated(4, "magic number")
			return 0, 0
		}
		w.fail(0, "magic number", fmt.Errorf("%w: %s", ErrMagic, magicHint(w.data)))
		return 0, 0
	}
	w.at = 4
	version = int(w.i32("version"))
	if w.err == nil && (version < MinVersion || version > MaxVersion) {
		w.fail(4, "version", fmt.Errorf("%w: %d; versions %d to %d are understood", ErrVersion, version, MinVersion, MaxVersion))
	}
	checkpointID = w.i64("checkpoint id")
	if checkpointID < 0 {
		w.corrupt(8, "checkpoint id", "%d is negative", checkpointID)
	}
	return version, checkpointID
}

func (w *walk) file() *Metadata {
	w.operator, w.subtask = -1, -1
	m := &Metadata{}
	m.Version, m.CheckpointID = w.header()
	n := w.count(18, "number of master states")
	m.MasterStates = w.slabs.masters.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		w.master(w.slabs.masters.at(m.MasterStates, i))
	}
	n = w.count(29, "number of operators")
	m.Operators = w.slabs.operators.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		w.operator = i
		w.operatorState(w.slabs.operators.at(m.Operators, i), m.Version)
	}
	w.operator = -1
	if w.err == nil {
		w.properties(m)
	}
	return m
}

func (w *walk) master(state *MasterState) {
	at := w.at
	if magic := uint32(w.i32("magic number of a master state")); w.err == nil && magic != masterMagic {
		w.corrupt(at, "magic number of a master state", "%08x is not %08x", magic, uint32(masterMagic))
		return
	}
	n := w.count(1, "length of a master state")
	end := w.at + n
	state.Version = w.i32("version of a master state")
	state.Name = w.utf("name of a master state")
	state.Data = w.bytes("bytes of a master state")
	if w.err == nil && w.at != end {
		w.corrupt(w.at, "master state", "%d bytes are announced, its fields take %d", n, n+w.at-end)
	}
}

func (w *walk) operatorState(operator *Operator, version int) {
	if version >= 5 {
		operator.Name = w.utf("name")
		operator.UID = w.utf("uid")
	}
	copy(operator.ID[:], w.take(len(operator.ID), "id"))
	at := w.at
	operator.Parallelism = w.i32("parallelism")
	operator.MaxParallelism = w.i32("max parallelism")
	if operator.Parallelism < 0 || operator.Parallelism > operator.MaxParallelism || operator.MaxParallelism > maxParallelism {
		w.corrupt(at, "parallelism", "%d of at most %d is impossible", operator.Parallelism, operator.MaxParallelism)
		return
	}
	at = w.at
	switch coordinator := w.stream(0, "coordinator").(type) {
	case nil:
		operator.Coordinator = nil
	case *InlineHandle:
		operator.Coordinator = coordinator
	default:
		w.corrupt(at, "coordinator", "its state is not inline")
	}
	at = w.at
	if w.left() >= 4 && int32(binary.BigEndian.Uint32(w.data[w.at:])) == -1 {
		w.at += 4
		operator.FullyFinished = true
		if operator.Coordinator != nil {
			w.corrupt(at, "number of subtasks", "a fully finished operator has no coordinator")
		}
		return
	}
	n := w.count(4, "number of subtasks")
	if n > int(operator.Parallelism) {
		w.corrupt(at, "number of subtasks", "%d are more than the parallelism of %d", n, operator.Parallelism)
		return
	}
	clear(w.seen[:operator.Parallelism/64+1])
	operator.Subtasks = w.slabs.subtasks.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		w.subtask = i
		w.subtaskEntry(w.slabs.subtasks.at(operator.Subtasks, i), operator.Parallelism, version)
	}
	w.subtask = -1
}

func (w *walk) subtaskEntry(subtask *Subtask, parallelism int32, version int) {
	at := w.at
	subtask.Index = w.i32("index")
	if subtask.Index < 0 {
		// -(index+1), so that subtask 0 can be told. The complement of the smallest int32 is the largest: no overflow.
		subtask.Index, subtask.Finished = ^subtask.Index, true
	}
	if subtask.Index >= parallelism {
		w.corrupt(at, "index", "%d is not below the parallelism of %d", subtask.Index, parallelism)
		return
	}
	if word, bit := subtask.Index/64, uint64(1)<<(subtask.Index%64); w.seen[word]&bit != 0 {
		w.corrupt(at, "index", "%d appears twice", subtask.Index)
		return
	} else {
		w.seen[word] |= bit
	}
	if subtask.Finished {
		if w.none == nil {
			w.none = new(SubtaskState)
		}
		subtask.SubtaskState = w.none
		return
	}
	state := w.slabs.states.one()
	subtask.SubtaskState = state
	if w.present("managed operator state") {
		state.ManagedOperator = w.operatorHandle("managed operator state")
	}
	if w.present("raw operator state") {
		state.RawOperator = w.operatorHandle("raw operator state")
	}
	state.ManagedKeyed = w.keyedHandle(0, "managed keyed state")
	state.RawKeyed = w.keyedHandle(0, "raw keyed state")
	state.InputChannels = w.channels(version, InputChannel, MergedInputChannels, "input channel state")
	state.OutputChannels = w.channels(version, OutputSubpartition, MergedOutputSubpartitions, "output channel state")
	if version >= 7 && w.flag("presence of a taken-over checkpoint") {
		id := w.slabs.takenOver.one()
		*id = w.size(0, "taken-over checkpoint")
		state.TakenOverFrom = id
	}
}

// present reads the 0 or 1 that Flink writes as an i32 before operator state.
func (w *walk) present(reading string) bool {
	at := w.at
	value := w.i32(reading)
	if value != 0 && value != 1 {
		w.corrupt(at, reading, "the number of handles is %d, neither 0 nor 1", value)
	}
	return value == 1
}

// properties reads the tail. Its bytes are Java's serialization; what is said in them is read as far as it is understood, and
// the end is checked as far as that.
func (w *walk) properties(m *Metadata) {
	if m.Version < 4 {
		if w.left() > 0 {
			w.corrupt(w.at, "end of the file", "%d bytes follow the last operator", w.left())
		}
		return
	}
	at := w.at
	m.Properties = w.take(w.left(), "checkpoint properties")
	snapshot, end, err := readProperties(m.Properties)
	m.Snapshot = snapshot
	switch {
	case errors.Is(err, errJavaTruncated):
		w.fail(at+end, "checkpoint properties", ErrTruncated)
	case errors.Is(err, errJavaMagic):
		w.corrupt(at, "checkpoint properties", "they do not begin like a Java serialization stream")
	case errors.Is(err, errJavaString):
		w.corrupt(at+end, "checkpoint properties", "a string is not in Java's modified UTF-8")
	case err == nil && end < len(m.Properties):
		w.corrupt(at+end, "end of the file", "%d bytes follow the checkpoint properties", len(m.Properties)-end)
	}
}
