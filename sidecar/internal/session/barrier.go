package session

import (
	"context"
	"errors"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// freeze fixes the state for the barrier of an epoch that is higher than all before. It is called with mu held for writing.
func (s *session) freeze(epoch uint64) error {
	b := &barrier{epoch: epoch, done: make(chan struct{})}
	if s.log != nil {
		b.generation = s.log.Rotate()
	}
	if err := s.append(recordBegin, begin{Version: logVersion, Token: s.token, Spec: s.spec, Epoch: epoch}); err != nil {
		return s.unlogged(err)
	}
	s.frozen(b)
	return nil
}

// frozen does so without a record.
func (s *session) frozen(b *barrier) {
	b.frozen = s.parts.Freeze()
	b.ctx, b.cancel = context.WithCancelCause(s.ctx)
	s.epoch = b.epoch
	s.barriers = append(s.barriers, b)
	if len(s.barriers) > s.m.config.MaxPending {
		s.giveUp(s.barriers[0], refuse(CodeNoSnapshot, "the snapshot of checkpoint %d was given up: %d later barriers came before it was in the store; see whether the store is slow, or take checkpoints less often", s.barriers[0].epoch, s.m.config.MaxPending))
	}
}

// unlogged is an error of a record that was to be appended with mu held: the log was closed, or the record is too large.
func (s *session) unlogged(err error) error {
	if s.ended != nil {
		return s.ended
	}
	return &Error{Code: CodeLog, Retryable: true, Err: err}
}

// giveUp drops a barrier. It is called with mu held for writing.
func (s *session) giveUp(b *barrier, why *Error) {
	for i, other := range s.barriers {
		if other == b {
			s.barriers = append(s.barriers[:i:i], s.barriers[i+1:]...)
			b.finish(segment.Reference{}, why)
			if missed := s.m.config.Observe.Missed; missed != nil && b.marked && !errors.Is(why, errAborted) {
				missed()
			}
			s.m.running.Go(b.frozen.Release) // takes longer than others may have to wait
			return
		}
	}
}

// Mark says that the subtask has seen a barrier, and what is in flight at it. It returns as soon as that is noted: Durable
// tells when the snapshot is in the store. A call that is repeated changes nothing.
func (m *Manager) Mark(ctx context.Context, t Token, mark Mark) error {
	if mark.Epoch == 0 {
		return refuse(CodeInvalid, "a mark of epoch 0: barriers have numbers from 1")
	}
	s, err := m.session(ctx, t)
	if err != nil {
		return err
	}
	record, err := jsonRecord(recordMark, mark)
	if err != nil {
		return refuse(CodeInvalid, "the mark of checkpoint %d: %w", mark.Epoch, err)
	}
	if err := s.mark(mark, record); err != nil {
		return err
	}
	return s.synced()
}

func (s *session) mark(mark Mark, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if b := s.find(mark.Epoch); b != nil && b.marked {
		return nil
	}
	if mark.Epoch <= s.marked {
		return refuse(CodeLate, "the mark of checkpoint %d comes after that of %d, or after it was given up; that checkpoint fails", mark.Epoch, s.marked)
	}
	if mark.Epoch > s.epoch {
		if err := s.freeze(mark.Epoch); err != nil {
			return err
		}
	}
	b := s.find(mark.Epoch)
	if b == nil {
		return refuse(CodeLate, "requests that had seen checkpoint %d came before the mark of checkpoint %d, and none that had seen that one; that checkpoint fails", s.epoch, mark.Epoch)
	}
	for _, r := range mark.InFlight {
		if !s.spec.KeyGroups.Contains(r.KeyGroup) {
			return refuse(CodeKeyGroup, "request %q in flight is of key group %d, the session has %s", r.ID, r.KeyGroup, s.spec.KeyGroups)
		}
	}
	if s.log != nil {
		if _, err := s.log.Append(record); err != nil {
			return s.unlogged(err)
		}
	}
	if err := s.markAt(b, mark); err != nil {
		return err
	}
	s.work()
	return nil
}

// markAt does so without a record, and without the work that follows.
func (s *session) markAt(b *barrier, mark Mark) error {
	if err := s.parts.Mark(b.frozen, mark.Epoch, mark.InFlight); err != nil {
		return translate(err)
	}
	s.marked = mark.Epoch
	b.marked, b.markedAt, b.full, b.savepoint = true, time.Now(), mark.Full, mark.Savepoint
	// A mark that comes after a later one is refused: what was frozen for it is of no use.
	for len(s.barriers) > 0 && s.barriers[0].epoch < mark.Epoch && !s.barriers[0].marked {
		s.giveUp(s.barriers[0], refuse(CodeLate, "the mark of checkpoint %d came before that of checkpoint %d", mark.Epoch, s.barriers[0].epoch))
	}
	return nil
}

// Durable waits until the snapshot of a checkpoint is in the store, and returns what Flink's checkpoint has to hold of it. The
// error says that there is none, and that the checkpoint has to fail.
func (m *Manager) Durable(ctx context.Context, t Token, epoch uint64) (segment.Reference, error) {
	s, err := m.session(ctx, t)
	if err != nil {
		return segment.Reference{}, err
	}
	s.mu.RLock()
	b, ended := s.find(epoch), s.ended
	s.mu.RUnlock()
	switch {
	case ended != nil:
		return segment.Reference{}, ended
	case b == nil:
		return segment.Reference{}, refuse(CodeNoSnapshot, "there is no snapshot of checkpoint %d: it was aborted, given up or never marked", epoch)
	}
	select {
	case <-b.done:
		return b.ref, b.err
	case <-ctx.Done():
	}
	select {
	case <-b.done: // both were ready
		return b.ref, b.err
	default:
		return segment.Reference{}, context.Cause(ctx)
	}
}

// Abort says that a checkpoint has failed, so that nobody needs its snapshot any more. One that is in the store already stays,
// since later ones may build on it. A call that is repeated changes nothing.
func (m *Manager) Abort(ctx context.Context, t Token, epoch uint64) error {
	s, err := m.session(ctx, t)
	if err != nil {
		return err
	}
	if err := s.abort(epoch); err != nil {
		return err
	}
	return s.synced()
}

var errAborted = errors.New("it was aborted")

func (s *session) abort(epoch uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return s.ended
	}
	for _, b := range s.barriers {
		// Without a mark it has to stay: the answers that were given before it are known by it.
		if b.epoch == epoch && b.marked {
			if err := s.append(recordAbort, aborted{epoch}); err != nil {
				return s.unlogged(err)
			}
			s.giveUp(b, refuse(CodeNoSnapshot, "checkpoint %d: %w", epoch, errAborted))
			return nil
		}
	}
	return nil
}
