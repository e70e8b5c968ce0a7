package session

import (
	"context"
	"errors"
	"sync"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/wal"
)

// applying is what one Apply needs. They are used again, so that a request costs no memory of its own.
type applying struct {
	tx       statestore.Tx
	log      *wal.Log
	reached  int64 // the event time that all requests to come have reached
	record   []byte
	position uint64
}

var applyings = sync.Pool{New: func() any { return new(applying) }}

// Commit writes the record of a transaction: see statestore.Log.
func (a *applying) Commit(c *statestore.Committed) (err error) {
	if a.log == nil {
		return nil
	}
	a.record = appendApply(a.record[:0], c, a.reached)
	a.position, err = a.log.Append(a.record)
	return err
}

// optimistic is how many conflicts a request has before it waits for its turn.
const optimistic = 2

// Apply answers a request: with what fn returns, or with what it returned when the request came for the first time. fn reads
// and changes state through the transaction, and may be called more than once: only the call whose answer is returned has had
// an effect. The transaction is valid until fn returns. An error of fn is returned as it is, and nothing has changed. repeated
// says whether the answer was stored: of copies that run at the same time the first one to end has had its effect, the others are
// given its answer.
//
// When Apply returns an answer, a kill of the process does not lose it.
func (m *Manager) Apply(ctx context.Context, t Token, r Request, fn func(tx *statestore.Tx) (answer []byte, err error)) (answer []byte, repeated bool, err error) {
	s, err := m.session(ctx, t)
	if err != nil {
		return nil, false, err
	}
	if s.log != nil {
		// With a log that cannot be written to the state must not run ahead of it.
		if err := s.log.Ready(); err != nil {
			return nil, false, s.logged(err)
		}
	}
	r.LowWatermark = min(r.LowWatermark, r.Watermark)
	answer, repeated, err = s.arrive(&r)
	if err != nil {
		return nil, false, err
	}
	if repeated {
		return answer, true, s.synced()
	}
	a := applyings.Get().(*applying) //nolint:forcetypeassert // nothing else is in the pool
	defer func() {
		a.log = nil
		if cap(a.record) <= 1<<20 {
			applyings.Put(a)
		}
	}()
	a.log, a.reached, a.position = s.log, r.LowWatermark, 0
	for conflicts := 0; ; conflicts++ {
		answer, repeated, err = s.attempt(ctx, a, &r, fn, conflicts > optimistic)
		if !errors.Is(err, statestore.ErrConflict) {
			break
		}
	}
	switch full := m.config.Observe.Full; {
	case err != nil:
		if full != nil && CodeOf(err) == CodeAnswers {
			full()
		}
		return nil, false, err
	case repeated:
		return answer, true, s.synced()
	case a.log != nil:
		return answer, false, s.logged(a.log.Wait(a.position))
	}
	return answer, false, nil
}

// arrive is the first thing that happens to a request: it freezes the state if it has seen a barrier that nothing before it has
// seen.
func (s *session) arrive(r *Request) (answer []byte, repeated bool, err error) {
	s.mu.RLock()
	if err := s.usable(); err != nil || r.Epoch <= s.epoch {
		defer s.mu.RUnlock()
		if err != nil {
			return nil, false, err
		}
		s.parts.Advance(r.LowWatermark)
		answer, repeated, err = s.parts.Answer(r.Request)
		return answer, repeated, translate(err)
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return nil, false, err
	}
	if r.Epoch > s.epoch {
		if err := s.freeze(r.Epoch); err != nil {
			return nil, false, err
		}
	}
	s.parts.Advance(r.LowWatermark) // after the freeze, to which it does not belong
	answer, repeated, err = s.parts.Answer(r.Request)
	return answer, repeated, translate(err)
}

func (s *session) attempt(ctx context.Context, a *applying, r *Request, fn func(*statestore.Tx) ([]byte, error), turn bool) ([]byte, bool, error) {
	if turn || s.parts.Contended(r.KeyGroup) {
		end, err := s.parts.Turn(ctx, r.KeyGroup)
		if err != nil {
			return nil, false, err
		}
		defer end()
	}
	if err := s.parts.BeginAt(r.KeyGroup, &a.tx, r.Watermark); err != nil {
		return nil, false, translate(err)
	}
	answer, err := fn(&a.tx)
	if err != nil {
		return nil, false, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(); err != nil {
		return nil, false, err
	}
	answer, repeated, err := a.tx.Commit(r.Request, answer, a)
	if errors.Is(err, wal.ErrClosed) {
		return nil, false, s.ended
	}
	return answer, repeated, translate(err)
}
