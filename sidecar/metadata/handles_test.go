package metadata

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everything is a model with every handle that versions 3 to 7 can hold, those included that no Flink writes any more.
func everything(version int) *Metadata {
	inline := func(text string) *InlineHandle { return &InlineHandle{Name: "handle-" + text, Data: []byte(text)} }
	groups := func(first int32, offsets ...int64) KeyGroups {
		return KeyGroups{First: first, Count: int32(len(offsets))}
	}
	from := int64(17)
	states := []*SubtaskState{
		{ManagedOperator: &OperatorHandle{Type: 4, States: []PartitionedState{
			{Name: "list", Mode: Split, Offsets: []int64{1, 2, 3}},
			{Name: "union", Mode: Union, Offsets: []int64{4}},
			{Name: "broadcast", Mode: Broadcast, Offsets: []int64{5}},
			{Name: "no entries"},
		}, Stream: inline("operator")},
			RawOperator: &OperatorHandle{Type: 4, States: []PartitionedState{{Name: "raw", Offsets: []int64{0}}},
				Stream: &FileHandle{Path: "s3://b/raw", Size: -1}}},
		{ManagedOperator: &OperatorHandle{Type: 17, Empty: true, Stream: EmptySegmentHandle{},
			TaskOwnedDir: "s3p://b/t", SharedDir: "s3p://b/s"}},
		{ManagedOperator: &OperatorHandle{Type: 4}}, // over a null stream
		{ManagedKeyed: &KeyGroupsHandle{Type: 3, KeyGroups: groups(4, 8, 9), Offsets: []int64{8, 9},
			Stream: &KeyGroupsHandle{Type: 3, KeyGroups: groups(4, 7), Offsets: []int64{7}, Stream: inline("nested")}},
			RawKeyed: &KeyGroupsHandle{Type: 7, KeyGroups: groups(0, 0), Offsets: []int64{0}, Stream: &RelativeHandle{Path: "kg", Size: 3}}},
		{ManagedKeyed: &KeyGroupsHandle{Type: 12, Stream: &SegmentHandle{Path: "s3p://b/seg", Start: 5, Size: 6, Shared: true, LogicalID: "l"}, ID: "id"}},
		{ManagedKeyed: &IncrementalHandle{Type: 5, KeyGroups: KeyGroups{1, 2}, CheckpointID: 3, Backend: "backend", CheckpointedSize: -1,
			Meta: inline("meta"), Shared: []NamedStream{{"000001.sst", &FileHandle{Path: "file:/x", Size: 10}}, {"null.sst", nil}}}},
		{ManagedKeyed: &IncrementalHandle{Type: 11, KeyGroups: KeyGroups{1, 2}, CheckpointID: 3, Backend: "backend", CheckpointedSize: 9,
			Meta: inline("meta"), Private: []NamedStream{{"CURRENT", inline("MANIFEST")}}, ID: "incremental"}},
		{ManagedKeyed: &ChangelogHandle{Type: 8, KeyGroups: KeyGroups{1, 2}, CheckpointedSize: 4, MaterializationID: 5, ID: "changelog",
			Materialized: []KeyedHandle{&KeyGroupsHandle{Type: 12, Stream: inline("base")}},
			Changes: []KeyedHandle{
				&ChangelogMemoryHandle{KeyGroups: KeyGroups{1, 2}, From: 6, To: 8, ID: "memory",
					Changes: []StateChange{{KeyGroup: -1, Data: []byte("meta")}, {KeyGroup: 1, Data: []byte("data")}}},
				&ChangelogStreamHandle{Type: 10, KeyGroups: KeyGroups{1, 2}, Parts: []OffsetStream{{3, inline("part")}}, Size: 70,
					CheckpointedSize: 60, ID: "stream", Storage: "filesystem"},
			}}},
		{ManagedKeyed: &ChangelogHandle{Type: 14, CheckpointID: 99, ID: "changelog",
			Changes: []KeyedHandle{&ChangelogStreamHandle{Type: 13, Storage: "other"}}}},
		{InputChannels: []ChannelHandle{{Kind: InputChannel, Subtask: 1, Gate: 2, Channel: 3, Offsets: []int64{4, 5}, Size: 6, Stream: inline("in")}},
			OutputChannels: []ChannelHandle{{Kind: OutputSubpartition, Subtask: 1, Gate: 2, Channel: 3, Size: 7, Stream: inline("out")}}},
	}
	if version >= 6 {
		states = append(states, &SubtaskState{
			InputChannels:  []ChannelHandle{{Kind: MergedInputChannels, Subtask: 1, Size: 8, Stream: inline("in"), MergedOffsets: []byte{1, 2}}},
			OutputChannels: []ChannelHandle{{Kind: MergedOutputSubpartitions, Subtask: 1, Size: 9, MergedOffsets: []byte{}}},
		})
	}
	if version >= 7 {
		states = append(states, &SubtaskState{TakenOverFrom: &from})
	}
	all := Operator{ID: FromUID("all"), Parallelism: 64, MaxParallelism: 128, Coordinator: inline("coordinator")}
	for i, state := range states {
		all.Subtasks = append(all.Subtasks, Subtask{Index: int32(2 * i), SubtaskState: state})
	}
	all.Subtasks = append(all.Subtasks, Subtask{Index: 63, Finished: true, SubtaskState: &SubtaskState{}},
		Subtask{Index: 1, Finished: true, SubtaskState: &SubtaskState{}})
	m := &Metadata{
		Version:      version,
		CheckpointID: 1 << 40,
		MasterStates: []MasterState{{Name: "hook", Version: 7, Data: []byte("master")}},
		Operators: []Operator{all,
			{ID: FromUID("finished"), Parallelism: 2, MaxParallelism: 128, FullyFinished: true},
			{ID: FromUID("none"), Parallelism: 2, MaxParallelism: 128}},
	}
	if version >= 5 {
		m.Operators[0].Name, m.Operators[0].UID = "zähler 😀\x00", "all"
	}
	if version >= 4 {
		m.Properties = []byte{0xac, 0xed, 0, 5, 0x70} // null: nothing is known of the snapshot
	}
	return m
}

