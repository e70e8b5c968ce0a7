package metadata

import (
	"encoding/binary"
	"unicode/utf16"
)

// writer writes _metadata files as Flink's MetadataV3Serializer to MetadataV7Serializer do. It exists so that tests can say in
// the terms of the model what a file holds, and so that what Parse made of a file of Flink's can be written again and compared
// with it byte for byte.
type writer struct {
	data    []byte
	version int
}

func encode(m *Metadata) []byte {
	w := &writer{version: m.Version}
	w.i32(fileMagic)
	w.i32(int32(m.Version))
	w.i64(m.CheckpointID)
	w.i32(int32(len(m.MasterStates)))
	for _, state := range m.MasterStates {
		body := &writer{}
		body.i32(state.Version)
		body.utf(state.Name)
		body.bytes(state.Data)
		magic := uint32(masterMagic)
		w.i32(int32(magic))
		w.bytes(body.data)
	}
	w.i32(int32(len(m.Operators)))
	for i := range m.Operators {
		w.operator(&m.Operators[i])
	}
	w.data = append(w.data, m.Properties...)
	return w.data
}

func (w *writer) u8(v uint8)  { w.data = append(w.data, v) }
func (w *writer) i32(v int32) { w.data = binary.BigEndian.AppendUint32(w.data, uint32(v)) }
func (w *writer) i64(v int64) { w.data = binary.BigEndian.AppendUint64(w.data, uint64(v)) }
func (w *writer) bytes(v []byte) {
	w.i32(int32(len(v)))
	w.data = append(w.data, v...)
}

func (w *writer) offsets(v []int64) {
	for _, offset := range v {
		w.i64(offset)
	}
}

func (w *writer) utf(v string) {
	var body []byte
	for _, unit := range utf16.Encode([]rune(v)) {
		switch {
		case unit >= 1 && unit < 0x80:
			body = append(body, byte(unit))
		case unit < 0x800:
			body = append(body, 0xc0|byte(unit>>6), 0x80|byte(unit&0x3f))
		default:
			body = append(body, 0xe0|byte(unit>>12), 0x80|byte(unit>>6&0x3f), 0x80|byte(unit&0x3f))
		}
	}
	w.data = binary.BigEndian.AppendUint16(w.data, uint16(len(body)))
	w.data = append(w.data, body...)
}

