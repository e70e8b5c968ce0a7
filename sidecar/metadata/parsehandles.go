package metadata

// stream reads a StreamHandle (MetadataV2V3SerializerBase.deserializeStreamStateHandle). depth counts the handles around it.
func (w *walk) stream(depth int, reading string) StreamHandle {
	at := w.at
	switch kind := w.u8(reading); kind {
	case 0:
	case 1:
		handle := w.slabs.inline.one()
		handle.Name = w.utf(reading)
		handle.Data = w.bytes(reading)
		return handle
	case 2:
		handle := w.slabs.files.one()
		handle.Size = w.size(-1, reading)
		handle.Path = w.utf(reading)
		return handle
	case TypeKeyGroups:
		handle := w.keyGroupsHandle(kind, depth, reading)
		if handle != nil {
			return handle
		}
	case 6:
		handle := w.slabs.relatives.one()
		handle.Path = w.utf(reading)
		handle.Size = w.size(-1, reading)
		return handle
	case 15:
		handle := w.slabs.segments.one()
		handle.Start = w.size(0, reading)
		handle.Size = w.size(0, reading)
		if handle.Start+handle.Size < 0 {
			w.corrupt(at, reading, "a segment of %d bytes from %d on ends beyond every file", handle.Size, handle.Start)
		}
		scope := w.i32(reading)
		if scope != 0 && scope != 1 {
			w.corrupt(at, reading, "scope %d of a segment is unknown", scope)
		}
		handle.Shared = scope == 1
		handle.Path = w.utf(reading)
		handle.LogicalID = w.utf(reading)
		return handle
	case 16:
		return EmptySegmentHandle{}
	default:
		w.corrupt(at, reading, "type %d of a stream handle is unknown", kind)
	}
	return nil
}

// operatorHandle reads an OperatorStateHandle (MetadataV2V3SerializerBase.deserializeOperatorStateHandle).
func (w *walk) operatorHandle(reading string) *OperatorHandle {
	at := w.at
	kind := w.u8(reading)
	switch {
	case w.err != nil, kind == 0:
		return nil
	case kind != 4 && kind != 17:
		w.corrupt(at, reading, "type %d of an operator state handle is unknown", kind)
		return nil
	}
	handle := w.slabs.operatorStates.one()
	handle.Type = kind
	n := w.count(7, reading)
	handle.States = w.slabs.partitioned.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		state := w.slabs.partitioned.at(handle.States, i)
		state.Name = w.utf(reading)
		at := w.at
		state.Mode = Mode(w.u8(reading))
		if state.Mode > Broadcast {
			w.corrupt(at, reading, "mode %d of a state is unknown", uint8(state.Mode))
		}
		state.Offsets = w.offsets(w.count(8, reading), reading)
	}
	if kind == 17 {
		handle.TaskOwnedDir = w.utf(reading)
		handle.SharedDir = w.utf(reading)
		handle.Empty = w.flag(reading)
	}
	at = w.at
	handle.Stream = w.stream(0, reading)
	if kind == 17 && w.err == nil {
		switch handle.Stream.(type) {
		case *SegmentHandle, EmptySegmentHandle:
		default:
			w.corrupt(at, reading, "an operator state handle of type 17 holds no segment")
		}
	}
	return handle
}

// keyedHandle reads a KeyedStateHandle (MetadataV2V3SerializerBase.deserializeKeyedStateHandle).
func (w *walk) keyedHandle(depth int, reading string) KeyedHandle {
	at := w.at
	kind := w.u8(reading)
	switch {
	case w.err != nil, kind == 0:
		return nil
	case depth > maxDepth:
		w.corrupt(at, reading, "handles nest more than %d deep", maxDepth)
		return nil
	}
	switch kind {
	case TypeKeyGroups, TypeSavepoint, TypeKeyGroupsV2:
		if handle := w.keyGroupsHandle(kind, depth, reading); handle != nil {
			return handle
		}
		return nil
	case 5, 11:
		return w.incremental(kind, depth, reading)
	case 8, 14:
		return w.changelog(kind, depth, reading)
	case 9:
		return w.changelogMemory(reading)
	case 10, 13:
		return w.changelogStream(kind, depth, reading)
	}
	w.corrupt(at, reading, "type %d of a keyed state handle is unknown", kind)
	return nil
}

// keyGroups reads a range of key groups, written as its first and its length.
func (w *walk) keyGroups(reading string) KeyGroups {
	at := w.at
	groups := KeyGroups{First: w.i32(reading), Count: w.i32(reading)}
	if groups.First < 0 || groups.Count < 0 || int64(groups.First)+int64(groups.Count) > maxParallelism {
		w.corrupt(at, reading, "%d key groups from %d on are impossible", groups.Count, groups.First)
		return KeyGroups{}
	}
	return groups
}

func (w *walk) keyGroupsHandle(kind uint8, depth int, reading string) *KeyGroupsHandle {
	if depth > maxDepth {
		w.corrupt(w.at, reading, "handles nest more than %d deep", maxDepth)
		return nil
	}
	handle := w.slabs.keyGroups.one()
	handle.Type = kind
	groups := w.keyGroups(reading)
	handle.KeyGroups = groups
	handle.Offsets = w.offsets(int(groups.Count), reading)
	handle.Stream = w.stream(depth+1, reading)
	if kind == TypeKeyGroupsV2 {
		handle.ID = w.utf(reading)
	}
	return handle
}

