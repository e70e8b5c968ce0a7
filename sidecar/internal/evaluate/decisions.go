package evaluate

import (
	"context"
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
		Fence: req.Origin.Fence, Function: req.Function, Build: s.build, Input: req.Event,
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
		if answer.State != nil {
			d.State = answer.State.Reads
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
