package stateful

import (
	"errors"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

var codes = map[session.Code]problem.Code{
	session.CodeUnknownSession: problem.UnknownSession,
	session.CodeFenced:         problem.Fenced,
	session.CodeNotRestored:    problem.NotRestored,
	session.CodeConflict:       problem.Conflict,
	session.CodeKeyGroup:       problem.WrongKeyGroup,
	session.CodeStale:          problem.Stale,
	session.CodeLate:           problem.LateMark,
	session.CodeNoSnapshot:     problem.NoSnapshot,
	session.CodeLimit:          problem.StateLimit,
	session.CodeAnswers:        problem.AnswersFull,
	session.CodeLog:            problem.LogUnavailable,
	session.CodeRestore:        problem.RestoreFailed,
	session.CodeInvalid:        problem.InvalidRequest,
}

// retryAfter is when a store or a log that was away may be back.
const retryAfter = time.Second

// Problem is what a caller is told of an error of a session. Other errors are returned as they are.
func Problem(err error) error {
	var refused *session.Error
	if !errors.As(err, &refused) {
		return err
	}
	p := problem.Error{Code: codes[refused.Code], Detail: refused.Error(), Err: err}
	if refused.Code == session.CodeRestore && refused.Retryable {
		p.Code = problem.RestoreUnavailable
	}
	if refused.Retryable {
		p.RetryAfter = retryAfter
	}
	return &p
}

// explain does so for what happens to a request.
func explain(err error) error {
	if errors.Is(err, statestore.ErrLimit) && session.CodeOf(err) == "" {
		return &problem.Error{Code: problem.StateLimit, Detail: err.Error(), Err: err}
	}
	return Problem(err)
}
