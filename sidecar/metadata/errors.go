package metadata

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrMagic: the bytes are not a _metadata file.
	ErrMagic = errors.New("not a Flink _metadata file")
	// ErrVersion: the layout has a version that this package does not know.
	ErrVersion = errors.New("unknown version of _metadata")
	// ErrTruncated: the file ends before what it announces. An upload that is still going on looks like this, too.
	ErrTruncated = errors.New("the file ends too early; fetch it again and compare its size with the store's")
	// ErrCorrupt: a value is impossible, or bytes follow the end.
	ErrCorrupt = errors.New("the file is damaged")
	// ErrTooLarge: the file is larger than the limit given to Read.
	ErrTooLarge = errors.New("the file is larger than the limit")
)

// Error says where in a _metadata file reading stopped.
type Error struct {
	// Offset is the position in the file, in bytes.
	Offset int64
	// Reading is what was being read there.
	Reading string
	// Operator is the index of the operator in the file, and Subtask that of the subtask entry in it; -1 outside of one.
	Operator, Subtask int
	// Err is one of the errors above, wrapped or not.
	Err error
}

func (e *Error) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "_metadata at byte %d: %s", e.Offset, e.Reading)
	if e.Subtask >= 0 {
		fmt.Fprintf(&text, " of subtask entry %d", e.Subtask)
	}
	if e.Operator >= 0 {
		fmt.Fprintf(&text, " of operator %d", e.Operator)
	}
	fmt.Fprintf(&text, ": %v", e.Err)
	return text.String()
}

func (e *Error) Unwrap() error { return e.Err }

// magicHint explains the first bytes of a file that has the wrong ones, where they are well known.
func magicHint(data []byte) string {
	head := string(data[:min(len(data), 256)])
	switch {
	case len(head) == 0:
		return "the file is empty"
	case strings.Contains(head, ";chunk-signature="):
		return "it begins with an aws-chunked header: the object store kept the upload's framing inside the object, so the " +
			"checkpoint cannot be restored; use a store that decodes aws-chunked uploads"
	case strings.HasPrefix(head, "<"):
		return "it begins like an HTML or XML page, perhaps an error of the object store"
	case strings.HasPrefix(head, "\x1f\x8b"):
		return "it begins like a gzip file"
	}
	return fmt.Sprintf("it begins with %x, not %08x", data[:min(len(data), 4)], fileMagic)
}
