package metadata

// Description sums up a checkpoint for people and programs. Its JSON is part of drey's interface: keys may be added, none
// renamed.
type Description struct {
	Version      int   `json:"version"`
	CheckpointID int64 `json:"checkpoint_id"`
	// Snapshot is missing where the file does not say.
	Snapshot  *Snapshot             `json:"snapshot,omitempty"`
	Operators []OperatorDescription `json:"operators"`
	// Files are those that must exist, each once.
	Files []FileDescription `json:"files"`
	// TotalSize is the bytes of all state, inline state and coordinators included, as Flink counts it: a file that two
	// handles share counts twice.
	TotalSize int64 `json:"total_size"`
}

// OperatorDescription is one operator.
type OperatorDescription struct {
	ID             OperatorID `json:"operator_id"`
	Name           string     `json:"name"`
	UID            string     `json:"uid"`
	Parallelism    int32      `json:"parallelism"`
	MaxParallelism int32      `json:"max_parallelism"`
	FullyFinished  bool       `json:"fully_finished,omitempty"`
	// Subtasks are in the order of the file.
	Subtasks         []SubtaskDescription `json:"subtasks"`
	CoordinatorBytes int64                `json:"coordinator_bytes"`
}

// SubtaskDescription is one subtask. What is rare is left out of the JSON when it is not there.
type SubtaskDescription struct {
	Index            int32                       `json:"index"`
	Finished         bool                        `json:"finished"`
	OperatorState    map[string]StateDescription `json:"operator_state"`
	RawOperatorState map[string]StateDescription `json:"raw_operator_state,omitempty"`
	KeyedState       []KeyedDescription          `json:"keyed_state"`
	RawKeyedState    []KeyedDescription          `json:"raw_keyed_state,omitempty"`
	// InputChannelBytes and OutputChannelBytes are in-flight data of an unaligned checkpoint.
	InputChannelBytes  int64 `json:"input_channel_bytes,omitempty"`
	OutputChannelBytes int64 `json:"output_channel_bytes,omitempty"`
	// TakenOverFrom is the checkpoint that the state was written for, if it was another.
	TakenOverFrom *int64 `json:"taken_over_from,omitempty"`
	// Size is the bytes of all of it.
	Size int64 `json:"size"`
}

// StateDescription is one named operator state.
type StateDescription struct {
	// Mode is SPLIT, UNION or BROADCAST.
	Mode string `json:"mode"`
	// Entries is the number of list entries; a broadcast state is one entry, however many keys are in its map.
	Entries int `json:"entries"`
}

// KeyedDescription is one keyed state handle.
type KeyedDescription struct {
	// Type is what KeyedHandle.Kind answers.
	Type string `json:"type"`
	// KeyGroups are the first and the last.
	KeyGroups [2]int32 `json:"key_groups"`
	Size      int64    `json:"size"`
}

// FileDescription is one file, or the part of it from the first to the last byte that is needed.
type FileDescription struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	// Size is -1 if Flink did not note it.
	Size int64 `json:"size"`
}

// Describe sums up m. dir is the directory of its _metadata file: paths of files are printed as they resolve against it.
func Describe(m *Metadata, dir Location) (*Description, error) {
	files, err := m.Files(dir)
	if err != nil {
		return nil, err
	}
	d := &Description{
		Version:      m.Version,
		CheckpointID: m.CheckpointID,
		Operators:    make([]OperatorDescription, len(m.Operators)),
		Files:        make([]FileDescription, len(files)),
	}
	if m.Snapshot.Known {
		d.Snapshot = &m.Snapshot
	}
	for i := range files {
		d.Files[i] = FileDescription{Path: files[i].Location.String(), Offset: files[i].Offset(), Size: files[i].Size()}
	}
	for i := range m.Operators {
		d.Operators[i] = describeOperator(&m.Operators[i])
		d.TotalSize = addSizes(d.TotalSize, d.Operators[i].CoordinatorBytes)
		for _, subtask := range d.Operators[i].Subtasks {
			d.TotalSize = addSizes(d.TotalSize, subtask.Size)
		}
	}
	return d, nil
}

func describeOperator(operator *Operator) OperatorDescription {
	d := OperatorDescription{
		ID:             operator.ID,
		Name:           operator.Name,
		UID:            operator.UID,
		Parallelism:    operator.Parallelism,
		MaxParallelism: operator.MaxParallelism,
		FullyFinished:  operator.FullyFinished,
		Subtasks:       make([]SubtaskDescription, len(operator.Subtasks)),
	}
	if operator.Coordinator != nil {
		d.CoordinatorBytes = operator.Coordinator.StateSize()
	}
	for i := range operator.Subtasks {
		subtask := &operator.Subtasks[i]
		d.Subtasks[i] = SubtaskDescription{
			Index:              subtask.Index,
			Finished:           subtask.Finished,
			OperatorState:      describeStates(subtask.ManagedOperator),
			KeyedState:         describeKeyed(subtask.ManagedKeyed),
			InputChannelBytes:  channelBytes(subtask.InputChannels),
			OutputChannelBytes: channelBytes(subtask.OutputChannels),
			TakenOverFrom:      subtask.TakenOverFrom,
			Size:               subtask.Size(),
		}
		if subtask.RawOperator != nil {
			d.Subtasks[i].RawOperatorState = describeStates(subtask.RawOperator)
		}
		if subtask.RawKeyed != nil {
			d.Subtasks[i].RawKeyedState = describeKeyed(subtask.RawKeyed)
		}
	}
	return d
}

func describeStates(handle *OperatorHandle) map[string]StateDescription {
	states := map[string]StateDescription{}
	if handle != nil {
		for i := range handle.States {
			state := &handle.States[i]
			states[state.Name] = StateDescription{Mode: state.Mode.String(), Entries: len(state.Offsets)}
		}
	}
	return states
}

func describeKeyed(handle KeyedHandle) []KeyedDescription {
	if handle == nil {
		return []KeyedDescription{}
	}
	groups := handle.Range()
	return []KeyedDescription{{Type: handle.Kind(), KeyGroups: [2]int32{groups.First, groups.Last()}, Size: handle.StateSize()}}
}

func channelBytes(channels []ChannelHandle) int64 {
	total := int64(0)
	for i := range channels {
		total = addSizes(total, channels[i].Size)
	}
	return total
}