func TestEveryHandle(t *testing.T) {
	for version := MinVersion; version <= MaxVersion; version++ {
		want := everything(version)
		data := encode(want)
		if diff := cmp.Diff(want, parse(t, data)); diff != "" {
			t.Errorf("version %d (-want +got):\n%s", version, diff)
		}
		for n := range data { // the properties are null and end where they end
			if _, err := Parse(data[:n]); err == nil {
				t.Errorf("version %d: the first %d of %d bytes parse", version, n, len(data))
			}
		}
	}
}

// TestHandlesOfFlink says what testdata/flink/Handles.java wrote.
func TestHandlesOfFlink(t *testing.T) {
	offset := func(first int64) []int64 { return []int64{10 + first, 20 + first} }
	bytes := func(text string) *InlineHandle { return &InlineHandle{Name: "inline-" + text, Data: []byte(text)} }
	file := func(name string, size int64) *FileHandle { return &FileHandle{Path: "s3://other/" + name, Size: size} }
	for i, name := range written {
		version := 3 + i
		m := parse(t, read(t, name))
		if m.Version != version || m.CheckpointID != 42 || len(m.Operators) != 5 {
			t.Fatalf("%s: version %d, checkpoint %d, %d operators", name, m.Version, m.CheckpointID, len(m.Operators))
		}
		if diff := cmp.Diff([]MasterState{{"hook", 3, []byte{4, 2}}, {"empty", 0, []byte{}}}, m.MasterStates); diff != "" {
			t.Errorf("%s: master states: %s", name, diff)
		}
		if version >= 4 && m.Snapshot != (Snapshot{Known: true, Savepoint: true, Format: "NATIVE", Name: "Savepoint"}) {
			t.Errorf("%s: snapshot %+v", name, m.Snapshot)
		}
		if version >= 5 && (m.Operators[1].Name != "empty segments ä😀\x00" || m.Operators[1].UID != "uid-empty segments ä😀\x00") {
			t.Errorf("%s: operator 1 is named %q, uid %q", name, m.Operators[1].Name, m.Operators[1].UID)
		}
		bySubtask := func(operator int) map[int32]Subtask {
			subtasks := map[int32]Subtask{}
			for _, subtask := range m.Operators[operator].Subtasks {
				subtasks[subtask.Index] = subtask
			}
			return subtasks
		}
		check := func(what string, want, got any) {
			t.Helper()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, what, diff)
			}
		}
		states := func(names ...string) []PartitionedState {
			list := make([]PartitionedState, len(names))
			for i, name := range names {
				list[i] = PartitionedState{Name: name, Mode: Mode(i), Offsets: offset(int64(i))}
			}
			return list
		}
		sorted := func(handle *OperatorHandle) *OperatorHandle {
			slices.SortFunc(handle.States, func(a, b PartitionedState) int { return int(a.Mode) - int(b.Mode) })
			return handle
		}

		operator := bySubtask(0)
		check("coordinator", bytes("coordinator"), m.Operators[0].Coordinator)
		check("managed operator state",
			&OperatorHandle{Type: 4, States: states("list", "union", "broadcast"), Stream: bytes("state")}, sorted(operator[0].ManagedOperator))
		check("raw operator state", &OperatorHandle{Type: 4, States: states("raw"), Stream: file("raw", 77)}, operator[0].RawOperator)
		check("finished subtask", Subtask{Index: 1, Finished: true, SubtaskState: &SubtaskState{}}, operator[1])
		check("merged operator state", &OperatorHandle{Type: 17, States: states("merged"),
			TaskOwnedDir: "s3p://bucket/taskowned", SharedDir: "s3p://bucket/shared",
			Stream: &SegmentHandle{Path: "s3p://bucket/segments", Start: 100, Size: 50, LogicalID: "logical-segments"},
		}, operator[3].ManagedOperator)
		check("empty merged operator state", &OperatorHandle{Type: 17, Empty: true, Stream: EmptySegmentHandle{},
			TaskOwnedDir: "s3p://bucket/taskowned", SharedDir: "s3p://bucket/shared"}, bySubtask(1)[0].ManagedOperator)

		keyed := bySubtask(2)
		heap := keyed[0].ManagedKeyed.(*KeyGroupsHandle)
		check("heap", &KeyGroupsHandle{Type: TypeKeyGroupsV2, KeyGroups: KeyGroups{0, 3}, Offsets: []int64{5, 6, 7},
			Stream: &RelativeHandle{Path: "heap", Size: 500}, ID: heap.ID}, heap)
		check("canonical", &KeyGroupsHandle{Type: TypeSavepoint, KeyGroups: KeyGroups{3, 2}, Offsets: []int64{0, 9}, Stream: file("canonical", 600)},
			keyed[1].ManagedKeyed)
		incremental := keyed[2].ManagedKeyed.(*IncrementalHandle)
		check("incremental", &IncrementalHandle{Type: 11, KeyGroups: KeyGroups{0, 64}, CheckpointID: 41,
			Backend: "00000000-0000-0001-0000-000000000002", CheckpointedSize: 1370, Meta: &RelativeHandle{Path: "meta", Size: 70},
			Shared:  []NamedStream{{"000007.sst", &RelativeHandle{Path: "shared-a", Size: 1000}}, {"000009.sst", file("shared-b", 2000)}},
			Private: []NamedStream{{"CURRENT", bytes("MANIFEST-000004\n")}, {"MANIFEST-000004", &RelativeHandle{Path: "manifest", Size: 300}}},
			ID:      incremental.ID}, incremental)
		if size := incremental.StateSize(); size != 1000+2000+16+300+70 {
			t.Errorf("%s: incremental state of %d bytes", name, size)
		}
		nested := keyed[2].RawKeyed.(*KeyGroupsHandle)
		check("nested key groups", &KeyGroupsHandle{Type: TypeKeyGroups, KeyGroups: KeyGroups{5, 1}, Offsets: []int64{2}, Stream: bytes("nested")},
			nested.Stream)
		changelog := keyed[3].ManagedKeyed.(*ChangelogHandle)
		if len(changelog.Materialized) != 1 || len(changelog.Changes) != 2 {
			t.Fatalf("%s: changelog %+v", name, changelog)
		}
		stream := changelog.Changes[0].(*ChangelogStreamHandle)
		check("changes in files", &ChangelogStreamHandle{Type: 13, KeyGroups: KeyGroups{0, 1}, Parts: []OffsetStream{{12, file("changes", 90)}},
			Size: 44, CheckpointedSize: 33, ID: stream.ID, Storage: "filesystem"}, stream)
		memory := changelog.Changes[1].(*ChangelogMemoryHandle)
		check("changes inline", &ChangelogMemoryHandle{KeyGroups: KeyGroups{0, 1}, From: 4, To: 6, ID: memory.ID,
			Changes: []StateChange{{-1, []byte{1}}, {0, []byte{2, 3}}}}, memory)
		check("changelog", []int64{14, 40, 2, 124, 80 + 44 + 3},
			[]int64{int64(changelog.Type), changelog.CheckpointID, changelog.MaterializationID, changelog.CheckpointedSize, changelog.StateSize()})

		channels := bySubtask(3)
		data := &SegmentHandle{Path: "s3p://bucket/channels", Size: 70, Shared: true, LogicalID: "logical-channels"}
		check("input", []ChannelHandle{{Kind: InputChannel, Gate: 1, Channel: 2, Offsets: []int64{0, 30}, Size: 60, Stream: data}}, channels[0].InputChannels)
		check("output", []ChannelHandle{{Kind: OutputSubpartition, Gate: 3, Channel: 4, Offsets: []int64{60}, Size: 10, Stream: data}}, channels[0].OutputChannels)
		if size := channels[0].Size(); size != 70 {
			t.Errorf("%s: in-flight data of %d bytes", name, size)
		}
		if version >= 6 {
			merged := channels[1].InputChannels[0]
			if merged.Kind != MergedInputChannels || merged.Size != 70 || len(merged.MergedOffsets) == 0 {
				t.Errorf("%s: merged input %+v", name, merged)
			}
			check("merged output", []ChannelHandle{{Kind: MergedOutputSubpartitions, Subtask: 1, Size: 5, Stream: data, MergedOffsets: []byte{9, 8, 7}}},
				channels[1].OutputChannels)
		}
		check("fully finished", []any{true, int32(3), 0}, []any{m.Operators[4].FullyFinished, m.Operators[4].Parallelism, len(m.Operators[4].Subtasks)})
	}
}
