package snapshot

import (
	"errors"
	"io/fs"
	"syscall"
)

// FileError says what an error of the local file system means. An error that has one of the kinds of this package keeps it.
func FileError(op, where, key string, err error) *Error {
	e := &Error{Op: op, Where: where, Key: key, Err: err}
	for _, kind := range []error{ErrInvalid, ErrShort, ErrChanged, ErrCorrupt} {
		if errors.Is(err, kind) {
			e.Kind = kind
			return e
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = ErrNotFound
	case errors.Is(err, fs.ErrExist):
		e.Kind = ErrExists
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, ErrFull):
		e.Kind, e.Hint = ErrFull, "free some space or use another folder"
	case errors.Is(err, syscall.EROFS):
		e.Kind, e.Hint = ErrDenied, "the file system is read-only; use another folder"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = ErrDenied, "give this user the right to the folder"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE):
		e.Kind, e.Retryable, e.Hint = ErrUnavailable, true, "check the disk or the mount"
	}
	return e
}