func (w *writer) flag(v bool) {
	if v {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *writer) operator(operator *Operator) {
	if w.version >= 5 {
		w.utf(operator.Name)
		w.utf(operator.UID)
	}
	w.data = append(w.data, operator.ID[:]...)
	w.i32(operator.Parallelism)
	w.i32(operator.MaxParallelism)
	if operator.Coordinator == nil {
		w.u8(0)
	} else {
		w.stream(operator.Coordinator)
	}
	if operator.FullyFinished {
		w.i32(-1)
		return
	}
	w.i32(int32(len(operator.Subtasks)))
	for i := range operator.Subtasks {
		w.subtask(&operator.Subtasks[i])
	}
}

func (w *writer) subtask(subtask *Subtask) {
	if subtask.Finished {
		w.i32(-(subtask.Index + 1))
		return
	}
	w.i32(subtask.Index)
	for _, handle := range []*OperatorHandle{subtask.ManagedOperator, subtask.RawOperator} {
		if handle == nil {
			w.i32(0)
			continue
		}
		w.i32(1)
		w.operatorHandle(handle)
	}
	w.keyed(subtask.ManagedKeyed)
	w.keyed(subtask.RawKeyed)
	for _, channels := range [][]ChannelHandle{subtask.InputChannels, subtask.OutputChannels} {
		w.i32(int32(len(channels)))
		for i := range channels {
			w.channel(&channels[i])
		}
	}
	if w.version >= 7 {
		w.flag(subtask.TakenOverFrom != nil)
		if subtask.TakenOverFrom != nil {
			w.i64(*subtask.TakenOverFrom)
		}
	}
}

func (w *writer) stream(handle StreamHandle) {
	switch handle := handle.(type) {
	case nil:
		w.u8(0)
	case *InlineHandle:
		w.u8(1)
		w.utf(handle.Name)
		w.bytes(handle.Data)
	case *FileHandle:
		w.u8(2)
		w.i64(handle.Size)
		w.utf(handle.Path)
	case *KeyGroupsHandle:
		w.keyGroupsHandle(handle)
	case *RelativeHandle:
		w.u8(6)
		w.utf(handle.Path)
		w.i64(handle.Size)
	case *SegmentHandle:
		w.u8(15)
		w.i64(handle.Start)
		w.i64(handle.Size)
		if handle.Shared {
			w.i32(1)
		} else {
			w.i32(0)
		}
		w.utf(handle.Path)
		w.utf(handle.LogicalID)
	case EmptySegmentHandle:
		w.u8(16)
	}
}

func (w *writer) operatorHandle(handle *OperatorHandle) {
	w.u8(handle.Type)
	w.i32(int32(len(handle.States)))
	for _, state := range handle.States {
		w.utf(state.Name)
		w.u8(uint8(state.Mode))
		w.i32(int32(len(state.Offsets)))
		w.offsets(state.Offsets)
	}
	if handle.Type == 17 {
		w.utf(handle.TaskOwnedDir)
		w.utf(handle.SharedDir)
		w.flag(handle.Empty)
	}
	w.stream(handle.Stream)
}

func (w *writer) keyGroupsHandle(handle *KeyGroupsHandle) {
	w.u8(handle.Type)
	w.i32(handle.First)
	w.i32(handle.Count)
	w.offsets(handle.Offsets)
	w.stream(handle.Stream)
	if handle.Type == TypeKeyGroupsV2 {
		w.utf(handle.ID)
	}
}

func (w *writer) keyed(handle KeyedHandle) {
	switch handle := handle.(type) {
	case nil:
		w.u8(0)
	case *KeyGroupsHandle:
		w.keyGroupsHandle(handle)
	case *IncrementalHandle:
		w.u8(handle.Type)
		w.i64(handle.CheckpointID)
		w.utf(handle.Backend)
		w.i32(handle.First)
		w.i32(handle.Count)
		if handle.Type == 11 {
			w.i64(handle.CheckpointedSize)
		}
		w.stream(handle.Meta)
		for _, files := range [][]NamedStream{handle.Shared, handle.Private} {
			w.i32(int32(len(files)))
			for _, file := range files {
				w.utf(file.Name)
				w.stream(file.Stream)
			}
		}
		if handle.Type == 11 {
			w.utf(handle.ID)
		}
	case *ChangelogHandle:
		w.u8(handle.Type)
		w.i32(handle.First)
		w.i32(handle.Count)
		w.i64(handle.CheckpointedSize)
		for _, handles := range [][]KeyedHandle{handle.Materialized, handle.Changes} {
			w.i32(int32(len(handles)))
			for _, nested := range handles {
				w.keyed(nested)
			}
		}
		w.i64(handle.MaterializationID)
		if handle.Type == 14 {
			w.i64(handle.CheckpointID)
		}
		w.utf(handle.ID)
	case *ChangelogMemoryHandle:
		w.u8(9)
		w.i32(handle.First)
		w.i32(handle.Count)
		w.i64(handle.From)
		w.i64(handle.To)
		w.i32(int32(len(handle.Changes)))
		for _, change := range handle.Changes {
			w.i32(change.KeyGroup)
			w.bytes(change.Data)
		}
		w.utf(handle.ID)
	case *ChangelogStreamHandle:
		w.u8(handle.Type)
		w.i32(handle.First)
		w.i32(handle.Count)
		w.i32(int32(len(handle.Parts)))
		for _, part := range handle.Parts {
			w.i64(part.Offset)
			w.stream(part.Stream)
		}
		w.i64(handle.Size)
		w.i64(handle.CheckpointedSize)
		w.utf(handle.ID)
		if handle.Type == 13 {
			w.utf(handle.Storage)
		}
	}
}

func (w *writer) channel(channel *ChannelHandle) {
	merged := channel.Kind == MergedInputChannels || channel.Kind == MergedOutputSubpartitions
	if w.version >= 6 {
		w.u8(uint8(channel.Kind))
	}
	w.i32(channel.Subtask)
	if merged {
		w.i64(channel.Size)
		w.stream(channel.Stream)
		w.bytes(channel.MergedOffsets)
		return
	}
	w.i32(channel.Gate)
	w.i32(channel.Channel)
	w.i32(int32(len(channel.Offsets)))
	w.offsets(channel.Offsets)
	w.i64(channel.Size)
	w.stream(channel.Stream)
}
