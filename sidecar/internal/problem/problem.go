// Package problem is the one table that says what every failure of Drey means, on HTTP and on gRPC.
//
// Shed load is 503, never 429: Flink's stock HTTP connector retries 500, 503 and 504 and fails the job on any other
// code. A function's own error is 422, not 500: it would be the same again, so a retry only costs.
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
)

// Code names a kind of failure. It is stable: callers may depend on it.
type Code string

// The kinds of failure.
const (
	InvalidRequest       Code = "invalid_request"
	InvalidEvent         Code = "invalid_event"
	Unauthenticated      Code = "unauthenticated"
	Forbidden            Code = "forbidden"
	NotFound             Code = "not_found"
	UnknownFunction      Code = "unknown_function"
	MethodNotAllowed     Code = "method_not_allowed"
	BodyTooLarge         Code = "body_too_large"
	BatchTooLarge        Code = "batch_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	IDReused             Code = "id_reused"
	FunctionError        Code = "function_error"
	Canceled             Code = "canceled"
	FunctionPanic        Code = "function_panic"
	Internal             Code = "internal"
	Overloaded           Code = "overloaded"
	Draining             Code = "draining"
	FunctionQuarantined  Code = "function_quarantined"
	LogUnavailable       Code = "log_unavailable"
	DeadlineExceeded     Code = "deadline_exceeded"
)

// The kinds of failure of a session and its state: see package session, which says what a caller has to do.
const (
	UnknownSession     Code = "unknown_session"
	Fenced             Code = "fenced"
	NotRestored        Code = "not_restored"
	Conflict           Code = "conflict"
	WrongKeyGroup      Code = "wrong_key_group"
	Stale              Code = "stale"
	LateMark           Code = "late_mark"
	NoSnapshot         Code = "no_snapshot"
	StateLimit         Code = "state_limit"
	RestoreFailed      Code = "restore_failed"
	RestoreUnavailable Code = "restore_unavailable"
	AnswersFull        Code = "answers_full"
)

// OfSession says whether the failure is one of a session: it is about the task that asks and not about one record.
func (c Code) OfSession() bool {
	switch c {
	case UnknownSession, Fenced, NotRestored, Conflict, WrongKeyGroup, Stale, LateMark, NoSnapshot, StateLimit, RestoreFailed, RestoreUnavailable, AnswersFull:
		return true
	}
	return false
}

type meaning struct {
	title     string
	http      int
	grpc      codes.Code
	retryable bool
}

