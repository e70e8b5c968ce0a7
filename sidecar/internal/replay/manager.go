package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// Config is how replays are kept.
type Config struct {
	Folder         string // for what is known of them, on a local disk
	KeepFinished   int    // so many that have ended are remembered
	MaxDifferences int    // so many differences are in a report
	Modes          []Mode // that may be asked for
}

// Checkpoint is what is needed of one.
type Checkpoint struct {
	Path      string    // folder of _metadata, as Flink writes it
	Lost      string    // why it could not be read there; what is known of it is from a copy of this sidecar
	Savepoint bool      // Flink deletes no savepoints
	Triggered time.Time // zero if that is not known
	Operators []OperatorState
}

// Checkpoints finds the one that a request is about, and reads what it refers to.
type Checkpoints interface {
	Find(ctx context.Context, r Request) (Checkpoint, error)
}

// JobRunner restarts a job from a checkpoint.
type JobRunner interface {
	// Check refuses what is known not to succeed, while nothing has been changed yet.
	Check(ctx context.Context, r Request, from Checkpoint) error
	// Submit does it. It may be called again for the same request after a crash, and must not start another one then.
	Submit(ctx context.Context, r Request, from Checkpoint, progress func(Progress)) (newJob string, err error)
}

// Local takes state for the calls of a function without a session.
type Local interface {
	Adopt(function string, parts *statestore.Partitions) (keys int64, err error)
}

// Deps are what replays work with. Each may be nil: the modes that need them are refused then.
type Deps struct {
	Checkpoints Checkpoints
	Snapshots   segment.Opener
	Decisions   Decisions
	Functions   Functions
	Build       string // that decides now
	// Rules is the version, with the hash, of the rules by which a function decides now, "" if it goes by none. It may be nil.
	Rules func(function string) string
	Jobs  JobRunner
	Local Local
	// Leader runs work while this sidecar may do it; nil is always.
	Leader func(ctx context.Context, work func(ctx context.Context) error) error
	Owner  string
	// Holder is who may do it now, if that is known; nil if there is no Leader.
	Holder func() string
	// Ended is told of each that has come to an end, and calls told when nobody has to be told any more: until then it is told again by each process
	// that starts.
	Ended func(r Replay, told func())
}

// Manager keeps replays. It is safe for concurrent use.
type Manager struct {
	config Config
	deps   Deps
	log    *slog.Logger
	store  *store

	mu      sync.Mutex
	changed chan struct{}
	work    chan struct{} // has one if there may be something to do
	running string        // id
	waits   waiting
	cancel  context.CancelCauseFunc
	live    map[string]Progress // of what runs, which is not written for each step
	pause   time.Duration       // before the first try after an error
}

// waiting is why nothing runs although something could.
type waiting struct {
	lead bool  // for its turn among sidecars
	err  error // the last try failed, and there will be another
}

var (
	errCancelled = errors.New("cancelled")
	errPaused    = errors.New("paused")
)

// New opens the folder.
func New(c Config, d Deps, log *slog.Logger) (*Manager, error) {
	s, err := openStore(c.Folder)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	m := &Manager{config: c, deps: d, log: log, store: s, changed: make(chan struct{}), work: make(chan struct{}, 1), live: map[string]Progress{}, pause: firstPause}
	all, err := s.list()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("replay: %w", err), s.db.Close())
	}
	for _, r := range all {
		if r.Untold {
			m.tellEnd(r)
		}
	}
	m.wake()
	return m, nil
}

// tellEnd tells those who want to know that a replay has ended.
func (m *Manager) tellEnd(r Replay) {
	if m.deps.Ended == nil {
		return
	}
	m.deps.Ended(r, func() {
		if _, err := m.store.update(r.ID, func(r *Replay, found bool) (bool, error) {
			r.Untold = false
			return found, nil
		}); err != nil {
			m.log.Warn("a replay may be told of again", "replay", r.ID, "error", err)
		}
	})
}

// Close closes the folder, after Run has ended.
func (m *Manager) Close() error { return m.store.db.Close() }

func (m *Manager) wake() {
	select {
	case m.work <- struct{}{}:
	default:
	}
}

// Changed is closed at the next change of any replay.
func (m *Manager) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *Manager) tell() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

