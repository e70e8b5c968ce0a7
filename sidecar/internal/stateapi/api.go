// Package stateapi reads and writes the documents of the routes below /v1/state, above package session. It knows nothing of
// HTTP but what is in a body, a path and a query.
package stateapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// API answers for the sessions of one sidecar. It is safe for concurrent use. Every error is a *problem.Error or of a context.
type API struct{ sessions *session.Manager }

// New returns an API. The manager stays the caller's.
func New(sessions *session.Manager) *API { return &API{sessions} }

type openRequest struct {
	Job            string   `json:"job"`
	Operator       string   `json:"operator"`
	Subtask        int      `json:"subtask"`
	MaxParallelism int      `json:"max_parallelism"`
	KeyGroups      []uint16 `json:"key_groups"` // from, to; both ends are in it
	Restored       bool     `json:"restored"`
}

// Opened is the answer to Open.
type Opened struct {
	Session   string               `json:"session"`
	Guarantee statescope.Guarantee `json:"guarantee"`
}

// Open opens a session.
func (a *API) Open(ctx context.Context, body []byte) (Opened, error) {
	var in openRequest
	if err := read(body, &in); err != nil {
		return Opened{}, err
	}
	if len(in.KeyGroups) != 2 {
		return Opened{}, problem.New(problem.InvalidRequest, "key_groups: must be two numbers, the first key group and the last")
	}
	token, err := a.sessions.Open(ctx, session.Spec{
		Job: in.Job, Operator: in.Operator, Subtask: in.Subtask, MaxParallelism: in.MaxParallelism,
		KeyGroups: statestore.Range{From: in.KeyGroups[0], To: in.KeyGroups[1]}, Restored: in.Restored,
	})
	if err != nil {
		return Opened{}, stateful.Problem(err)
	}
	return Opened{Session: token.String(), Guarantee: statescope.Checkpointed}, nil
}

type restoreRequest struct {
	References []segment.Reference `json:"references"`
}

// Restore loads the state that references name. It waits until ctx ends; the next call finds what this one has begun.
func (a *API) Restore(ctx context.Context, name string, body []byte) error {
	var in restoreRequest
	token, err := session.ParseToken(name)
	if err == nil {
		if err := read(body, &in); err != nil {
			return err
		}
		err = a.sessions.Restore(ctx, token, in.References)
	}
	return stateful.Problem(err)
}

// Mark notes a barrier.
func (a *API) Mark(ctx context.Context, name string, body []byte) error {
	var in session.Mark
	token, err := session.ParseToken(name)
	if err == nil {
		if err := read(body, &in); err != nil {
			return err
		}
		err = a.sessions.Mark(ctx, token, in)
	}
	return stateful.Problem(err)
}

// Marked is the answer about a mark.
type Marked struct {
	Reference segment.Reference `json:"reference"`
}

// longestWait is shorter than what connections are usually cut after when nothing moves.
const longestWait = time.Minute

var errNotYet = errors.New("not yet")

// Durable waits for the snapshot of an epoch, for as long as wait says, such as "30s", at most a minute; "" is not at all. ok is
// false if it is not there yet.
func (a *API) Durable(ctx context.Context, name, epoch, wait string) (done Marked, ok bool, err error) {
	token, n, err := place(name, epoch)
	if err != nil {
		return done, false, stateful.Problem(err)
	}
	var patience time.Duration
	if wait != "" {
		if patience, err = time.ParseDuration(wait); err != nil || patience < 0 {
			return done, false, problem.New(problem.InvalidRequest, "wait is %q, must be like 30s", wait)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, min(patience, longestWait), errNotYet)
	defer cancel()
	done.Reference, err = a.sessions.Durable(ctx, token, n)
	if errors.Is(err, errNotYet) {
		return Marked{}, false, nil
	}
	return done, err == nil, stateful.Problem(err)
}

// Abort says that a checkpoint has failed.
func (a *API) Abort(ctx context.Context, name, epoch string) error {
	token, n, err := place(name, epoch)
	if err == nil {
		err = a.sessions.Abort(ctx, token, n)
	}
	return stateful.Problem(err)
}

// Close ends a session.
func (a *API) Close(ctx context.Context, name string) error {
	token, err := session.ParseToken(name)
	if err == nil {
		err = a.sessions.Close(ctx, token)
	}
	return stateful.Problem(err)
}

func place(name, epoch string) (session.Token, uint64, error) {
	token, err := session.ParseToken(name)
	if err != nil {
		return token, 0, err
	}
	n, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || n == 0 {
		return token, 0, problem.New(problem.InvalidRequest, "epoch is %q, must be the number of a checkpoint", epoch)
	}
	return token, n, nil
}

// read reads a document: unknown keys and keys that stand twice are mistakes of the sender.
func read(body []byte, into any) error {
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true)); err != nil {
		return problem.New(problem.InvalidRequest, "%v", err)
	}
	return nil
}
