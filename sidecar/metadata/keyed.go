package metadata

// KeyedHandle is keyed state of one subtask (org.apache.flink.runtime.state.KeyedStateHandle). It is one of *KeyGroupsHandle,
// *IncrementalHandle, *ChangelogHandle, *ChangelogMemoryHandle and *ChangelogStreamHandle.
type KeyedHandle interface {
	// Range is the key groups of the state.
	Range() KeyGroups
	// StateSize is the number of bytes of the whole state, with what earlier checkpoints wrote.
	StateSize() int64
	// Kind names the handle: key-groups, savepoint, incremental, changelog, changelog-memory or changelog-stream.
	Kind() string
	eachStream(yield func(StreamHandle) bool) bool
}

// KeyGroups is a run of key groups: Count from First on (org.apache.flink.runtime.state.KeyGroupRange).
type KeyGroups struct {
	First, Count int32
}

// Last is the last key group of the run, First-1 if it is empty.
func (k KeyGroups) Last() int32 { return k.First + k.Count - 1 }

// Range is the run itself.
func (k KeyGroups) Range() KeyGroups { return k }

// The types of KeyGroupsHandle.
const (
	// TypeKeyGroups is written by versions of Flink before 1.15, and may nest in streams.
	TypeKeyGroups = 3
	// TypeSavepoint is a savepoint in canonical format (KeyGroupsSavepointStateHandle).
	TypeSavepoint = 7
	// TypeKeyGroupsV2 has an id besides; what HashMapStateBackend writes.
	TypeKeyGroupsV2 = 12
)

// KeyGroupsHandle is one stream with an offset for each key group: what HashMapStateBackend writes, and every backend for a
// canonical savepoint (org.apache.flink.runtime.state.KeyGroupsStateHandle). Package statefile reads such streams.
type KeyGroupsHandle struct {
	// Type is TypeKeyGroups, TypeSavepoint or TypeKeyGroupsV2: the stream of TypeSavepoint has a layout of its own.
	Type uint8
	KeyGroups
	// Offsets has one offset for each key group, counted from the start of the stream. 0 stands for an empty key group.
	Offsets []int64
	Stream  StreamHandle
	// ID is Flink's id of the handle, type 12 only.
	ID string
}

// IncrementalHandle is the files of a RocksDB or ForSt backend (IncrementalRemoteKeyedStateHandle).
type IncrementalHandle struct {
	// Type is 5, or 11 with CheckpointedSize and ID.
	Type uint8
	KeyGroups
	// CheckpointID is the checkpoint that uploaded it.
	CheckpointID int64
	// Backend is the UUID of the backend instance.
	Backend string
	// CheckpointedSize is the bytes that this checkpoint uploaded itself, -1 if not noted.
	CheckpointedSize int64
	// Meta is a stream of Flink's own about the states and their serializers.
	Meta StreamHandle
	// Shared are the SST files, Private the others (MANIFEST, CURRENT, OPTIONS).
	Shared, Private []NamedStream
	ID              string
}

// NamedStream is a file of the database, under the name it has in the database (HandleAndLocalPath).
type NamedStream struct {
	Name   string
	Stream StreamHandle
}

// ChangelogHandle is state of the changelog backend: a materialized base and the changes since (ChangelogStateBackendHandle).
type ChangelogHandle struct {
	// Type is 8, or 14 with CheckpointID.
	Type uint8
	KeyGroups
	CheckpointedSize int64
	Materialized     []KeyedHandle
	// Changes are *ChangelogMemoryHandle or *ChangelogStreamHandle.
	Changes           []KeyedHandle
	MaterializationID int64
	CheckpointID      int64
	ID                string
}

// ChangelogMemoryHandle is changes that lie in _metadata (InMemoryChangelogStateHandle), type 9.
type ChangelogMemoryHandle struct {
	KeyGroups
	// From and To are the sequence numbers of the first change and of the one after the last.
	From, To int64
	Changes  []StateChange
	ID       string
}

// StateChange is one change of the changelog. KeyGroup is -1 for a change of metadata.
type StateChange struct {
	KeyGroup int32
	Data     []byte
}

// ChangelogStreamHandle is changes that lie in files (ChangelogStateHandleStreamImpl).
type ChangelogStreamHandle struct {
	// Type is 10, or 13 with Storage.
	Type uint8
	KeyGroups
	Parts                  []OffsetStream
	Size, CheckpointedSize int64
	ID                     string
	// Storage is the kind of changelog storage, "filesystem" in Flink itself.
	Storage string
}

// OffsetStream is a stream that is read from Offset on.
type OffsetStream struct {
	Offset int64
	Stream StreamHandle
}

// Kind is savepoint or key-groups.
func (h *KeyGroupsHandle) Kind() string {
	if h.Type == TypeSavepoint {
		return "savepoint"
	}
	return "key-groups"
}

// Kind is incremental.
func (h *IncrementalHandle) Kind() string { return "incremental" }

// Kind is changelog.
func (h *ChangelogHandle) Kind() string { return "changelog" }

// Kind is changelog-memory.
func (h *ChangelogMemoryHandle) Kind() string { return "changelog-memory" }

// Kind is changelog-stream.
func (h *ChangelogStreamHandle) Kind() string { return "changelog-stream" }

// StateSize is the size of the stream.
func (h *KeyGroupsHandle) StateSize() int64 {
	if h.Stream == nil {
		return 0
	}
	return h.Stream.StateSize()
}

// StateSize is the size of all files.
func (h *IncrementalHandle) StateSize() int64 { return streamSizes(h) }

// StateSize is the size of the base and of the changes.
func (h *ChangelogHandle) StateSize() int64 {
	total := int64(0)
	for _, handles := range [][]KeyedHandle{h.Materialized, h.Changes} {
		for _, handle := range handles {
			total = addSizes(total, handle.StateSize())
		}
	}
	return total
}

// StateSize is the size of all changes.
func (h *ChangelogMemoryHandle) StateSize() int64 {
	total := int64(0)
	for i := range h.Changes {
		total += int64(len(h.Changes[i].Data))
	}
	return total
}

// StateSize is the size that Flink noted; the files hold changes of others, too.
func (h *ChangelogStreamHandle) StateSize() int64 { return h.Size }

func streamSizes(handle KeyedHandle) int64 {
	total := int64(0)
	handle.eachStream(func(stream StreamHandle) bool {
		total = addSizes(total, stream.StateSize())
		return true
	})
	return total
}

func (h *KeyGroupsHandle) eachStream(yield func(StreamHandle) bool) bool {
	return eachStream(h.Stream, yield)
}

func (h *IncrementalHandle) eachStream(yield func(StreamHandle) bool) bool {
	if !eachStream(h.Meta, yield) {
		return false
	}
	for _, files := range [][]NamedStream{h.Shared, h.Private} {
		for i := range files {
			if !eachStream(files[i].Stream, yield) {
				return false
			}
		}
	}
	return true
}

func (h *ChangelogHandle) eachStream(yield func(StreamHandle) bool) bool {
	for _, handles := range [][]KeyedHandle{h.Materialized, h.Changes} {
		for _, handle := range handles {
			if !handle.eachStream(yield) {
				return false
			}
		}
	}
	return true
}

func (h *ChangelogMemoryHandle) eachStream(func(StreamHandle) bool) bool { return true }

func (h *ChangelogStreamHandle) eachStream(yield func(StreamHandle) bool) bool {
	for i := range h.Parts {
		if !eachStream(h.Parts[i].Stream, yield) {
			return false
		}
	}
	return true
}