// idOf makes the same request the same replay. What is only to be planned is another one.
func idOf(r *Request) string {
	name := fmt.Appendf(nil, "%s\n%d\n%s\n%s", r.Job, r.CheckpointID, r.Mode, r.RequestID)
	if r.DryRun {
		name = append(name, "\ndry run"...)
	}
	sum := sha256.Sum256(name)
	return "r-" + hex.EncodeToString(sum[:8])
}

// same says whether two requests ask for the same.
func same(a, b *Request) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return bytes.Equal(x, y), err
}

// Start asks for a replay. created is false if it is there already.
func (m *Manager) Start(r Request) (replay Replay, created bool, err error) {
	if r.Mode == "" {
		r.Mode = Audit
	}
	if err := m.check(&r); err != nil {
		return Replay{}, false, err
	}
	id := idOf(&r)
	replay, err = m.store.update(id, func(found *Replay, there bool) (bool, error) {
		if created = !there; !created {
			asked, err := same(&found.Request, &r)
			if err == nil && !asked {
				err = problem.New(problem.IDReused, "replay %s has this job, checkpoint, mode and request id, and asks for something else: choose another request id", id)
			}
			return false, err
		}
		*found = Replay{ID: id, Request: r, State: Pending, Created: time.Now().UTC(), Build: m.deps.Build}
		return true, nil
	})
	if err == nil && created {
		m.log.Info("replay asked for", "replay", id, "job", r.Job, "checkpoint", r.CheckpointID, "mode", r.Mode)
		m.tell()
		m.wake()
	}
	return m.withProgress(replay), created, err
}

func (m *Manager) check(r *Request) error {
	invalid := func(format string, a ...any) error { return problem.New(problem.InvalidRequest, format, a...) }
	switch {
	case r.Job == "":
		return invalid("job: is missing; drey jobs list has the ids")
	case r.CheckpointID < 1:
		return invalid("checkpoint_id: is %d, must be the number of a checkpoint; drey checkpoints list has them", r.CheckpointID)
	case len(r.RequestID) > 200:
		return invalid("request_id: is longer than 200 bytes")
	}
	if !slices.Contains([]Mode{Audit, Restore, Job}, r.Mode) {
		return invalid("mode: is %q, must be audit, restore or job", r.Mode)
	}
	if !slices.Contains(m.config.Modes, r.Mode) {
		return problem.New(problem.Forbidden, "mode %s is not allowed here: add it to replay.modes of the sidecar (--replay-modes audit,%[1]s)", r.Mode)
	}
	switch r.Mode {
	case Audit:
		if m.deps.Decisions == nil || m.deps.Functions == nil {
			return invalid("mode audit needs the decision log: set decisions.dir")
		}
	case Restore:
		if m.deps.Local == nil {
			return invalid("mode restore needs state: set state.enabled and state.store")
		}
		if r.Function == "" || r.Operator == "" {
			return invalid("mode restore needs function and operator: whose calls get the state, and whose state it is")
		}
	case Job:
		if m.deps.Jobs == nil {
			return invalid("mode job needs Flink: set watch.flink")
		}
		if r.Resubmit == nil || r.Resubmit.JarID == "" {
			return invalid("resubmit.jar_id: is missing; Flink does not say how a job was submitted (drey replay start --jar FILE uploads it)")
		}
	}
	if m.deps.Checkpoints == nil {
		return invalid("no checkpoint can be found: set watch.flink")
	}
	return nil
}

func unknown(id string) error {
	return problem.New(problem.NotFound, "no replay %q; GET /v1/replays lists them", id)
}

// Get returns one.
func (m *Manager) Get(id string) (Replay, error) {
	r, found, err := m.store.get(id)
	if err == nil && !found {
		err = unknown(id)
	}
	return m.withProgress(r), err
}

// List returns all, the newest first.
func (m *Manager) List() ([]Replay, error) {
	all, err := m.store.list()
	for i := range all {
		all[i] = m.withProgress(all[i])
	}
	return all, err
}

func (m *Manager) withProgress(r Replay) Replay {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.live[r.ID]; ok && !r.State.Final() {
		r.Progress = p
	}
	if r.State.Final() || r.Paused || r.ID == m.running {
		return r
	}
	switch {
	case m.running != "":
		r.Waiting = "replay " + m.running + " runs; they take turns"
	case m.waits.err != nil:
		r.Waiting = "it is tried again: " + m.waits.err.Error()
	case m.waits.lead && m.deps.Holder != nil:
		r.Waiting = "another sidecar replays"
		if holder := m.deps.Holder(); holder != "" {
			r.Waiting += ": the lease is " + holder + "'s"
		}
	}
	return r
}

