package metadata

import "iter"

// Metadata is the content of one _metadata file. It is read-only after Parse and safe for concurrent readers. Strings and inline
// state are parts of the slice that was given to Parse: keeping any of them keeps all of it.
type Metadata struct {
	// Version is the version of the layout, 3 to 7.
	Version int
	// CheckpointID is the id of the checkpoint. Savepoints take ids from the same sequence.
	CheckpointID int64
	MasterStates []MasterState
	Operators    []Operator
	// Properties is the Java-serialized CheckpointProperties, as written; nil in version 3, which has none.
	Properties []byte
	// Snapshot is what Properties say of the kind of snapshot.
	Snapshot Snapshot
}

// MasterState is what a hook in the JobManager stored (org.apache.flink.runtime.checkpoint.MasterState).
type MasterState struct {
	Name    string
	Version int32
	Data    []byte
}

// Operator is the state of one operator over all its subtasks (org.apache.flink.runtime.checkpoint.OperatorState).
type Operator struct {
	// Name and UID are empty before version 5, and UID also where the job sets none.
	Name, UID string
	// ID is what state is found by. See FromUID.
	ID             OperatorID
	Parallelism    int32
	MaxParallelism int32
	// FullyFinished: every subtask had ended before the checkpoint; there are no subtasks and no coordinator then.
	FullyFinished bool
	// Coordinator is the state of the operator's coordinator in the JobManager, nil if it has none.
	Coordinator *InlineHandle
	// Subtasks are in the order of the file, which is not that of their index. Subtasks without state may be missing.
	Subtasks []Subtask
}

// Subtask is one subtask's entry. Its state is embedded: for a finished subtask it is there and empty.
type Subtask struct {
	// Index counts from 0, and is below the operator's parallelism.
	Index int32
	// Finished: the subtask had ended before the checkpoint and has no state.
	Finished bool
	*SubtaskState
}

// SubtaskState is what a running subtask stored (org.apache.flink.runtime.checkpoint.OperatorSubtaskState).
type SubtaskState struct {
	// ManagedOperator and RawOperator are nil if there is no such state, like ManagedKeyed and RawKeyed.
	ManagedOperator, RawOperator *OperatorHandle
	ManagedKeyed, RawKeyed       KeyedHandle
	// InputChannels and OutputChannels hold what was in flight; only unaligned checkpoints have them.
	InputChannels, OutputChannels []ChannelHandle
	// TakenOverFrom is the checkpoint that this state was written for, if a regional checkpoint took it over (version 7), else
	// nil.
	TakenOverFrom *int64
}

// Size is the bytes of all state of the subtask as Flink counts them: inline state included, unknown sizes as nothing.
func (s *SubtaskState) Size() int64 {
	total := int64(0)
	for _, operator := range []*OperatorHandle{s.ManagedOperator, s.RawOperator} {
		if operator != nil {
			eachStream(operator.Stream, func(stream StreamHandle) bool {
				total = addSizes(total, stream.StateSize())
				return true
			})
		}
	}
	for _, keyed := range []KeyedHandle{s.ManagedKeyed, s.RawKeyed} {
		if keyed != nil {
			total = addSizes(total, keyed.StateSize())
		}
	}
	// Channels share streams, so it is their own sizes that add up.
	for _, channels := range [][]ChannelHandle{s.InputChannels, s.OutputChannels} {
		for i := range channels {
			total = addSizes(total, channels[i].Size)
		}
	}
	return total
}

// Streams yields every stream handle of the subtask, nested ones flattened; nulls and key-group wrappers are left out.
func (s *SubtaskState) Streams() iter.Seq[StreamHandle] {
	return func(yield func(StreamHandle) bool) { s.eachStream(yield) }
}

func (s *SubtaskState) eachStream(yield func(StreamHandle) bool) bool {
	for _, operator := range []*OperatorHandle{s.ManagedOperator, s.RawOperator} {
		if operator != nil && !eachStream(operator.Stream, yield) {
			return false
		}
	}
	for _, keyed := range []KeyedHandle{s.ManagedKeyed, s.RawKeyed} {
		if keyed != nil && !keyed.eachStream(yield) {
			return false
		}
	}
	for _, channels := range [][]ChannelHandle{s.InputChannels, s.OutputChannels} {
		for i := range channels {
			if !eachStream(channels[i].Stream, yield) {
				return false
			}
		}
	}
	return true
}

// Operator finds an operator by its id.
func (m *Metadata) Operator(id OperatorID) (*Operator, bool) {
	for i := range m.Operators {
		if m.Operators[i].ID == id {
			return &m.Operators[i], true
		}
	}
	return nil, false
}

// FindOperator finds an operator by what a person may know of it: its uid, its id in hex, or its name, tried in this order. In
// files of versions 3 and 4, which hold no uids, a uid is found by its hash. ambiguous is true if several operators carry the
// name; the first one is answered then.
func (m *Metadata) FindOperator(key string) (operator *Operator, ambiguous bool) {
	if key == "" {
		return nil, false
	}
	for i := range m.Operators {
		if m.Operators[i].UID == key {
			return &m.Operators[i], false
		}
	}
	if found, ok := m.Operator(FromUID(key)); ok {
		return found, false
	}
	if id, err := ParseOperatorID(key); err == nil {
		if found, ok := m.Operator(id); ok {
			return found, false
		}
	}
	for i := range m.Operators {
		if m.Operators[i].Name != key {
			continue
		}
		if operator != nil {
			return operator, true
		}
		operator = &m.Operators[i]
	}
	return operator, false
}
