package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Manager holds the sessions of one sidecar. All methods are safe for concurrent use.
type Manager struct {
	config Config
	store  Store
	log    *slog.Logger
	disk   *disk // nil without a folder

	instance string
	uploads  chan struct{}  // one for each snapshot that is being written
	running  sync.WaitGroup // what the manager has started
	ctx      context.Context
	cancel   context.CancelCauseFunc

	// opening is held by those who open a session, one at a time: tokens are given away in the order in which they fence.
	opening chan struct{}

	mu       sync.Mutex
	closed   bool
	fence    uint64 // the last one that was given away
	sessions map[uint64]*session
	gone     []uint64 // fences of sessions that were taken over: the last ones, so that their clients are told so
}

// goneMost is how many sessions that were taken over are remembered. Those of others are unknown, which is as good an answer.
const goneMost = 4096

var errClosing = errors.New("the sidecar is shutting down")

// New brings back the sessions that are in the folder, if the configuration has one. It returns at once: calls wait until their
// session is there. Close frees the folder.
func New(config Config, store Store, log *slog.Logger) (*Manager, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	m := &Manager{
		config: config, store: store, log: log, instance: config.NewID(), sessions: map[uint64]*session{},
		uploads: make(chan struct{}, config.Uploads), opening: make(chan struct{}, 1),
	}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	if config.Folder == "" {
		return m, nil
	}
	d, err := openDisk(config.Folder, config.BootID(), m.instance)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	m.disk, m.instance, m.fence = d, d.state.Instance, d.state.Fence
	found, err := d.sessions()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sessions: %w", err), d.close())
	}
	m.recover(found)
	return m, nil
}

// Instance names the memory of this sidecar: as long as it is the same, no session was lost that nobody ended.
func (m *Manager) Instance() string { return m.instance }

// Open begins a session, and ends those whose key groups it takes over. A call that is repeated begins another one, and ends
// the first.
func (m *Manager) Open(ctx context.Context, spec Spec) (Token, error) {
	if err := spec.check(); err != nil {
		return Token{}, &Error{Code: CodeInvalid, Err: err}
	}
	select {
	case m.opening <- struct{}{}:
		defer func() { <-m.opening }()
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	m.mu.Lock()
	token := Token{Instance: m.instance, Fence: m.fence + 1}
	m.mu.Unlock()
	s, err := m.begin(token, spec)
	m.mu.Lock()
	m.fence = token.Fence // also if there is no session: it may have left something behind
	m.mu.Unlock()
	if err != nil {
		return Token{}, &Error{Code: CodeLog, Retryable: true, Err: fmt.Errorf("open a session: %w", err)}
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		s.end(refuse(CodeUnknownSession, "%w", errClosing), true)
		return Token{}, refuse(CodeUnknownSession, "open a session: %w", errClosing)
	}
	var older []*session
	for fence, other := range m.sessions {
		if spec.takesOver(&other.spec) {
			older = append(older, other)
			delete(m.sessions, fence)
			m.gone = append(m.gone, fence)
		}
	}
	m.gone = m.gone[max(0, len(m.gone)-goneMost):]
	m.sessions[token.Fence] = s
	m.mu.Unlock()
	for _, other := range older {
		m.log.Info("session taken over", "session", other.token.String(), "by", token.String())
		other.end(m.takenOver(other.token), true)
	}
	return token, nil
}

// begin makes a session that nobody knows yet.
func (m *Manager) begin(token Token, spec Spec) (*session, error) {
	s := newSession(m, token, spec)
	close(s.recovered)
	if m.disk == nil {
		return s, nil
	}
	if err := m.disk.fence(token.Fence); err != nil {
		return nil, err
	}
	return s, s.startLog()
}

func (m *Manager) takenOver(t Token) *Error {
	return refuse(CodeFenced, "session %s was taken over by a newer attempt of its subtask, or of another one with its key groups; this attempt has to end", t)
}

// session finds a session and waits until it is there.
func (m *Manager) session(ctx context.Context, t Token) (*session, error) {
	m.mu.Lock()
	s := m.sessions[t.Fence]
	switch {
	case t.Instance != m.instance:
		s = nil
	case s == nil && slices.Contains(m.gone, t.Fence):
		m.mu.Unlock()
		return nil, m.takenOver(t)
	}
	m.mu.Unlock()
	if s == nil {
		return nil, unknown(t)
	}
	select {
	case <-s.recovered:
		s.used.Store(time.Now().UnixNano())
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func unknown(t Token) *Error {
	return refuse(CodeUnknownSession, "session %s is unknown to this sidecar, which has lost it or never had it; fail the task, so that Flink restores it and opens a new one", t)
}

// Close ends a session whose task has ended. Its state is gone; one that is unknown is closed already.
func (m *Manager) Close(ctx context.Context, t Token) error {
	s, err := m.session(ctx, t)
	if err != nil {
		if code := CodeOf(err); code == CodeUnknownSession || code == CodeFenced {
			return nil
		}
		return err
	}
	m.drop(s, unknown(t))
	return nil
}

func (m *Manager) drop(s *session, why *Error) {
	m.mu.Lock()
	if m.sessions[s.token.Fence] == s {
		delete(m.sessions, s.token.Fence)
	}
	m.mu.Unlock()
	s.end(why, true)
}

// DropIdle ends sessions of which nothing was heard for so long, and says how many. It is for tasks that vanished: those that
// went on with another sidecar never tell the old one. A task that is only slow is restored by Flink.
func (m *Manager) DropIdle(idle time.Duration) int {
	limit := time.Now().Add(-idle).UnixNano()
	dropped := 0
	for _, s := range m.all() {
		if s.used.Load() < limit {
			m.log.Info("session dropped, nothing was heard of it", "session", s.token.String(), "for", idle)
			m.drop(s, unknown(s.token))
			dropped++
		}
	}
	return dropped
}

// Sweep gives back the memory of values that have expired, up to so many in each key group, and says how many they were. Nobody can see a
// difference.
func (m *Manager) Sweep(most int) int {
	removed := 0
	for _, s := range m.all() {
		select {
		case <-s.recovered:
		default:
			continue // it is coming back
		}
		s.mu.RLock()
		parts := s.parts
		s.mu.RUnlock()
		removed += parts.Sweep(most)
	}
	return removed
}

func (m *Manager) all() []*session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.sessions), func(a, b *session) int { return int(a.token.Fence) - int(b.token.Fence) }) //nolint:gosec // far from overflow
}

// Shutdown stops what runs, and frees the folder. Sessions stay in it: the next process goes on with them.
func (m *Manager) Shutdown() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	m.cancel(errClosing)
	for _, s := range m.all() {
		<-s.recovered
		s.end(refuse(CodeUnknownSession, "%w", errClosing), false)
	}
	m.running.Wait()
	if m.disk == nil {
		return nil
	}
	return m.disk.close()
}