// Report returns what an audit has found, when it has completed.
func (m *Manager) Report(id string) (*report.Report, error) {
	if _, err := m.Get(id); err != nil {
		return nil, err
	}
	r, err := m.store.report(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.New(problem.NotFound, "replay %s has no report: it is no audit, or has not completed", id)
	}
	return r, err
}

// Cancel ends one for good. What has been applied stays applied.
func (m *Manager) Cancel(id string) (Replay, error) {
	return m.change(id, errCancelled, func(r *Replay) error {
		if r.State == Cancelled {
			return nil
		}
		if r.State.Final() {
			return problem.New(problem.Conflict, "replay %s is %s already", id, r.State)
		}
		if err := halfway(r); err != nil {
			return err
		}
		r.State, r.Paused, r.Ended = Cancelled, false, time.Now().UTC()
		return nil
	})
}

// Pause stops one until Resume; an audit begins anew then.
func (m *Manager) Pause(id string) (Replay, error) {
	return m.change(id, errPaused, func(r *Replay) error {
		if r.State.Final() {
			return problem.New(problem.Conflict, "replay %s is %s", id, r.State)
		}
		if err := halfway(r); err != nil {
			return err
		}
		r.Paused = true
		return nil
	})
}

// halfway refuses to leave a job ended that has not been submitted again.
func halfway(r *Replay) error {
	if r.Mode == Job && r.State == Applying {
		return problem.New(problem.Conflict, "replay %s restarts a job at this moment, and cannot stop halfway; it ends by itself, with an error if the job does not come up", r.ID)
	}
	return nil
}

// Resume lets one go on.
func (m *Manager) Resume(id string) (Replay, error) {
	return m.change(id, nil, func(r *Replay) error {
		if r.State.Final() {
			return problem.New(problem.Conflict, "replay %s is %s; start another one, with another request id", id, r.State)
		}
		r.Paused = false
		return nil
	})
}

// change changes one from outside; interrupt, if not nil, ends what works on it.
func (m *Manager) change(id string, interrupt error, change func(r *Replay) error) (Replay, error) {
	ended := false
	r, err := m.store.update(id, func(r *Replay, found bool) (bool, error) {
		if !found {
			return false, unknown(id)
		}
		was := r.State.Final()
		err := change(r)
		if ended = !was && r.State.Final(); ended {
			r.Untold = m.deps.Ended != nil
		}
		return err == nil, err
	})
	if err != nil {
		return r, err
	}
	m.mu.Lock()
	if interrupt != nil && m.running == id {
		m.cancel(interrupt)
	}
	m.mu.Unlock()
	if ended {
		m.tellEnd(r)
	}
	m.tell()
	m.wake()
	return m.withProgress(r), nil
}

// The pauses before what failed for a reason that has nothing to do with a replay is tried again.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// Run works off what is asked for, one at a time, the oldest first, until ctx ends. That the lease cannot be asked for, or that nothing can be
// written, ends nothing: it is logged, and tried again.
func (m *Manager) Run(ctx context.Context) {
	pause := m.pause
	for ctx.Err() == nil {
		err := m.workOff(ctx)
		if ctx.Err() != nil {
			return
		}
		m.wait(waiting{err: err})
		if err == nil {
			pause = m.pause
			select {
			case <-ctx.Done():
			case <-m.work:
			}
			continue
		}
		m.log.Error("replays cannot go on; trying again", "error", err, "in", pause.String())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// workOff does what there is to do.
func (m *Manager) workOff(ctx context.Context) error {
	lead := m.deps.Leader
	if lead == nil {
		lead = func(ctx context.Context, work func(context.Context) error) error { return work(ctx) }
	}
	for {
		next, ok, err := m.next()
		if err != nil || !ok || ctx.Err() != nil {
			return err
		}
		m.wait(waiting{lead: true})
		if err := lead(ctx, func(ctx context.Context) error { return m.run(ctx, next) }); err != nil {
			return err
		}
	}
}

func (m *Manager) wait(w waiting) {
	m.mu.Lock()
	m.waits = w
	m.mu.Unlock()
	m.tell()
}

// next is the oldest that may run.
func (m *Manager) next() (Replay, bool, error) {
	all, err := m.store.list()
	for i := len(all) - 1; i >= 0; i-- {
		if r := all[i]; !r.State.Final() && !r.Paused {
			return r, true, err
		}
	}
	return Replay{}, false, err
}
