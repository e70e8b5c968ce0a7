package evaluate

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/udf-bridge/invoke"
)

// State says which state a request is for.
type State struct {
	Session string // of an operator's subtask; empty: the state of this sidecar, which no checkpoint holds
	Key     string
	// Of a session: KeyGroup is the key's, as Flink computes it, Epoch the number of the last barrier that the subtask had seen.
	KeyGroup uint16
	Epoch    uint64
	// Watermark that the operator had seen when the record came to it, in ms since 1970; math.MinInt64 is none. LowWatermark is the lowest
	// one of the records that it still waits for; nothing comes any more that is of an earlier one.
	Watermark, LowWatermark int64
}

// StateAnswer says what an answer is worth that rests on state.
type StateAnswer struct {
	Guarantee string // checkpointed, at-least-once
	// Version is the highest one of the values that the function looked at.
	Version uint64
	Reads   []decisions.StateRead // for the decision log
	Unnamed int                   // reads that were too many to be among them
	// Place is where the call stands among those of its key group, zero without a session, and Watermark what the function saw.
	Place     statestore.Place
	Watermark int64
	Epoch     uint64 // in which it was decided
}

// StateCall is a request for a function with state.
type StateCall struct {
	ID   string
	Name string // of the function
	At   *State
	// Function calls it once. Its context carries the state.
	Function func(ctx context.Context) (result []byte, err error)
}

// Applied is what came of it.
type Applied struct {
	Result    []byte
	Time      time.Time
	Guarantee string
	Version   uint64
	Reads     []decisions.StateRead
	Unnamed   int
	Replayed  bool // the answer was stored with the state
	Place     statestore.Place
	Watermark int64
	Epoch     uint64
}

// States calls functions with state: each call that succeeds has its effect once, together with its answer. An error of the
// function is returned as it is.
type States interface {
	Apply(ctx context.Context, c StateCall) (Applied, error)
	Origin(at *State) Origin
}

// KeepState lets requests ask for state. It is called before the first call, or not at all.
func (s *Service) KeepState(states States) { s.states = states }

// apply calls a function with state, for a request that was admitted. The place is held until all calls of the function have
// really ended: see admitAndCall.
func (s *Service) apply(ctx context.Context, guard *invoke.Guard, req *Request) (Answer, error) {
	var running atomic.Int64
	release := func() {
		if running.Add(-1) == 0 {
			s.obs.InFlight(-1)
			s.limiter.Release()
		}
	}
	running.Store(1)
	defer release()
	applied, err := s.states.Apply(ctx, StateCall{ID: req.ID, Name: req.Function, At: req.State, Function: func(ctx context.Context) ([]byte, error) {
		running.Add(1)
		return guard.Call(ctx, req.Event, release)
	}})
	if err != nil {
		var p *problem.Error
		if errors.As(err, &p) {
			return Answer{}, p
		}
		return Answer{}, s.explain(req.Function, err)
	}
	if applied.Replayed {
		s.replayed.Add(1)
	}
	return Answer{
		ID: req.ID, Function: req.Function, Result: applied.Result, Time: applied.Time, Replayed: applied.Replayed,
		State: &StateAnswer{
			Guarantee: applied.Guarantee, Version: applied.Version, Reads: applied.Reads, Unnamed: applied.Unnamed, Place: applied.Place,
			Watermark: applied.Watermark, Epoch: applied.Epoch,
		},
	}, nil
}
