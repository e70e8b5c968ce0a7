// Package watch puts the watcher of checkpoints together: Flink's REST API, the stores that checkpoints lie in, the copier, the
// ledger, and the lease by which one of several sidecars copies. It is what the API answers from.
package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Watch is a watcher. Run does the work; the other methods answer at any time, also before and after it.
type Watch struct {
	config    Config
	log       *slog.Logger
	flink     *flinkrest.Client
	places    *locate.Locator
	ledger    *checkpoint.Ledger
	watcher   *checkpoint.Watcher
	lease     *held // nil: this sidecar is the only one
	exclusive *held // for Exclusive
	token     token

	mu    sync.Mutex
	err   error           // why the watcher had to begin again, until it has run for a while
	leads context.Context // while this sidecar watches, nil otherwise: it ends with that
	since time.Time       // when that began
}

// New opens the ledger and makes everything ready. Nothing is sent: neither Flink nor a store need be there. The configuration
// is valid and on.
func New(ctx context.Context, c Config, dataDir string, observe checkpoint.Observer, log *slog.Logger) (_ *Watch, err error) {
	w := &Watch{config: c, log: log, token: token(c.NotifyTokenFile)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if c.NotifyTokenFile != "" {
		if _, err := w.token.read(); err != nil {
			return nil, err
		}
	}
	settings, err := c.FlinkTLS.config()
	if err != nil {
		return nil, err
	}
	w.flink = flinkrest.NewTLS(settings, c.Flink...)
	if w.places, err = locate.New(c.places()); err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	folder := c.Folder(dataDir)
	if folder == "" {
		return nil, errors.New("watch.dir: is empty, and so is data_dir: give a folder for the copies with --watch-dir")
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, fmt.Errorf("watch.dir: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("watch.dir %s: %w; give a folder that this user may write to with --watch-dir", folder, unwrapped(err))
	}
	if w.ledger, err = checkpoint.OpenLedger(filepath.Join(folder, "ledger.db"), ledgerWait, time.Now); err != nil {
		return nil, err
	}
	copies := contents.NewCopier(w.places, c.Operators, c.Requests)
	w.watcher = checkpoint.New(c.checkpoints(), w.flink, copier{copies}, w.ledger, filepath.Join(folder, "copies"), log)
	w.watcher.ObserveBy(observe)
	if c.Lease.Object != "" {
		if w.lease, err = newLease(ctx, c.Lease, c.S3, log); err != nil {
			return nil, err
		}
		other := c.Lease
		other.Object += ".replays"
		if w.exclusive, err = newLease(ctx, other, c.S3, log); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// ledgerWait is how long a process that is just ending may hold the ledger.
const ledgerWait = 2 * time.Second

// copier is the one of package contents, which leaves what it has begun to package pull.
type copier struct{ *contents.Copier }

func (copier) Discard(folder string) error { return pull.Discard(folder) }

func unwrapped(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Run watches until ctx ends. With a lease it does so while it holds it. That the ledger or the folder cannot be written to ends
// nothing: it is logged, and tried again.
func (w *Watch) Run(ctx context.Context) {
	w.log.Info("watching checkpoints", "flink", w.config.Flink, "interval", w.config.Interval.String())
	if w.lease == nil {
		w.lead(ctx)
		return
	}
	for ctx.Err() == nil {
		err := w.lease.run(ctx, func(ctx context.Context) error {
			w.lead(ctx)
			return ctx.Err()
		})
		if err == nil || ctx.Err() != nil {
			continue
		}
		w.log.Warn("the lease of the watcher cannot be asked for; trying again", "error", err)
		pause(ctx, lastPause)
	}
}

// lead watches while this sidecar is the one that does.
func (w *Watch) lead(ctx context.Context) {
	leads := func(ctx context.Context) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.leads, w.since = ctx, time.Now()
	}
	leads(ctx)
	defer leads(nil) //nolint:staticcheck // nobody does then
	w.persist(ctx)
}

// ErrNotLeading: another sidecar watches, or nobody does.
var ErrNotLeading = errors.New("this sidecar does not watch now")

// Leading runs work that needs what the watcher knows, if it is this sidecar that watches; the context of work ends when it no longer is.
func (w *Watch) Leading(ctx context.Context, work func(context.Context) error) error {
	w.mu.Lock()
	leads := w.leads
	w.mu.Unlock()
	if leads == nil || leads.Err() != nil {
		return ErrNotLeading
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(leads, func() { cancel(ErrNotLeading) })()
	return work(ctx)
}

const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// persist runs the watcher until ctx ends.
func (w *Watch) persist(ctx context.Context) {
	wait := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		well := time.AfterFunc(lastPause, func() { w.note(nil) })
		err := w.watcher.Run(ctx)
		well.Stop()
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastPause {
			wait = firstPause
		}
		w.note(err)
		w.log.Error("the watcher cannot keep its ledger or its copies; trying again", "error", advised(err), "in", wait.String())
		pause(ctx, wait)
		wait = min(2*wait, lastPause)
	}
}

func advised(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w; free some space, or keep fewer copies (watch.retain)", err)
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (w *Watch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// Once polls and copies once: see checkpoint.Watcher.Once. It takes no lease, since whoever calls it wants it now.
func (w *Watch) Once(ctx context.Context) ([]checkpoint.Record, error) { return w.watcher.Once(ctx) }

// Close frees everything. Run has returned.
func (w *Watch) Close() error {
	var errs []error
	if w.lease != nil {
		errs = append(errs, w.lease.close())
	}
	if w.exclusive != nil {
		errs = append(errs, w.exclusive.close())
	}
	if w.ledger != nil {
		errs = append(errs, w.ledger.Close())
	}
	if w.places != nil {
		errs = append(errs, w.places.Close())
	}
	if w.flink != nil {
		w.flink.Close()
	}
	return errors.Join(errs...)
}

// Checkpoints returns what is known of the checkpoints of a job, by its id or name, or of all jobs if it is empty: the newest
// first, at most limit if it is not 0.
func (w *Watch) Checkpoints(job string, limit int) ([]checkpoint.Record, error) {
	if job == "" {
		return w.ledger.List("", limit)
	}
	if id, err := checkpoint.NormalizeJob(job); err == nil {
		return w.ledger.List(id, limit)
	}
	runs, err := w.ledger.Runs()
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for id, run := range runs {
		named[id] = run.Name == job
	}
	all, err := w.ledger.List("", 0)
	if err != nil {
		return nil, err
	}
	of := []checkpoint.Record{}
	for _, r := range all {
		if named[r.Job] && (limit == 0 || len(of) < limit) {
			of = append(of, r)
		}
	}
	return of, nil
}

// Checkpoint returns the newest checkpoint of a job with a number.
func (w *Watch) Checkpoint(job string, id int64) (checkpoint.Record, error) {
	job, err := checkpoint.NormalizeJob(job)
	if err != nil {
		return checkpoint.Record{}, problem.New(problem.InvalidRequest, "%v", err)
	}
	record, found, err := w.ledger.Find(job, id)
	if err == nil && !found {
		err = problem.New(problem.NotFound, "no checkpoint %d of job %s is known; GET /v1/checkpoints lists those that are", id, job)
	}
	return record, err
}

// Folder is where the copy of a checkpoint stands, "" if there is none.
func (w *Watch) Folder(r checkpoint.Record) string {
	if r.State != checkpoint.Copied {
		return ""
	}
	return w.watcher.Folder(r.Key)
}

// Jobs returns the jobs that are known, the latest started first.
func (w *Watch) Jobs() ([]checkpoint.Job, error) { return w.watcher.Jobs() }

// Events returns up to limit events after a sequence number, oldest first.
func (w *Watch) Events(after uint64, limit int) ([]checkpoint.Event, error) {
	return w.ledger.Events(after, limit)
}

// Note appends an event of something else, for the same readers. Its number and time are given to it.
func (w *Watch) Note(e checkpoint.Event) error { return w.watcher.Note(e) }

// EventSpan returns the numbers of the oldest and the newest event that there are.
func (w *Watch) EventSpan() (oldest, newest uint64, err error) { return w.ledger.Span() }

// Changed returns a channel that is closed when there may be new events.
func (w *Watch) Changed() <-chan struct{} { return w.watcher.Changed() }

// Gauges is what metrics show of now: see telemetry.ReadCheckpoints. A sidecar that does not hold the lease has nothing to say of
// the age of copies.
func (w *Watch) Gauges(each func(job, name string, age time.Duration, waiting int)) (leads bool) {
	if w.lease != nil && !w.lease.status().Held {
		return false
	}
	for _, a := range w.watcher.Ages() {
		each(a.Job, a.Name, max(0, time.Since(a.Since)), a.Pending)
	}
	return true
}

// Authorize refuses a caller of the webhook that does not know the token, with a *problem.Error.
func (w *Watch) Authorize(given string) error { return w.token.authorize(given) }

// Notify takes a webhook's word that a checkpoint has completed, and answers with what is known of it.
func (w *Watch) Notify(ctx context.Context, job string, id int64, path string) (checkpoint.Record, error) {
	job, err := checkpoint.NormalizeJob(job)
	if err != nil {
		return checkpoint.Record{}, problem.New(problem.InvalidRequest, "job: %v", err)
	}
	path = strings.TrimSuffix(strings.TrimSuffix(path, "/"), "/"+contents.MetadataName)
	if err := w.checkPath(ctx, id, path); err != nil {
		return checkpoint.Record{}, problem.New(problem.InvalidRequest, "path: %v", err)
	}
	run, known, err := w.ledger.Run(job)
	if err != nil {
		return checkpoint.Record{}, err
	}
	if !known || !w.watcher.Follows(job, run.Name) {
		return checkpoint.Record{}, problem.New(problem.NotFound,
			"the watcher does not follow job %s; GET /v1/jobs lists those that it does, and a new one is seen at the next poll", job)
	}
	return w.watcher.Notify(job, id, path)
}

// checkPath refuses now what would be refused at each attempt to copy it.
func (w *Watch) checkPath(ctx context.Context, id int64, path string) error {
	at, err := metadata.ParseLocation(path)
	if err != nil {
		return err
	}
	base := at.Path[strings.LastIndexByte(at.Path, '/')+1:]
	if number, numbered := strings.CutPrefix(base, "chk-"); numbered && number != fmt.Sprint(id) {
		return fmt.Errorf("%s is not checkpoint %d", base, id)
	}
	file, err := at.Resolve(contents.MetadataName)
	if err != nil {
		return err
	}
	_, err = w.places.Within(at).Object(ctx, file)
	if errors.Is(err, locate.ErrRefused) {
		return err
	}
	return nil // whatever else it is may pass
}

// Status is how the watcher is doing, for /v1/status.
type Status struct {
	checkpoint.Status
	Ledger string        `json:"ledger_error,omitempty"` // why nothing can be noted
	Lease  *lease.Status `json:"lease,omitempty"`
}

// Status returns how the watcher is doing.
func (w *Watch) Status() Status {
	s := Status{Status: w.watcher.Status()}
	w.mu.Lock()
	if w.err != nil {
		s.Ledger = w.err.Error()
	}
	w.mu.Unlock()
	if w.lease != nil {
		l := w.lease.status()
		s.Lease = &l
	}
	return s
}

// Contents opens a checkpoint by its path, as Flink writes it: by the rules by which checkpoints are read for copies.
func (w *Watch) Contents(ctx context.Context, path string) (*contents.Checkpoint, error) {
	at, err := metadata.ParseLocation(path)
	if err != nil {
		return nil, err
	}
	return contents.Open(ctx, w.places, at)
}

// Flink is the client by which jobs are watched.
func (w *Watch) Flink() *flinkrest.Client { return w.flink }

// Exclusive runs work while this sidecar is the one that may do what only one of many does: beside the watcher's lease there is one for that.
// Without a lease it is always this one.
func (w *Watch) Exclusive(ctx context.Context, work func(context.Context) error) error {
	if w.exclusive == nil {
		return work(ctx)
	}
	return w.exclusive.run(ctx, work)
}

// ExclusiveHolder is who does what Exclusive is for, as far as that is known.
func (w *Watch) ExclusiveHolder() string {
	if w.exclusive == nil {
		return ""
	}
	return w.exclusive.status().Owner
}

// Owner is what this sidecar is called in leases, "" without one.
func (w *Watch) Owner() string {
	if w.exclusive == nil {
		return ""
	}
	return w.exclusive.owner
}
