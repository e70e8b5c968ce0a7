package session

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/sidecar/internal/statestore/wal"
)

// session is one attempt of one subtask.
type session struct {
	m      *Manager
	token  Token
	spec   Spec
	folder string   // of its log, "" without one
	log    *wal.Log // nil without one
	ctx    context.Context
	cancel context.CancelCauseFunc
	// recovered is closed once the session may be used, or has ended.
	recovered chan struct{}
	used      atomic.Int64 // when it was, in ns

	// mu is held for writing by what all requests have to agree on: where a barrier lies between them, and the end.
	mu       sync.RWMutex
	ended    error
	parts    *statestore.Partitions
	ready    bool   // to apply requests
	from     uint64 // the checkpoint that the state was loaded from, 0 for none
	restore  *restoring
	epoch    uint64     // the highest that was seen
	marked   uint64     // the last that was marked
	barriers []*barrier // whose state is frozen, oldest first
	results  []*barrier // whose snapshot is in the store, the last ones
	chain    segment.Chain
	working  bool // somebody writes snapshots
}

// barrier is a barrier whose state is frozen.
type barrier struct {
	epoch      uint64
	frozen     *statestore.Frozen
	generation uint64 // of the log, which begins with the freeze
	marked     bool
	markedAt   time.Time
	full       bool
	savepoint  bool

	ctx    context.Context // ends when nobody wants the snapshot any more
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when one of the following is there
	ref    segment.Reference
	err    error
}

func newSession(m *Manager, token Token, spec Spec) *session {
	s := &session{
		m: m, token: token, spec: spec, recovered: make(chan struct{}), ready: !spec.Restored,
		parts: statestore.New(spec.KeyGroups, m.config.Limits, m.config.Hooks),
	}
	s.ctx, s.cancel = context.WithCancelCause(m.ctx)
	s.used.Store(time.Now().UnixNano())
	if m.disk != nil {
		s.folder = m.disk.sessionFolder(token.Fence)
	}
	return s
}

// startLog makes the folder of a new session and writes the beginning.
func (s *session) startLog() error {
	if err := os.Mkdir(s.folder, 0o700); err != nil {
		return err
	}
	log, err := wal.Open(s.folder, wal.End{})
	if err == nil {
		s.log = log
		if err = s.append(recordBegin, begin{Version: logVersion, Token: s.token, Spec: s.spec}); err == nil {
			err = s.synced()
		}
	}
	if err != nil {
		s.log = nil // what it has not written must not be tried again
		return errors.Join(err, os.RemoveAll(s.folder))
	}
	return nil
}

// append puts a record into the log, if there is one.
func (s *session) append(kind byte, body any) error {
	if s.log == nil {
		return nil
	}
	record, err := jsonRecord(kind, body)
	if err != nil {
		return err
	}
	_, err = s.log.Append(record)
	return err
}

// synced waits until a kill of the process would lose nothing of what happened so far.
func (s *session) synced() error {
	if s.log == nil {
		return nil
	}
	return s.logged(s.log.Wait(s.log.Appended()))
}

// logged gives an error of the log its code.
func (s *session) logged(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wal.ErrClosed):
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.ended != nil {
			return s.ended
		}
	}
	return &Error{Code: CodeLog, Retryable: true, Err: err}
}

// usable says whether requests may be applied. It is called with mu held.
func (s *session) usable() error {
	switch {
	case s.ended != nil:
		return s.ended
	case !s.ready:
		return refuse(CodeNotRestored, "session %s was opened to be restored; restore it first", s.token)
	}
	return nil
}

// end ends a session; forget also removes its log.
func (s *session) end(why *Error, forget bool) {
	s.cancel(why)
	<-s.recovered // what recovers it stops by that
	s.mu.Lock()
	if s.ended == nil {
		s.ended = why
	}
	barriers := s.barriers
	s.barriers, s.results = nil, nil
	for _, b := range barriers {
		b.finish(segment.Reference{}, why)
	}
	s.mu.Unlock()
	var err error
	if s.log != nil {
		err = s.log.Close()
	}
	if forget && s.m.disk != nil {
		err = s.m.disk.remove(s.token.Fence) // with what could not be written
	}
	if err != nil {
		s.m.log.Warn("the log of a session that ended", "session", s.token.String(), "error", err)
	}
}

// finish gives those who wait for the snapshot what there is. It is called once, with mu held.
func (b *barrier) finish(ref segment.Reference, err error) {
	b.ref, b.err = ref, err
	close(b.done)
	b.cancel(err)
}

// find is the barrier of an epoch, nil if there is none. It is called with mu held.
func (s *session) find(epoch uint64) *barrier {
	for _, b := range s.barriers {
		if b.epoch == epoch {
			return b
		}
	}
	for _, b := range s.results {
		if b.epoch == epoch {
			return b
		}
	}
	return nil
}
