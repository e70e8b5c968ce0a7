package snapshot

import (
	"context"
	"errors"
	"strings"
)

// What can be wrong, to be tested with errors.Is.
var (
	// ErrNotFound: there is no such object. It is said only if the store said so of the key itself: a bucket that is gone, or
	// an unknown user, is not a missing object.
	ErrNotFound = errors.New("not found")
	// ErrNoStore: the bucket or the folder is not there, or in another region.
	ErrNoStore = errors.New("the store is not there")
	// ErrExists: there is an object under the key.
	ErrExists = errors.New("exists")
	// ErrChanged: the object is not the version that was asked for.
	ErrChanged = errors.New("the object was replaced")
	// ErrDenied: wrong or missing credentials or permissions.
	ErrDenied = errors.New("access denied")
	// ErrCorrupt: the bytes that arrived are not those that the store has a checksum of.
	ErrCorrupt = errors.New("checksum mismatch")
	// ErrShort: the object has fewer bytes than asked for.
	ErrShort = errors.New("too short")
	// ErrFull: no room is left, or none for this user.
	ErrFull = errors.New("no space left")
	// ErrInvalid: a key, a part or a body that no store can take.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: the store is slow, overloaded or cannot be reached.
	ErrUnavailable = errors.New("the store is not available")
)

// Error is a failed operation on a store.
type Error struct {
	// Op is the method's name in lower case.
	Op string
	// Where is the store, as s3://bucket or file:/folder; Key is "" if the failure is not about one object.
	Where, Key string
	// Kind is one of the errors above, or nil for what none of them describes.
	Kind error
	// Retryable: the same call may succeed later with nobody doing anything. The backend has tried several times already.
	Retryable bool
	// Unsure: a write may have happened all the same; read it back before anything follows from that.
	Unsure bool
	// Hint says what to do, to the person that reads it.
	Hint string
	// Err is the cause.
	Err error
}

func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.Op + " " + e.Where)
	if e.Key != "" {
		text.WriteString("/" + e.Key)
	}
	if e.Kind != nil && (e.Err == nil || !strings.Contains(e.Err.Error(), e.Kind.Error())) {
		text.WriteString(": " + e.Kind.Error())
	}
	if e.Err != nil {
		text.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		text.WriteString("; " + e.Hint)
	}
	return text.String()
}

// Unwrap finds both the kind and the cause.
func (e *Error) Unwrap() []error {
	switch {
	case e.Kind == nil:
		return []error{e.Err}
	case e.Err == nil:
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Retryable: err is of a store and may pass by itself. The end of a context is not.
func Retryable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var e *Error
	return errors.As(err, &e) && e.Retryable
}

// Unsure: err is of a write that may have happened all the same. What is no *Error is the end of a context, after which
// nobody knows either.
func Unsure(err error) bool {
	var e *Error
	return !errors.As(err, &e) || e.Unsure
}
