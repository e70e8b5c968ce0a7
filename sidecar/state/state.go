// Package state gives Go functions state that comes back with Flink's checkpoint. A function that is called for a key reads and
// writes the values of that key, by name:
//
//	func count(ctx context.Context, in event) (out, error) {
//		s, ok := state.From(ctx)
//		if !ok {
//			return out{}, state.ErrNone
//		}
//		n, err := state.Update(s, "count", func(n int, _ bool) (int, error) { return n + 1, nil })
//		return out{Count: n}, err
//	}
//
// What a call writes counts once it has succeeded, all of it, together with its answer; a call that returns an error, panics or
// comes too late has changed nothing. Calls for one key are as if they came one after the other: a function may be called
// again for the same event, if another call came between what it read and what it wrote. So it must do nothing else that
// counts, such as calling another service that remembers.
//
// # The guarantee
//
// [State.Guarantee] says what holds. "checkpointed": the call came from an operator of Flink that has a session; after a restore
// the state is exactly as old as the checkpoint, and an event that Flink sends again is answered from what is stored.
// "at-least-once": the call came without a session, by plain HTTP; the state lives in this sidecar's memory, and a call that is
// repeated with no id counts again.
//
// The functions that one operator calls share the names under a key. Without a session each function has its own.
package state

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// ErrNone is what a function may return that cannot do without state.
var ErrNone = errors.New("this function needs state: send state with a key, as {\"event\":...,\"state\":{\"key\":\"...\"}}, to a sidecar with state.enabled")

// ErrEnded: the call is over, its deadline has passed. Nothing that it reads or writes counts.
var ErrEnded = errors.New("the call of this state has ended")

// State is the state of one key during one call. It is safe for concurrent use, and of no use after the call.
type State struct{ scope *statescope.Scope }

// From returns the state of the key that the function is called for, if it is called for one.
func From(ctx context.Context) (*State, bool) {
	scope, ok := statescope.From(ctx)
	if !ok {
		return nil, false
	}
	return &State{scope}, true
}

// Key is the key of the call.
func (s *State) Key() string { return s.scope.Key }

// ID is the id of the request: the same for every copy of it.
func (s *State) ID() string { return s.scope.ID }

// Guarantee is "checkpointed" or "at-least-once": see the package.
func (s *State) Guarantee() string { return string(s.scope.Guarantee) }

// Version is the highest version of the values that the call has looked at or is about to replace; 0 if there was none. It grows
// from change to change of a key, and is the same after the same events in the same order, also after a restore.
func (s *State) Version() uint64 {
	_, _, version := s.scope.Seen()
	return version
}

// Watermark is the event time that the state has reached; the zero time if it has heard of none.
func (s *State) Watermark() time.Time {
	if s.scope.Watermark == statescope.NoWatermark {
		return time.Time{}
	}
	return time.UnixMilli(s.scope.Watermark)
}

// Get returns a value, which must not be modified.
func (s *State) Get(name string) ([]byte, bool) { return s.scope.Get(name) }

// Set sets a value, which must not be modified afterwards.
func (s *State) Set(name string, value []byte) {
	s.scope.Change(name, statestore.Set(value, 0))
}

// SetUntil sets a value that is gone once the watermark has reached an event time. The time since 1970 in ms must not be 0.
func (s *State) SetUntil(name string, value []byte, until time.Time) {
	s.scope.Change(name, statestore.Set(value, expiry(until.UnixMilli())))
}

// expiry is a time as the store takes it, where 0 means never.
func expiry(ms int64) int64 {
	if ms == 0 {
		return math.MinInt64 + 1
	}
	return ms
}

// Delete deletes a value, if there is one.
func (s *State) Delete(name string) { s.scope.Change(name, statestore.Delete()) }

// Get returns the value of a name as a T, written by [Set] or [Update] as JSON. ok says whether there is one.
func Get[T any](s *State, name string) (value T, ok bool, err error) {
	data, ok := s.Get(name)
	if !ok {
		return value, false, s.over()
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, true, fmt.Errorf("state %q is no %T: %w", name, value, err)
	}
	return value, true, nil
}

// Set sets the value of a name, as JSON.
func Set[T any](s *State, name string, value T) error {
	data, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("state %q: %w", name, err)
	}
	s.Set(name, data)
	return s.over()
}

// SetUntil sets the value of a name, as JSON, which is gone once the watermark has reached an event time.
func SetUntil[T any](s *State, name string, value T, until time.Time) error {
	data, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("state %q: %w", name, err)
	}
	s.SetUntil(name, data, until)
	return s.over()
}

// UpdateUntil sets the value of a name to what fn makes of it, until the event time that fn says; the zero time is never. If fn returns an
// error, nothing is set.
func UpdateUntil[T any](s *State, name string, fn func(value T, ok bool) (T, time.Time, error)) (T, error) {
	old, ok, err := Get[T](s, name)
	if err != nil {
		return old, err
	}
	value, until, err := fn(old, ok)
	switch {
	case err != nil:
		return old, err
	case until.IsZero():
		return value, Set(s, name, value)
	}
	return value, SetUntil(s, name, value, until)
}

// Update sets the value of a name to what fn makes of it. If fn returns an error, nothing is set.
func Update[T any](s *State, name string, fn func(value T, ok bool) (T, error)) (T, error) {
	old, ok, err := Get[T](s, name)
	if err != nil {
		return old, err
	}
	value, err := fn(old, ok)
	if err != nil {
		return old, err
	}
	return value, Set(s, name, value)
}

// over is ErrEnded once the call has ended.
func (s *State) over() error {
	if s.scope.Ended() {
		return ErrEnded
	}
	return nil
}
