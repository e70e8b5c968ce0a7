package metadata

// slab hands out the elements of one array. Parse walks the file twice: in the first walk a slab only counts, and every
// element is the same scratch value, so that a damaged file allocates nothing; between the walks it is made exactly as long as
// the count; in the second walk it hands out its elements in turn. So a file of ten thousand handles costs a few dozen
// allocations, and none of them has a size that the file merely claimed.
type slab[T any] struct {
	count   int
	free    []T
	scratch T
	built   bool
}

// one hands out one element.
func (s *slab[T]) one() *T {
	if !s.built {
		s.count++
		return s.blank()
	}
	element := &s.free[0]
	s.free = s.free[1:]
	return element
}

// many hands out n elements in a row: none in the first walk, where the caller finds a slice without elements and has only to
// read what they would hold.
func (s *slab[T]) many(n int) []T {
	if !s.built {
		s.count += n
		return nil
	}
	if n == 0 {
		return nil
	}
	elements := s.free[:n:n]
	s.free = s.free[n:]
	return elements
}

// make ends the first walk.
func (s *slab[T]) make() {
	s.built = true
	if s.count > 0 {
		s.free = make([]T, s.count)
	}
}

// at is the i-th element in the second walk, the scratch value in the first.
func (s *slab[T]) at(elements []T, i int) *T {
	if elements == nil {
		return s.blank()
	}
	return &elements[i]
}

func (s *slab[T]) blank() *T {
	var zero T
	s.scratch = zero
	return &s.scratch
}

// slabs is the memory of one Metadata.
type slabs struct {
	masters        slab[MasterState]
	operators      slab[Operator]
	subtasks       slab[Subtask]
	states         slab[SubtaskState]
	takenOver      slab[int64]
	inline         slab[InlineHandle]
	files          slab[FileHandle]
	relatives      slab[RelativeHandle]
	segments       slab[SegmentHandle]
	operatorStates slab[OperatorHandle]
	partitioned    slab[PartitionedState]
	offsets        slab[int64]
	keyGroups      slab[KeyGroupsHandle]
	incremental    slab[IncrementalHandle]
	named          slab[NamedStream]
	changelogs     slab[ChangelogHandle]
	keyed          slab[KeyedHandle]
	memory         slab[ChangelogMemoryHandle]
	changes        slab[StateChange]
	streams        slab[ChangelogStreamHandle]
	parts          slab[OffsetStream]
	channels       slab[ChannelHandle]
}

func (s *slabs) make() {
	s.masters.make()
	s.operators.make()
	s.subtasks.make()
	s.states.make()
	s.takenOver.make()
	s.inline.make()
	s.files.make()
	s.relatives.make()
	s.segments.make()
	s.operatorStates.make()
	s.partitioned.make()
	s.offsets.make()
	s.keyGroups.make()
	s.incremental.make()
	s.named.make()
	s.changelogs.make()
	s.keyed.make()
	s.memory.make()
	s.changes.make()
	s.streams.make()
	s.parts.make()
	s.channels.make()
}
