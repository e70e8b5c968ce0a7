package evaluate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// Origin is where in Flink a record came from, as far as the caller said.
type Origin struct {
	Job      string
	Operator string // uid
	Subtask  int
	Epoch    uint64 // the higher one of: number of the last barrier seen, number of the checkpoint restored
	Fence    uint64 // fencing token of the session
	Restored uint64 // the checkpoint that the session was restored from, 0 for none
}

// DecisionLog keeps decisions. Append copies what it is given; under the policy block it may wait until ctx ends. An error means
// that the decision is not kept, so it must not be given.
type DecisionLog interface {
	Append(ctx context.Context, d *decisions.Decision) error
}

// KeepDecisions has every decision appended to a log before it is answered. Build is the hash of what decides. It is called
// before the first call, or not at all.
func (s *Service) KeepDecisions(log DecisionLog, build string) { s.decisions, s.build = log, build }

// keep appends what was decided. A call that was refused, or did not end in time, decided nothing and is tried again.
func (s *Service) keep(ctx context.Context, start time.Time, req *Request, answer *Answer, err error) error {
	d := decisions.Decision{
		ID: req.ID, Job: req.Origin.Job, Operator: req.Origin.Operator, Subtask: req.Origin.Subtask, Epoch: req.Origin.Epoch,
		Fence: req.Origin.Fence, Restored: req.Origin.Restored, Function: req.Function, Build: s.build, Input: req.Event,
	}
	if at := req.State; at != nil {
		d.Session, d.KeyGroup, d.Key = at.Session, int(at.KeyGroup), at.Key
	}
	if err != nil {
		p := problem.From(err)
		switch p.Code {
		case problem.FunctionError, problem.FunctionPanic, problem.InvalidEvent:
		default:
			return nil
		}
		d.ErrorCode, d.ErrorMessage = string(p.Code), p.Detail
	} else {
		d.Result, d.Time, d.Replayed = answer.Result, answer.Time, answer.Replayed
		d.Rules = rulesOf(answer.Result)
		if answer.State != nil {
			d.State, d.StateUnnamed, d.Watermark = answer.State.Reads, answer.State.Unnamed, answer.State.Watermark
			if answer.Replayed && answer.State.Epoch != 0 {
				d.Epoch = answer.State.Epoch // when it was decided, which may have been under another session
			}
			d.Version, d.Writes = answer.State.Place.Version, answer.State.Place.Writes
		}
	}
	// The wait for the log is part of the call: it ends when the call has to.
	ctx, cancel := context.WithDeadline(ctx, start.Add(s.deadline(req.Function)))
	defer cancel()
	if err := s.decisions.Append(ctx, &d); err != nil {
		detail := fmt.Sprintf("the decision is not given, since it cannot be logged: %v; free space on the disk of decisions.dir, "+
			"or set decisions.policy to drop_oldest or sample; then call again", err)
		if errors.Is(err, decisions.ErrClosed) {
			detail = "the decision log is closed, the sidecar ends: call again, another instance will answer"
		}
		return &problem.Error{Code: problem.LogUnavailable, Detail: detail, RetryAfter: time.Second, Err: err}
	}
	return nil
}

// rulesOf are the names under "rules" of a result, if there are such: the function "rules" says which of them have fired, and any other
// may.
func rulesOf(result []byte) []string {
	if !bytes.Contains(result, []byte(`"rules"`)) {
		return nil
	}
	var r struct {
		Rules []string `json:"rules"`
	}
	if json.Unmarshal(result, &r) != nil {
		return nil
	}
	return r.Rules
}

// Again calls a function as a call does that decides, but for one who compares: nothing is remembered, logged, counted or admitted, and a
// function that panics is not put into quarantine. An error is what a caller would have been told. The context carries the state, if there is
// any; it ends with the function's deadline.
func (s *Service) Again(ctx context.Context, function string, event []byte) ([]byte, error) {
	guard, ok := s.again[function]
	if !ok {
		return nil, s.unknown(function)
	}
	ctx, cancel := context.WithTimeout(ctx, s.deadline(function))
	defer cancel()
	result, err := guard.Call(ctx, event, func() {})
	if err != nil {
		return nil, s.explain(function, err)
	}
	return result, nil
}