// table: retryable says whether the same request may succeed later without anybody changing it.
var table = map[Code]meaning{
	InvalidRequest:       {"the request is malformed", http.StatusBadRequest, codes.InvalidArgument, false},
	InvalidEvent:         {"the event does not fit the function", http.StatusBadRequest, codes.InvalidArgument, false},
	Unauthenticated:      {"the caller is not known", http.StatusUnauthorized, codes.Unauthenticated, false},
	Forbidden:            {"nobody may do this here", http.StatusForbidden, codes.PermissionDenied, false},
	NotFound:             {"no such resource", http.StatusNotFound, codes.NotFound, false},
	UnknownFunction:      {"no such function", http.StatusNotFound, codes.NotFound, false},
	MethodNotAllowed:     {"the resource does not take this method", http.StatusMethodNotAllowed, codes.Unimplemented, false},
	BodyTooLarge:         {"the request is too large", http.StatusRequestEntityTooLarge, codes.ResourceExhausted, false},
	BatchTooLarge:        {"the batch has too many items", http.StatusRequestEntityTooLarge, codes.ResourceExhausted, false},
	UnsupportedMediaType: {"the content type is not JSON", http.StatusUnsupportedMediaType, codes.InvalidArgument, false},
	IDReused:             {"the id was used with another payload", http.StatusUnprocessableEntity, codes.FailedPrecondition, false},
	FunctionError:        {"the function returned an error", http.StatusUnprocessableEntity, codes.FailedPrecondition, false},
	Canceled:             {"the caller went away", 499, codes.Canceled, false},
	FunctionPanic:        {"the function panicked", http.StatusInternalServerError, codes.Internal, false},
	Internal:             {"the sidecar failed", http.StatusInternalServerError, codes.Internal, true},
	Overloaded:           {"too many calls in flight", http.StatusServiceUnavailable, codes.Unavailable, true},
	Draining:             {"the sidecar is shutting down", http.StatusServiceUnavailable, codes.Unavailable, true},
	FunctionQuarantined:  {"the function is quarantined", http.StatusServiceUnavailable, codes.Unavailable, true},
	LogUnavailable:       {"a log cannot be written", http.StatusServiceUnavailable, codes.Unavailable, true},
	DeadlineExceeded:     {"the function did not answer in time", http.StatusGatewayTimeout, codes.DeadlineExceeded, true},

	UnknownSession:     {"no such session", http.StatusNotFound, codes.NotFound, false},
	Fenced:             {"a newer attempt has taken over", http.StatusConflict, codes.Aborted, false},
	NotRestored:        {"the session is not restored yet", http.StatusConflict, codes.FailedPrecondition, false},
	Conflict:           {"the session has another state", http.StatusConflict, codes.FailedPrecondition, false},
	WrongKeyGroup:      {"the key group is not one of the session's", http.StatusUnprocessableEntity, codes.OutOfRange, false},
	Stale:              {"a late copy of a request that was answered", http.StatusConflict, codes.Aborted, false},
	LateMark:           {"the mark came too late", http.StatusConflict, codes.FailedPrecondition, false},
	NoSnapshot:         {"there is no snapshot of the checkpoint", http.StatusConflict, codes.FailedPrecondition, false},
	StateLimit:         {"a limit does not let the state grow", http.StatusUnprocessableEntity, codes.ResourceExhausted, false},
	RestoreFailed:      {"the state cannot be restored", http.StatusUnprocessableEntity, codes.DataLoss, false},
	AnswersFull:        {"too many answers are stored", http.StatusServiceUnavailable, codes.Unavailable, true},
	RestoreUnavailable: {"the state cannot be restored now", http.StatusServiceUnavailable, codes.Unavailable, true},
}

// Codes returns every code of the table.
func Codes() []Code {
	all := make([]Code, 0, len(table))
	for c := range table {
		all = append(all, c)
	}
	return all
}

// HTTP is the status code that carries the failure.
func (c Code) HTTP() int { return table[c].http }

// GRPC is the status code that carries the failure.
func (c Code) GRPC() codes.Code { return table[c].grpc }

// Retryable says whether the same request may succeed later without anybody changing it.
func (c Code) Retryable() bool { return table[c].retryable }

// Title is the failure in words, the same for every occurrence.
func (c Code) Title() string { return table[c].title }

// Violation is one thing that is wrong with a request.
type Violation struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is a failure on its way to a caller.
type Error struct {
	Code       Code
	Detail     string
	RetryAfter time.Duration // when a retry makes sense; zero = the caller's own backoff
	DecisionID string
	Violations []Violation
	Err        error // the cause, for logs; never shown to the caller
}

// New returns an error whose detail the caller sees.
func New(code Code, format string, a ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, a...)}
}

// From makes any error a problem: context errors by their meaning, what it does not know is internal.
func From(err error) *Error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: DeadlineExceeded, Detail: "the deadline passed before the answer", Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Code: Canceled, Detail: "the caller went away before the answer", Err: err}
	default:
		return &Error{Code: Internal, Detail: "see the sidecar's log for this decision id", Err: err}
	}
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code.Title()
	}
	return string(e.Code) + ": " + e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Document is the body of application/problem+json (RFC 9457) with Drey's extensions.
type Document struct {
	Type         string      `json:"type"`
	Title        string      `json:"title"`
	Status       int         `json:"status"`
	Detail       string      `json:"detail,omitempty"`
	Code         Code        `json:"code"`
	Retryable    bool        `json:"retryable"`
	RetryAfterMS int64       `json:"retry_after_ms,omitempty"`
	DecisionID   string      `json:"decision_id,omitempty"`
	Violations   []Violation `json:"violations,omitempty"`
}

// Document returns what the caller is told.
func (e *Error) Document() Document {
	return Document{
		Type: "urn:drey:problem:" + string(e.Code), Title: e.Code.Title(), Status: e.Code.HTTP(), Detail: e.Detail,
		Code: e.Code, Retryable: e.Code.Retryable(), RetryAfterMS: e.RetryAfter.Milliseconds(),
		DecisionID: e.DecisionID, Violations: e.Violations,
	}
}
