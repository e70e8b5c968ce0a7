package metadata

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// ReferenceKind says how a state's bytes are named.
type ReferenceKind string

const (
	Inline   ReferenceKind = "inline"
	Relative ReferenceKind = "relative"
	Absolute ReferenceKind = "absolute"
	Segment  ReferenceKind = "segment"
)

// Reference is one state's bytes: Size bytes from Offset on in the file that is written as Path.
type Reference struct {
	Kind ReferenceKind
	// Path is as written in the file, "" for inline state.
	Path string
	// Offset is 0 but for segments. Size is -1 if Flink did not note it.
	Offset, Size int64
	// Operator is an index into Metadata.Operators, Subtask into its Subtasks; Subtask is -1 for the coordinator.
	Operator, Subtask int
	Handle            StreamHandle
	// Rough: Size is not that of the file. Files of a changelog begin with a byte that says whether they are compressed, and Flink
	// counts the bytes after it, before compression (org.apache.flink.changelog.fs.OutputStreamWithPos).
	Rough bool
}

// Range is Size bytes from Offset on.
type Range struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

// End is the offset of the byte after the last.
func (r Range) End() int64 { return r.Offset + r.Size }

// File is a file that the checkpoint needs.
type File struct {
	// Written is the path as the checkpoint has it; Location is where that is.
	Written  string
	Location Location
	Kind     ReferenceKind
	// Ranges is what is needed of the file, in order, without overlaps: for a whole file one range from 0 on. A size of -1
	// stands for a whole file of unknown size.
	Ranges []Range
	// Whole: the file must be exactly as long as its range; else it may be longer.
	Whole bool
	// Rough: all of the file is needed, and the range does not tell how long it is. See Reference.
	Rough bool
}

// Offset is where the first byte lies that is needed.
func (f *File) Offset() int64 { return f.Ranges[0].Offset }

// Size is the number of bytes from Offset to the last one that is needed, -1 if unknown: the object must hold at least
// Offset+Size bytes.
func (f *File) Size() int64 {
	last := f.Ranges[len(f.Ranges)-1]
	if last.Size < 0 {
		return -1
	}
	return last.End() - f.Offset()
}

// References yields the bytes of every state, in the order of the file; one file may appear many times.
func (m *Metadata) References() iter.Seq[Reference] {
	return func(yield func(Reference) bool) {
		for o := range m.Operators {
			operator := &m.Operators[o]
			if operator.Coordinator != nil && !yield(reference(operator.Coordinator, o, -1)) {
				return
			}
			for s := range operator.Subtasks {
				state := operator.Subtasks[s].SubtaskState
				rough := changelogStreams(nil, state.ManagedKeyed, state.RawKeyed)
				if !state.eachStream(func(stream StreamHandle) bool {
					r := reference(stream, o, s)
					r.Rough = rough[stream]
					return yield(r)
				}) {
					return
				}
			}
		}
	}
}

// changelogStreams adds the streams that changelogs refer to.
func changelogStreams(found map[StreamHandle]bool, handles ...KeyedHandle) map[StreamHandle]bool {
	for _, handle := range handles {
		switch handle := handle.(type) {
		case *ChangelogHandle:
			found = changelogStreams(found, append(slices.Clip(handle.Materialized), handle.Changes...)...)
		case *ChangelogStreamHandle:
			handle.eachStream(func(stream StreamHandle) bool {
				if found == nil {
					found = map[StreamHandle]bool{}
				}
				found[stream] = true
				return true
			})
		}
	}
	return found
}

func reference(stream StreamHandle, operator, subtask int) Reference {
	r := Reference{Size: stream.StateSize(), Operator: operator, Subtask: subtask, Handle: stream, Kind: Inline}
	switch handle := stream.(type) {
	case *FileHandle:
		r.Kind, r.Path = Absolute, handle.Path
	case *RelativeHandle:
		r.Kind, r.Path = Relative, handle.Path
	case *SegmentHandle:
		r.Kind, r.Path, r.Offset = Segment, handle.Path, handle.Start
	}
	return r
}

// Locate says where the file of a stream handle is: dir is the directory of _metadata. ok is false for state that has no file.
func Locate(dir Location, stream StreamHandle) (location Location, ok bool, err error) {
	switch handle := stream.(type) {
	case *FileHandle:
		location, err = ParseLocation(handle.Path)
	case *RelativeHandle:
		location, err = dir.Resolve(handle.Path)
	case *SegmentHandle:
		location, err = ParseLocation(handle.Path)
	case *KeyGroupsHandle:
		return Locate(dir, handle.Stream)
	default:
		return Location{}, false, nil
	}
	return location, err == nil, err
}

// Files lists the files that must exist for the checkpoint to be restorable, each once, ordered by location; dir is the
// directory of _metadata. A path that is refused (see Location) is an error that names its operator.
func (m *Metadata) Files(dir Location) ([]File, error) { return m.FilesOf(dir, nil) }

// FilesOf is Files for the operators alone for which wanted answers true; nil wants all.
func (m *Metadata) FilesOf(dir Location, wanted func(*Operator) bool) ([]File, error) {
	byLocation := make(map[Location]int)
	var files []File
	for r := range m.References() {
		operator := &m.Operators[r.Operator]
		if wanted != nil && !wanted(operator) {
			continue
		}
		location, ok, err := Locate(dir, r.Handle)
		if err != nil {
			return nil, fmt.Errorf("operator %s: %w", operator.ID, err)
		}
		if !ok {
			continue
		}
		key := location.canonical()
		i, known := byLocation[key]
		if !known {
			i = len(files)
			byLocation[key] = i
			files = append(files, File{Written: r.Path, Location: location, Kind: r.Kind})
		}
		files[i].need(r)
	}
	for i := range files {
		files[i].Ranges = mergeRanges(files[i].Ranges)
	}
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Location.Authority, b.Location.Authority), cmp.Compare(a.Location.Path, b.Location.Path),
			cmp.Compare(a.Location.Scheme, b.Location.Scheme))
	})
	return files, nil
}

func (f *File) need(r Reference) {
	f.Rough = f.Rough || r.Rough
	if r.Kind != Segment {
		f.Whole = true
		f.Kind = r.Kind
	}
	f.Ranges = append(f.Ranges, Range{Offset: r.Offset, Size: r.Size})
}

// mergeRanges sorts ranges and joins those that touch. An unknown size, which only whole files have, gives way to a known one.
func mergeRanges(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(b.Size, a.Size))
	})
	merged := ranges[:1]
	for _, next := range ranges[1:] {
		last := &merged[len(merged)-1]
		switch {
		case next.Size < 0 && last.Offset == 0, next.Size >= 0 && next.End() <= last.End():
		case last.Size >= 0 && next.Offset <= last.End():
			last.Size = next.End() - last.Offset
		default:
			merged = append(merged, next)
		}
	}
	return merged
}
