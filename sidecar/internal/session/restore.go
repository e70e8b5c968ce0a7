package session

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// restoring is a restore that was asked for.
type restoring struct {
	digest [sha256.Size]byte
	done   chan struct{}
	err    error // once it is done
}

// Restore loads the state that references name: all that a checkpoint holds, or those that have a part of the session's key
// groups. A call that is repeated waits for the first one, or finds it done and changes nothing: also if requests were applied
// since. It goes on when ctx ends; the next call finds it. If it did not succeed the next call tries again.
func (m *Manager) Restore(ctx context.Context, t Token, references []segment.Reference) error {
	s, err := m.session(ctx, t)
	if err != nil {
		return err
	}
	references = slices.SortedFunc(slices.Values(references), func(a, b segment.Reference) int { return strings.Compare(a.Key, b.Key) })
	digest, err := digestOf(references)
	if err != nil {
		return refuse(CodeInvalid, "references: %w", err)
	}
	s.mu.Lock()
	run := s.restore
	switch {
	case s.ended != nil:
		s.mu.Unlock()
		return s.ended
	case run == nil && s.ready:
		s.mu.Unlock()
		return refuse(CodeConflict, "session %s was not opened to be restored; open one that is", t)
	case run != nil && run.digest != digest:
		s.mu.Unlock()
		return refuse(CodeConflict, "session %s is restored from other references; open a new session", t)
	case run == nil:
		run = &restoring{digest: digest, done: make(chan struct{})}
		s.restore = run
		s.m.running.Go(func() {
			run.err = s.load(references)
			if run.err != nil {
				s.mu.Lock()
				s.restore = nil
				s.mu.Unlock()
			}
			close(run.done)
		})
	}
	s.mu.Unlock()
	select {
	case <-run.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if run.err != nil {
		return run.err
	}
	return s.synced()
}

func digestOf(references []segment.Reference) ([sha256.Size]byte, error) {
	data, err := json.Marshal(references)
	return sha256.Sum256(data), err
}

func (s *session) want() segment.Want {
	return segment.Want{
		Operator: s.spec.Operator, MaxParallelism: s.spec.MaxParallelism, KeyGroups: s.spec.KeyGroups,
		Limits: s.m.config.Limits, Hooks: s.m.config.Hooks, Parallel: s.m.config.Parallel,
	}
}

// load loads the state aside, and swaps it in.
func (s *session) load(references []segment.Reference) error {
	loaded, err := segment.Restore(s.ctx, s.m.store, references, s.want())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended != nil:
		return s.ended
	case err != nil:
		return &Error{Code: CodeRestore, Retryable: retryable(err), Err: err}
	}
	if err := s.append(recordRestore, restored{references}); err != nil {
		return s.unlogged(err)
	}
	s.swap(loaded)
	return nil
}

// swap makes a state that was loaded the session's. It is called with mu held for writing.
func (s *session) swap(loaded *segment.Restored) {
	s.parts, s.chain, s.ready, s.from = loaded.Partitions, loaded.Chain, true, loaded.Checkpoint
}
