// Package stateful calls functions with state: under a session of Flink, so that it comes back with the checkpoint, or without
// one, in the memory of this sidecar alone.
package stateful

import (
	"context"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// Keeper implements evaluate.States.
type Keeper struct {
	sessions *session.Manager
	local    *local
}

// New returns a keeper above the sessions of a manager, which stays the caller's, or nil if there are none; limits are those of the state of one function
// without a session.
func New(sessions *session.Manager, limits statestore.Limits) *Keeper {
	return &Keeper{sessions: sessions, local: newLocal(limits)}
}

var _ evaluate.States = (*Keeper)(nil)

// Origin says of which subtask a session is.
func (k *Keeper) Origin(at *evaluate.State) evaluate.Origin {
	token, err := session.ParseToken(at.Session)
	if err != nil {
		return evaluate.Origin{}
	}
	if k.sessions == nil {
		return evaluate.Origin{}
	}
	spec, restored, _ := k.sessions.Spec(token)
	return evaluate.Origin{
		Job: spec.Job, Operator: spec.Operator, Subtask: spec.Subtask, Epoch: max(at.Epoch, restored), Fence: token.Fence, Restored: restored,
	}
}

// Apply calls a function with its state, once or more often, or answers with what is stored for the id. An error of the call is
// returned as it is, others are a *problem.Error or of the context.
func (k *Keeper) Apply(ctx context.Context, c evaluate.StateCall) (evaluate.Applied, error) {
	if c.At.Session == "" {
		applied, err := k.local.apply(ctx, &c)
		return applied, explain(err)
	}
	token, err := session.ParseToken(c.At.Session)
	if err != nil {
		return evaluate.Applied{}, explain(err)
	}
	if k.sessions == nil {
		return evaluate.Applied{}, problem.New(problem.UnknownSession, "this sidecar has no sessions: set state.store (--state-store URL)")
	}
	_, restored, _ := k.sessions.Spec(token)
	request := session.Request{
		Watermark: c.At.Watermark, LowWatermark: c.At.LowWatermark,
		Request: statestore.Request{KeyGroup: c.At.KeyGroup, ID: c.ID, Epoch: c.At.Epoch},
	}
	var s stored // what the last call came to
	var place statestore.Place
	answer, repeated, err := k.sessions.Apply(ctx, token, request, func(tx *statestore.Tx) ([]byte, error) {
		watermark := tx.Watermark()
		result, scope, err := call(ctx, tx, &c, statescope.Checkpointed, watermark)
		if err != nil {
			return nil, err
		}
		s = stored{at: time.Now(), watermark: watermark, epoch: max(c.At.Epoch, restored), result: result}
		s.reads, s.unnamed, s.version = seen(scope)
		answer := s.append(nil)
		tx.Placed(func(p statestore.Place) {
			place = p
			setPlace(answer, p)
		})
		return answer, nil
	})
	if err != nil {
		return evaluate.Applied{}, explain(err)
	}
	if !repeated {
		return evaluate.Applied{
			Result: s.result, Time: s.at, Guarantee: string(statescope.Checkpointed), Version: s.version, Reads: s.reads, Unnamed: s.unnamed, Place: place,
			Watermark: s.watermark, Epoch: s.epoch,
		}, nil
	}
	applied, err := readStored(answer, c.At.Key)
	if err != nil {
		return applied, problem.New(problem.Internal, "the answer that is stored for %q: %v", c.ID, err)
	}
	applied.Guarantee, applied.Replayed = string(statescope.Checkpointed), true
	return applied, nil
}

// Sweep gives back the memory of values that have expired, up to so many in each key group, and says how many they were.
func (k *Keeper) Sweep(most int) int {
	removed := k.local.sweep(most)
	if k.sessions != nil {
		removed += k.sessions.Sweep(most)
	}
	return removed
}

// Adopt gives the calls of a function without a session a state that was loaded, in the place of what they have; the partitions must not be
// used any more.
func (k *Keeper) Adopt(function string, parts *statestore.Partitions) (keys int64, err error) {
	return k.local.adopt(function, parts)
}

// call calls a function with a transaction, which it cannot use any more afterwards, even if it still runs.
func call(ctx context.Context, tx *statestore.Tx, c *evaluate.StateCall, guarantee statescope.Guarantee, watermark int64) ([]byte, *statescope.Scope, error) {
	scope := statescope.New(tx, statescope.Call{ID: c.ID, Key: c.At.Key, Watermark: watermark, Guarantee: guarantee})
	defer scope.End()
	result, err := c.Function(statescope.With(ctx, scope))
	return result, scope, err
}

// seen is what a call has looked at: the reads that are named, how many more there were, and the highest version.
func seen(scope *statescope.Scope) (reads []decisions.StateRead, unnamed int, version uint64) {
	looked, unnamed, version := scope.Seen()
	reads = make([]decisions.StateRead, len(looked))
	for i, r := range looked {
		reads[i] = decisions.StateRead{State: r.Name, Key: scope.Key, Version: r.Version}
	}
	return reads, unnamed, version
}
