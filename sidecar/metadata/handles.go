package metadata

import (
	"math"
	"slices"
	"sort"
)

// StreamHandle says where a run of bytes lies (org.apache.flink.runtime.state.StreamStateHandle). It is one of *InlineHandle,
// *FileHandle, *RelativeHandle, *SegmentHandle, EmptySegmentHandle and *KeyGroupsHandle; nil where Flink wrote null.
type StreamHandle interface {
	// StateSize is the number of bytes, -1 if Flink did not note it.
	StateSize() int64
	stream()
}

// InlineHandle is state that lies in _metadata itself, because it was below execution.checkpointing.data-inline-threshold
// (org.apache.flink.runtime.state.memory.ByteStreamStateHandle).
type InlineHandle struct {
	// Name is made up by Flink and means nothing outside.
	Name string
	// Data points into what was parsed.
	Data []byte
}

// FileHandle is a whole file with an absolute path (org.apache.flink.runtime.state.filesystem.FileStateHandle).
type FileHandle struct {
	Path string
	Size int64
}

// RelativeHandle is a whole file beside _metadata: Path is relative to the directory that _metadata lies in
// (org.apache.flink.runtime.state.filesystem.RelativeFileStateHandle).
//
// Up to Flink 2.3.0 one case is wrong (FLINK-39964): after a restore in CLAIM mode from a native savepoint, RocksDB files that
// are reused from the savepoint are noted as relative, and are not beside the new _metadata but in the savepoint's directory.
// A reader that misses such a file does well to look there: see Location.Resolve.
type RelativeHandle struct {
	Path string
	Size int64
}

// SegmentHandle is a part of a file that many states share: Size bytes from Start, in the file of the absolute Path
// (org.apache.flink.runtime.state.filemerging.SegmentFileStateHandle).
type SegmentHandle struct {
	Path        string
	Start, Size int64
	// Shared tells the scope: shared over checkpoints, or exclusive to this one.
	Shared bool
	// LogicalID is Flink's name of the segment.
	LogicalID string
}

// EmptySegmentHandle is a segment without bytes, which has no file
// (org.apache.flink.runtime.state.filemerging.EmptySegmentFileStateHandle).
type EmptySegmentHandle struct{}

// StateSize is the number of bytes.
func (h *InlineHandle) StateSize() int64 { return int64(len(h.Data)) }

// StateSize is the size of the file, -1 if unknown.
func (h *FileHandle) StateSize() int64 { return h.Size }

// StateSize is the size of the file, -1 if unknown.
func (h *RelativeHandle) StateSize() int64 { return h.Size }

// StateSize is the size of the segment.
func (h *SegmentHandle) StateSize() int64 { return h.Size }

// StateSize is 0.
func (EmptySegmentHandle) StateSize() int64 { return 0 }

func (*InlineHandle) stream()      {}
func (*FileHandle) stream()        {}
func (*RelativeHandle) stream()    {}
func (*SegmentHandle) stream()     {}
func (EmptySegmentHandle) stream() {}
func (*KeyGroupsHandle) stream()   {}

// eachStream yields the plain handle below any key-group wrappers.
func eachStream(handle StreamHandle, yield func(StreamHandle) bool) bool {
	for {
		wrapper, ok := handle.(*KeyGroupsHandle)
		if !ok {
			return handle == nil || yield(handle)
		}
		handle = wrapper.Stream
	}
}

// Mode says how list state is handed out at restore (org.apache.flink.runtime.state.OperatorStateHandle.Mode).
type Mode uint8

const (
	// Split: the entries of all subtasks are dealt out among the subtasks (list state).
	Split Mode = iota
	// Union: every subtask gets the entries of all subtasks (union list state). Each stores its own entries only.
	Union
	// Broadcast: every subtask stores, and gets, the same map (broadcast state).
	Broadcast
)

func (m Mode) String() string {
	switch m {
	case Split:
		return "SPLIT"
	case Union:
		return "UNION"
	case Broadcast:
		return "BROADCAST"
	}
	return "UNKNOWN"
}

// OperatorHandle is the operator state of one subtask: one stream, and for each named state the offsets of its entries
// (org.apache.flink.runtime.state.OperatorStreamStateHandle).
type OperatorHandle struct {
	// Type is 4, or 17 where files are merged (FileMergingOperatorStreamStateHandle).
	Type uint8
	// Empty: a type 17 handle that only keeps its directories in use (EmptyFileMergingOperatorStreamStateHandle).
	Empty  bool
	States []PartitionedState
	Stream StreamHandle
	// TaskOwnedDir and SharedDir are the directories that Flink keeps alive with this handle; type 17 only.
	TaskOwnedDir, SharedDir string
}

// PartitionedState is one named operator state of a subtask.
type PartitionedState struct {
	Name string
	Mode Mode
	// Offsets count from the start of the stream; one for each list entry, in order, or one in all for a broadcast state.
	Offsets []int64
}

// State finds a state by name.
func (h *OperatorHandle) State(name string) (*PartitionedState, bool) {
	if h == nil {
		return nil, false
	}
	for i := range h.States {
		if h.States[i].Name == name {
			return &h.States[i], true
		}
	}
	return nil, false
}

// ChannelKind tells what a channel handle holds.
type ChannelKind uint8

// The numbers are those of ChannelStateHandleSerializerV2.
const (
	InputChannel ChannelKind = iota + 1
	OutputSubpartition
	MergedInputChannels
	MergedOutputSubpartitions
)

// ChannelHandle is in-flight data of one channel, or merged of all channels of a subtask (InputChannelStateHandle,
// ResultSubpartitionStateHandle, MergedInputChannelStateHandle, MergedResultSubpartitionStateHandle of
// org.apache.flink.runtime.state). It is described here, not decoded.
type ChannelHandle struct {
	Kind    ChannelKind
	Subtask int32
	// Gate and Channel are the input gate and channel, or the result partition and subpartition; 0 for merged handles.
	Gate, Channel int32
	// Offsets count from the start of the stream; nil for merged handles.
	Offsets []int64
	// Size is the bytes of this channel's data; several channels may share one stream.
	Size   int64
	Stream StreamHandle
	// MergedOffsets is Flink's serialized table of channels and offsets; merged handles only.
	MergedOffsets []byte
}

// addSizes adds a handle's size to a total: an unknown size counts as nothing, and the sum stops at the largest int64 rather
// than turn negative, because sizes come from outside.
func addSizes(total, size int64) int64 {
	switch {
	case size <= 0:
		return total
	case total > math.MaxInt64-size:
		return math.MaxInt64
	}
	return total + size
}

// Ranges tells where in the stream each entry of a state lies: up to the next entry of any state, or the end of the stream,
// which is -1 bytes away if its size is not noted. It is nil for an unknown state.
func (h *OperatorHandle) Ranges(name string) []Range {
	state, ok := h.State(name)
	if !ok {
		return nil
	}
	var starts []int64
	for i := range h.States {
		starts = append(starts, h.States[i].Offsets...)
	}
	slices.Sort(starts)
	end := int64(0)
	if h.Stream != nil {
		end = h.Stream.StateSize()
	}
	ranges := make([]Range, len(state.Offsets))
	for i, offset := range state.Offsets {
		ranges[i] = Range{Offset: offset, Size: -1}
		next := sort.Search(len(starts), func(i int) bool { return starts[i] > offset })
		switch {
		case next < len(starts):
			ranges[i].Size = starts[next] - offset
		case end >= offset:
			ranges[i].Size = end - offset
		}
	}
	return ranges
}
