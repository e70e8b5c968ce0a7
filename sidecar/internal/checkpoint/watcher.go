package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Flink is what the watcher asks of the JobManager.
type Flink interface {
	Jobs(ctx context.Context) ([]flinkrest.JobSummary, error)
	Checkpoints(ctx context.Context, job string) (flinkrest.Checkpoints, error)
}

// Copier makes a verified local copy of one checkpoint in folder: all of it, or nothing under that name. Called again for a
// folder that is complete it checks it and answers the same; after a crash it goes on where it was.
type Copier interface {
	Copy(ctx context.Context, key Key, folder string) (Copy, error)
}

// Copy describes a local copy.
type Copy struct {
	Operators int
	Files     int
	Bytes     int64
	Missing   []string // objects referred to that do not exist, or are shorter than the handles need
}

// ErrGone is what a Copier answers when Flink has deleted the checkpoint.
var ErrGone = errors.New("flink deleted the checkpoint; take a newer one")

// Observer counts what the watcher does. Its methods are called from several goroutines.
type Observer interface {
	// FlinkAsked tells whether Flink answered a poll.
	FlinkAsked(ok bool)
	// CheckpointFinished tells how the work on one checkpoint ended; bytes and lag, the time since it was first heard of, are
	// those of a copy. It is complete if nothing that the checkpoint refers to was missing.
	CheckpointFinished(state State, complete bool, bytes int64, lag time.Duration)
	// CheckpointsMissed counts those that came and went unseen.
	CheckpointsMissed(n int)
	// JobRestored counts restores.
	JobRestored()
}

// Config is how the watcher works. Package watch has it as keys of the configuration.
type Config struct {
	Interval    time.Duration // how often each job is asked for its checkpoints
	Jobs        []string      // ids or names of the jobs to follow; empty = all
	Savepoints  bool          // copy savepoints too; they are noted in any case
	Retain      int           // how many copies are kept of each job's checkpoints, and as many of its savepoints
	RetainEnded time.Duration // how long the copies of a job are kept that has ended, or that Flink does not list any more
	Parallel    int           // how many checkpoints are copied at the same time
}

// DefaultConfig follows everything, gently.
func DefaultConfig() Config {
	return Config{Interval: 5 * time.Second, Retain: 3, RetainEnded: 7 * 24 * time.Hour, Parallel: 2}
}

// Validate returns everything that cannot work, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	add(c.Interval < minInterval, "interval: %s, must be at least %s; Flink answers from a cache of 3 s", c.Interval, minInterval)
	add(slices.Contains(c.Jobs, ""), "jobs: has an empty entry; leave the key out to follow all jobs")
	add(c.Retain < 1, "retain: %d, must be at least 1", c.Retain)
	add(c.RetainEnded <= 0, "retain_ended: %s, must be positive", c.RetainEnded)
	add(c.Parallel < 1, "parallel: %d, must be at least 1", c.Parallel)
	return errors.Join(errs...)
}

// minInterval keeps a mistyped interval from being an attack on the JobManager.
const minInterval = 50 * time.Millisecond

// Watcher follows jobs. Run does the work; the other methods are safe at any time.
type Watcher struct {
	config  Config
	flink   Flink
	copier  Copier
	ledger  *Ledger
	root    string // of the local copies: root/<job>/<Key.Folder()>
	log     *slog.Logger
	observe Observer
	// crash is called between the steps, with the step's name. Tests end the process there.
	crash func(step string)

	mu       sync.Mutex
	pending  map[string][]Record // by job, in the order in which they were seen: not copied
	busy     map[string]Key      // by job, the checkpoint that is being copied
	failing  map[string]bool     // jobs whose last copy failed
	retry    map[Key]time.Time   // not before
	newest   map[string]Record   // by job, the newest complete copy of a checkpoint
	asked    map[string]jobAsked // by job, of those that are followed
	flinkErr error
	polled   time.Time // when Flink last answered
	wake     chan struct{}
	changed  chan struct{} // closed and replaced at each event
}

// New returns a watcher that copies below root.
func New(config Config, flink Flink, copier Copier, ledger *Ledger, root string, log *slog.Logger) *Watcher {
	return &Watcher{
		config: config, flink: flink, copier: copier, ledger: ledger, root: root, log: log,
		observe: nobody{}, crash: func(string) {},
		pending: map[string][]Record{}, busy: map[string]Key{}, failing: map[string]bool{}, retry: map[Key]time.Time{},
		newest: map[string]Record{}, asked: map[string]jobAsked{},
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// ObserveBy has somebody told what the watcher does. It is called before Run.
func (w *Watcher) ObserveBy(o Observer) { w.observe = o }

// nobody is told when nobody wants to know.
type nobody struct{}

func (nobody) FlinkAsked(bool)                                      {}
func (nobody) CheckpointFinished(State, bool, int64, time.Duration) {}
func (nobody) CheckpointsMissed(int)                                {}
func (nobody) JobRestored()                                         {}

// Run polls and copies until ctx ends. Flink or the store being away is no reason to end: it goes on when they are back. An
// error is one of the ledger or of the folder of copies; Run may be called again.
func (w *Watcher) Run(ctx context.Context) error {
	if err := w.recover(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.poll(ctx) })
	group.Go(func() error { return w.copyAll(ctx) })
	return group.Wait()
}

// recover takes up what an earlier run left: checkpoints that were seen and not copied, folders that nobody needs.
func (w *Watcher) recover() error {
	records, err := w.ledger.List("", 0)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(records) {
		switch {
		case !r.State.Final():
			if err := w.enqueue(r); err != nil {
				return err
			}
		case r.State == Copied:
			w.copied(r)
		}
	}
	return w.sweep(records)
}

// Notify takes a webhook's word that a checkpoint has completed. Polling tells of it too; it is copied once.
func (w *Watcher) Notify(job string, id int64, path string) (Record, error) {
	job, err := NormalizeJob(job)
	if err != nil {
		return Record{}, err
	}
	defer w.announce()
	// Only its name tells a savepoint (CheckpointStorageAccess.initializeLocationForSavepoint), until a poll says it.
	savepoint := strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "savepoint-")
	return w.see(Record{Key: Key{Job: job, ID: id, Path: path}, Savepoint: savepoint})
}

