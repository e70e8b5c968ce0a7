package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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

// Config is how the watcher works.
type Config struct {
	Interval   time.Duration `yaml:"interval" doc:"how often each job is asked for its checkpoints; below 3 s Flink answers from its cache"`
	Jobs       []string      `yaml:"jobs" doc:"ids or names of the jobs to follow; empty = all"`
	Savepoints bool          `yaml:"savepoints" doc:"copy savepoints too"`
	Retain     int           `yaml:"retain" doc:"how many copies are kept of each job's checkpoints, and as many of its savepoints"`
	Parallel   int           `yaml:"parallel" doc:"how many checkpoints are copied at the same time"`
}

// DefaultConfig follows everything, gently.
func DefaultConfig() Config { return Config{Interval: 5 * time.Second, Retain: 3, Parallel: 2} }

// The bounds of what happens when something does not work.
const (
	// fellBehind is from how many uncopied checkpoints of a job on only the newest is copied: when the store was away for an
	// hour, the others are of no use to anybody, and most are subsumed.
	fellBehind = 10
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Watcher follows jobs. Run does the work; the other methods are safe at any time.
type Watcher struct {
	config Config
	flink  Flink
	copier Copier
	ledger *Ledger
	root   string // of the local copies: root/<job>/<Key.Folder()>
	log    *slog.Logger
	// crash is called between the steps, with the step's name. Tests end the process there.
	crash func(step string)

	mu       sync.Mutex
	pending  map[string][]Record // by job, oldest first: seen, not copied
	busy     map[string]bool     // jobs of which a checkpoint is being copied
	failing  map[string]bool     // jobs whose last copy failed
	retry    map[Key]time.Time   // not before
	wake     chan struct{}       // capacity 1: there is something to copy
	changed  chan struct{}       // closed and replaced whenever the ledger has new events
	flinkErr error               // of the last poll
	polled   time.Time           // when Flink last answered
}

// New returns a watcher that stores copies below root. Nothing runs yet.
func New(config Config, flink Flink, copier Copier, ledger *Ledger, root string, log *slog.Logger) *Watcher {
	return &Watcher{
		config: config, flink: flink, copier: copier, ledger: ledger, root: root, log: log, crash: func(string) {},
		pending: map[string][]Record{}, busy: map[string]bool{}, failing: map[string]bool{}, retry: map[Key]time.Time{},
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// Run polls and copies until ctx ends. Flink or the store being away is no reason to end: it goes on when they are back.
func (w *Watcher) Run(ctx context.Context) error {
	if err := w.recover(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.poll(ctx) })
	group.Go(func() error { return w.copyAll(ctx) })
	return group.Wait()
}

// recover takes up what an earlier run left: checkpoints that were seen and not copied, folders of expired ones.
func (w *Watcher) recover() error {
	records, err := w.ledger.List("", 0)
	if err != nil {
		return err
	}
	slices.Reverse(records)
	for _, r := range records {
		switch {
		case !r.State.Final():
			w.enqueue(r)
		case r.State == Expired:
			if err := w.remove(r.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll asks Flink, again and again. Jobs are spread over the interval, so that 200 of them are no burst.
func (w *Watcher) poll(ctx context.Context) error {
	for {
		begin := time.Now()
		jobs, err := w.flink.Jobs(ctx)
		w.noteFlink(err)
		if err == nil {
			jobs = w.followed(jobs)
			pause := w.config.Interval / time.Duration(max(1, len(jobs)))
			for i, job := range jobs {
				if !sleepUntil(ctx, begin.Add(time.Duration(i)*pause)) {
					return nil
				}
				if err := w.Poll(ctx, job); err != nil && ctx.Err() == nil {
					w.log.Warn("flink does not say which checkpoints there are", "job", job.ID, "error", err)
				}
			}
		}
		// A little apart from other watchers of the same cluster.
		next := begin.Add(w.config.Interval + rand.N(w.config.Interval/10+1))
		if !sleepUntil(ctx, next) {
			return nil
		}
	}
}

func sleepUntil(ctx context.Context, moment time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(moment)):
		return true
	}
}

// noteFlink logs when Flink goes away and when it comes back, not each failed poll in between.
func (w *Watcher) noteFlink(err error) {
	w.mu.Lock()
	before := w.flinkErr
	w.flinkErr = err
	if err == nil {
		w.polled = time.Now()
	}
	w.mu.Unlock()
	switch {
	case err != nil && before == nil:
		w.log.Warn("flink cannot be asked; the watcher goes on trying", "error", err)
	case err == nil && before != nil:
		w.log.Info("flink answers again")
	}
}

func (w *Watcher) followed(jobs []flinkrest.JobSummary) []flinkrest.JobSummary {
	return slices.DeleteFunc(slices.Clone(jobs), func(j flinkrest.JobSummary) bool {
		return j.State.Ended() ||
			len(w.config.Jobs) > 0 && !slices.Contains(w.config.Jobs, j.ID) && !slices.Contains(w.config.Jobs, j.Name)
	})
}

// Poll asks for the checkpoints of one job, once.
func (w *Watcher) Poll(ctx context.Context, job flinkrest.JobSummary) error {
	all, err := w.flink.Checkpoints(ctx, job.ID)
	if err != nil {
		return err
	}
	id, err := NormalizeJob(job.ID)
	if err != nil {
		return err
	}
	run := Run{Job: id, Name: job.Name, Started: int64(job.StartTime), Restored: -1, Restores: all.Counts.Restored}
	if r := all.Latest.Restored; r != nil {
		run.Restored, run.At = r.ID, int64(r.Time)
	}
	if _, err := w.ledger.Observe(run); err != nil {
		return err
	}
	found := slices.Clone(all.History)
	for _, latest := range []*flinkrest.Checkpoint{all.Latest.Completed, all.Latest.Savepoint} {
		if latest != nil { // also when newer failed ones have pushed it out of the history
			found = append(found, *latest)
		}
	}
	slices.SortFunc(found, func(a, b flinkrest.Checkpoint) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range found {
		if c.Status != "COMPLETED" || c.Discarded || c.ExternalPath == "" || c.IsSavepoint && !w.config.Savepoints {
			continue
		}
		err := w.see(Record{
			Key:       Key{Job: id, ID: c.ID, Path: c.ExternalPath, Triggered: int64(c.Triggered)},
			Savepoint: c.IsSavepoint, StateSize: int64(c.StateSize),
		})
		if err != nil {
			return err
		}
	}
	w.announce()
	return nil
}

// Notify takes a webhook's word that a checkpoint has completed. Polling will tell of it too, with the time of its trigger;
// the same path is not copied twice.
func (w *Watcher) Notify(job string, id int64, path string) error {
	job, err := NormalizeJob(job)
	if err != nil {
		return err
	}
	records, err := w.ledger.List(job, 0)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(records, func(r Record) bool { return r.ID == id && r.Path == path }) {
		return nil
	}
	defer w.announce()
	return w.see(Record{Key: Key{Job: job, ID: id, Path: path}})
}

func (w *Watcher) see(r Record) error {
	r, isNew, err := w.ledger.See(r)
	if err != nil {
		return err
	}
	w.crash("seen")
	if !isNew {
		return nil
	}
	if r.State == Dropped {
		w.log.Info("dropped: not newer than what is recovered", "job", r.Job, "checkpoint", r.ID)
		return nil
	}
	w.enqueue(r)
	return nil
}

func (w *Watcher) enqueue(r Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.pending[r.Job], func(p Record) bool { return p.Key == r.Key }) {
		w.pending[r.Job] = append(w.pending[r.Job], r)
	}
	w.signal()
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

// folder is where the copy of a checkpoint stands.
func (w *Watcher) folder(k Key) string { return filepath.Join(w.root, k.Job, k.Folder()) }

// remove deletes a copy; the folder gets another name first, so that what a crash leaves does not look complete.
func (w *Watcher) remove(k Key) error {
	folder := w.folder(k)
	doomed := folder + ".expired"
	if err := os.Rename(folder, doomed); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete the copy of %s: %w", k, err)
	}
	if err := os.RemoveAll(doomed); err != nil {
		return fmt.Errorf("delete the copy of %s: %w", k, err)
	}
	return nil
}