func (w *walk) incremental(kind uint8, depth int, reading string) *IncrementalHandle {
	handle := w.slabs.incremental.one()
	handle.Type = kind
	handle.CheckpointID = w.i64(reading)
	handle.Backend = w.utf(reading)
	handle.KeyGroups = w.keyGroups(reading)
	handle.CheckpointedSize = -1
	if kind == 11 {
		handle.CheckpointedSize = w.size(-1, reading)
	}
	handle.Meta = w.stream(depth+1, reading)
	handle.Shared = w.namedStreams(depth, reading)
	handle.Private = w.namedStreams(depth, reading)
	if kind == 11 {
		handle.ID = w.utf(reading)
	}
	return handle
}

func (w *walk) namedStreams(depth int, reading string) []NamedStream {
	n := w.count(3, reading)
	streams := w.slabs.named.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		stream := w.slabs.named.at(streams, i)
		stream.Name = w.utf(reading)
		stream.Stream = w.stream(depth+1, reading)
	}
	return streams
}

func (w *walk) changelog(kind uint8, depth int, reading string) *ChangelogHandle {
	handle := w.slabs.changelogs.one()
	handle.Type = kind
	handle.KeyGroups = w.keyGroups(reading)
	handle.CheckpointedSize = w.size(-1, reading)
	handle.Materialized = w.keyedHandles(depth, reading)
	handle.Changes = w.keyedHandles(depth, reading)
	handle.MaterializationID = w.i64(reading)
	if kind == 14 {
		handle.CheckpointID = w.i64(reading)
	}
	handle.ID = w.utf(reading)
	return handle
}

// keyedHandles reads a list in which Flink allows no nulls.
func (w *walk) keyedHandles(depth int, reading string) []KeyedHandle {
	n := w.count(1, reading)
	handles := w.slabs.keyed.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		at := w.at
		handle := w.keyedHandle(depth+1, reading)
		if handle == nil {
			w.corrupt(at, reading, "handle %d of a changelog is null", i)
			return nil
		}
		*w.slabs.keyed.at(handles, i) = handle
	}
	return handles
}

func (w *walk) changelogMemory(reading string) *ChangelogMemoryHandle {
	handle := w.slabs.memory.one()
	handle.KeyGroups = w.keyGroups(reading)
	handle.From = w.i64(reading)
	handle.To = w.i64(reading)
	n := w.count(8, reading)
	handle.Changes = w.slabs.changes.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		change := w.slabs.changes.at(handle.Changes, i)
		change.KeyGroup = w.i32(reading)
		change.Data = w.bytes(reading)
	}
	handle.ID = w.utf(reading)
	return handle
}

func (w *walk) changelogStream(kind uint8, depth int, reading string) *ChangelogStreamHandle {
	handle := w.slabs.streams.one()
	handle.Type = kind
	handle.KeyGroups = w.keyGroups(reading)
	n := w.count(9, reading)
	handle.Parts = w.slabs.parts.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		part := w.slabs.parts.at(handle.Parts, i)
		part.Offset = w.i64(reading)
		part.Stream = w.stream(depth+1, reading)
	}
	handle.Size = w.size(-1, reading)
	handle.CheckpointedSize = w.size(-1, reading)
	handle.ID = w.utf(reading)
	handle.Storage = "filesystem" // what Flink takes type 10 to mean
	if kind == 13 {
		handle.Storage = w.utf(reading)
	}
	return handle
}

// channels reads the in-flight data of one direction (ChannelStateHandleSerializerV1 and V2).
func (w *walk) channels(version int, plain, merged ChannelKind, reading string) []ChannelHandle {
	least := 25
	if version >= 6 {
		least = 18
	}
	n := w.count(least, reading)
	channels := w.slabs.channels.many(n)
	for i := 0; i < n && w.err == nil; i++ {
		channel := w.slabs.channels.at(channels, i)
		channel.Kind = plain
		if version >= 6 {
			at := w.at
			channel.Kind = ChannelKind(w.u8(reading))
			if channel.Kind != plain && channel.Kind != merged {
				w.corrupt(at, reading, "type %d of a channel handle is unknown here", uint8(channel.Kind))
				return nil
			}
		}
		w.channel(channel, channel.Kind == merged, reading)
	}
	return channels
}

func (w *walk) channel(channel *ChannelHandle, merged bool, reading string) {
	channel.Subtask = w.i32(reading)
	if merged {
		channel.Size = w.size(-1, reading)
		channel.Stream = w.stream(0, reading)
		channel.MergedOffsets = w.bytes(reading)
		return
	}
	channel.Gate = w.i32(reading)
	channel.Channel = w.i32(reading)
	channel.Offsets = w.offsets(w.count(8, reading), reading)
	channel.Size = w.size(-1, reading)
	channel.Stream = w.stream(0, reading)
}