func (w *Watcher) see(r Record) (Record, error) {
	r, isNew, err := w.ledger.See(r)
	if err != nil {
		return r, err
	}
	w.crash("seen")
	if !isNew {
		return r, nil
	}
	if r.State == Dropped {
		w.log.Info("dropped: not newer than what is recovered", "job", r.Job, "checkpoint", r.ID)
		w.observe.CheckpointFinished(Dropped, false, 0, 0)
		return r, nil
	}
	if r.State.Final() {
		return r, nil
	}
	return r, w.enqueue(r)
}

// enqueue puts a checkpoint on the list of what is to be copied. A list that gets too long, since the store has been away for
// long, loses its older half: the newest ones are what anybody will want.
func (w *Watcher) enqueue(r Record) error {
	w.mu.Lock()
	var doomed []Record
	if !slices.ContainsFunc(w.pending[r.Job], func(p Record) bool { return p.Key == r.Key }) {
		w.pending[r.Job] = append(w.pending[r.Job], r)
		if all := w.pending[r.Job]; len(all) > maxPending {
			doomed = slices.Clone(all[:len(all)-maxPending/2])
			doomed = slices.DeleteFunc(doomed, func(r Record) bool { return r.Key == w.busy[r.Job] })
		}
	}
	w.signal()
	w.mu.Unlock()
	return w.drop(doomed, "newer ones wait to be copied")
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// announce wakes those who wait for events.
func (w *Watcher) announce() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Note appends an event that is not of the watcher's own making, so that readers of events hear of it.
func (w *Watcher) Note(e Event) error {
	err := w.ledger.Note(e)
	w.announce()
	return err
}

// Changed returns a channel that is closed when there may be new events in the ledger.
func (w *Watcher) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// Status is how the watcher is doing.
type Status struct {
	Polled  time.Time `json:"polled,omitzero"` // when Flink last answered
	Error   string    `json:"error,omitempty"` // of the last poll
	Pending int       `json:"pending"`         // checkpoints that are not copied yet
}

// Status returns how the watcher is doing.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Polled: w.polled}
	for _, records := range w.pending {
		s.Pending += len(records)
	}
	if w.flinkErr != nil {
		s.Error = w.flinkErr.Error()
	}
	return s
}

// Job is a job as the watcher knows it.
type Job struct {
	Run
	Polled  time.Time `json:"polled,omitzero"` // when Flink last told of its checkpoints
	Error   string    `json:"error,omitempty"` // of the last poll
	Pending int       `json:"pending"`         // checkpoints that are not copied yet
	// Newest is the newest checkpoint with a complete verified copy.
	Newest *Record `json:"newest,omitempty"`
}

// Jobs returns the jobs that are known, the latest started first.
func (w *Watcher) Jobs() ([]Job, error) {
	runs, err := w.ledger.Runs()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	jobs := make([]Job, 0, len(runs))
	for id, run := range runs {
		j := Job{Run: run, Polled: w.asked[id].at, Pending: len(w.pending[id])}
		if err := w.asked[id].err; err != nil {
			j.Error = err.Error()
		}
		if r, ok := w.newest[id]; ok {
			j.Newest = &r
		}
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Or(cmp.Compare(b.Started, a.Started), cmp.Compare(a.Job, b.Job)) })
	return jobs, nil
}

// Age is how far a job's newest complete copy is behind.
type Age struct {
	Job, Name string
	// Since is when the newest copied checkpoint was triggered, by the JobManager's clock; when the job started, if there is no
	// copy yet.
	Since   time.Time
	Pending int
}

// Ages returns an entry for each job that Flink listed as running when it last answered. It costs no look into the ledger.
func (w *Watcher) Ages() []Age {
	w.mu.Lock()
	defer w.mu.Unlock()
	ages := make([]Age, 0, len(w.asked))
	for id, job := range w.asked {
		if !job.over.IsZero() || job.done {
			continue
		}
		a := Age{Job: id, Name: job.name, Since: job.started, Pending: len(w.pending[id])}
		if r, ok := w.newest[id]; ok {
			if a.Since = r.SeenAt; r.Triggered > 0 {
				a.Since = time.UnixMilli(r.Triggered)
			}
		}
		if a.Since.IsZero() {
			continue // of an earlier process, and not asked for since
		}
		ages = append(ages, a)
	}
	return ages
}
