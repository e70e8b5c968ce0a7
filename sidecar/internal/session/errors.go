package session

import (
	"errors"
	"fmt"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// Code says what a caller has to do about an error.
type Code string

// The codes.
const (
	// CodeUnknownSession: this sidecar does not know the session, since it lost its memory or the session ended. Fail the task:
	// Flink restores it.
	CodeUnknownSession Code = "unknown_session"
	// CodeFenced: a newer attempt has taken over the key groups. Fail the task, if it is not gone already.
	CodeFenced Code = "fenced"
	// CodeNotRestored: the session was opened to be restored, and is not yet. Call Restore first.
	CodeNotRestored Code = "not_restored"
	// CodeConflict: the session has another state already than the one to be restored. Open a new one.
	CodeConflict Code = "conflict"
	// CodeKeyGroup: the key group is not one of the session's. An element came to the wrong subtask: a fault of the client.
	CodeKeyGroup Code = "wrong_key_group"
	// CodeStale: a late copy of a request that was answered. Nobody waits for it.
	CodeStale Code = "stale"
	// CodeLate: the mark came after a later barrier had been seen. That checkpoint fails; the next one need not.
	CodeLate Code = "late_mark"
	// CodeNoSnapshot: there is no snapshot of that checkpoint: it was aborted, given up, or never marked. That checkpoint fails.
	CodeNoSnapshot Code = "no_snapshot"
	// CodeLimit: a limit does not let the state grow.
	CodeLimit Code = "state_limit"
	// CodeAnswers: so many answers are stored that there is no room for another one. Try again: the next mark makes room.
	CodeAnswers Code = "answers_full"
	// CodeLog: the local log cannot be written to. Try again: nothing that was answered is lost.
	CodeLog Code = "log_unavailable"
	// CodeRestore: the state could not be loaded. Whether it is worth another attempt says Retryable.
	CodeRestore Code = "restore_failed"
	// CodeInvalid: the call makes no sense.
	CodeInvalid Code = "invalid"
)

// Error is an error of the protocol. Errors that are none come from the function that was called, or the context ended.
type Error struct {
	Code Code
	// Retryable: the same call may succeed later.
	Retryable bool
	Err       error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// CodeOf is the code of an error, "" if it is no Error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// translate gives the errors of a state their codes.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, statestore.ErrStale):
		return &Error{Code: CodeStale, Err: err}
	case errors.Is(err, statestore.ErrKeyGroup):
		return &Error{Code: CodeKeyGroup, Err: err}
	case errors.Is(err, statestore.ErrAnswers):
		return &Error{Code: CodeAnswers, Retryable: true, Err: err}
	case errors.Is(err, statestore.ErrLimit):
		return &Error{Code: CodeLimit, Err: err}
	}
	return err
}
