// Package garbage removes snapshots of state that no checkpoint refers to any more.
//
// What Flink still has decides: a checkpoint or savepoint counts for as long as its _metadata is there. Kept is
//
//   - everything that their references name: manifests, and the segments that these list;
//   - of each job everything from its oldest checkpoint on that is there: a snapshot that is being made may build on those that
//     were aborted;
//   - what was written for a savepoint, until that one is known and gone: savepoints can be anywhere, and are made while nobody
//     looks;
//   - everything of jobs that are not known, of which there may be checkpoints, with the segments that their manifests list: they
//     may be of a job that is known, from which this one went on;
//   - everything of jobs that have ended a short while ago.
//
// The rest must have been garbage in every look for a while (Config.Grace) before it goes. Nothing at all goes while something
// cannot be known: Flink or its store does not answer, a checkpoint cannot be read, a running job has not completed a checkpoint
// since it was restored, or somebody else's job writes to the same place.
package garbage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// Config says what is garbage, and when.
type Config struct {
	Prefix   string        // of the snapshot store's keys, as the sessions have it
	Interval time.Duration // from one look to the next
	Grace    time.Duration // how long something must have been garbage
	After    time.Duration // how long a job must have ended before what is left of it counts as garbage
}

// Store is the snapshot store.
type Store interface {
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
	List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error]
	Delete(ctx context.Context, key string) error
}

// Job is what is known of a job of Flink.
type Job struct {
	ID string
	// Ended is when it ended, zero while it runs.
	Ended time.Time
	// Unsettled: it was restored, and has not completed a checkpoint since: it goes on from state that its own checkpoints do not
	// name yet.
	Unsettled bool
	// Retained are its checkpoints and savepoints that are there.
	Retained []Checkpoint
	// Gone are its savepoints that are known and not there any more. Those that nobody knows of are not among them.
	Gone []Gone
}

// Checkpoint is one that Flink still has.
type Checkpoint struct {
	ID         uint64
	Savepoint  bool
	References []segment.Reference
}

// Gone is a savepoint that is not there any more. A job that goes on from an older checkpoint counts on from there, so its number
// may come twice: what was written for it lies between its beginning and when it was known.
type Gone struct {
	ID           uint64
	Begun, Known time.Time
}

// clocks of a store, of Flink and of a sidecar are no further apart.
const clocks = time.Hour

// was says whether a manifest of that number is of this savepoint.
func (g Gone) was(checkpoint uint64, written time.Time) bool {
	return g.ID == checkpoint && written.After(g.Begun.Add(-clocks)) && written.Before(g.Known.Add(clocks))
}

// Flink tells of all jobs whose checkpoints are followed.
type Flink interface {
	Jobs(ctx context.Context) ([]Job, error)
}

// Report is what a look came to.
type Report struct {
	Kept    int               `json:"kept"`
	Waiting int               `json:"waiting"` // garbage, but not for long enough
	Garbage []snapshot.Object `json:"garbage"` // that was removed
	Bytes   int64             `json:"bytes"`
}

// Collector looks for garbage. It is used by one goroutine.
type Collector struct {
	config Config
	store  Store
	flink  Flink
	log    *slog.Logger
	now    func() time.Time
	seen   map[string]time.Time // candidates, and since when
	listed map[string]listed    // what manifests say that had to be read, which never changes
}

// listed is what counts of a manifest.
type listed struct {
	savepoint  bool
	checkpoint uint64
	segments   []string
}

// New returns a collector.
func New(c Config, store Store, flink Flink, log *slog.Logger) *Collector {
	return &Collector{config: c, store: store, flink: flink, log: log, now: time.Now, seen: map[string]time.Time{}}
}

// Once looks, and removes what has been garbage for long enough. An error says why nothing was removed, or not all.
func (c *Collector) Once(ctx context.Context) (Report, error) {
	jobs, err := c.flink.Jobs(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("what Flink has is not known: %w", err)
	}
	rules, err := c.rules(ctx, jobs)
	if err != nil {
		return Report{}, err
	}
	report, err := c.look(ctx, rules)
	if err != nil {
		return report, err
	}
	for i, o := range report.Garbage {
		if err := c.store.Delete(ctx, o.Key); err != nil {
			report.Garbage = report.Garbage[:i]
			return report, fmt.Errorf("remove %s: %w", o.Key, err)
		}
		delete(c.seen, o.Key)
		report.Bytes += o.Size
	}
	return report, nil
}

// rule is what is kept of a job.
type rule struct {
	from uint64 // everything of this checkpoint and later ones
	all  bool
	gone []Gone
}

type rules struct {
	jobs map[string]rule
	keep map[string]bool // keys
}

func (c *Collector) rules(ctx context.Context, jobs []Job) (*rules, error) {
	r := &rules{jobs: map[string]rule{}, keep: map[string]bool{}}
	for _, job := range jobs {
		if job.Unsettled {
			return nil, fmt.Errorf("job %s has completed no checkpoint since it was restored", job.ID)
		}
		kept := rule{from: ^uint64(0), all: true, gone: job.Gone}
		for _, checkpoint := range job.Retained {
			if !checkpoint.Savepoint { // nobody goes on from one but with a checkpoint that names what it has
				kept.from, kept.all = min(kept.from, checkpoint.ID), false
			}
			for _, ref := range checkpoint.References {
				if err := c.keep(ctx, ref, r.keep); err != nil {
					return nil, fmt.Errorf("checkpoint %d of job %s: %w", checkpoint.ID, job.ID, err)
				}
			}
		}
		if !job.Ended.IsZero() && c.now().Sub(job.Ended) > c.config.After {
			kept.from, kept.all = ^uint64(0), false // only what is referred to
		}
		r.jobs[job.ID] = kept
	}
	return r, nil
}

func (c *Collector) keep(ctx context.Context, ref segment.Reference, keys map[string]bool) error {
	if keys[ref.Key] {
		return nil
	}
	m, err := segment.GetManifest(ctx, c.store, ref)
	if err != nil {
		return err
	}
	keys[ref.Key] = true
	for _, s := range m.Segments {
		keys[s.Key] = true
	}
	return nil
}

// look lists everything, and sorts it.
func (c *Collector) look(ctx context.Context, r *rules) (report Report, err error) {
	now := c.now()
	seen := map[string]time.Time{}
	candidates := []snapshot.Object{}
	known := map[string]listed{}
	for o, err := range c.store.List(ctx, c.config.Prefix+"state/") {
		if err != nil {
			return Report{}, fmt.Errorf("list snapshots: %w", err)
		}
		job, epoch, ok := parseKey(strings.TrimPrefix(o.Key, c.config.Prefix))
		kept, follows := r.jobs[job]
		if ok && !follows && now.Sub(o.Modified) < c.config.After {
			return Report{}, fmt.Errorf("%s is of a job that is not followed, and younger than state.gc.after: is another cluster's job there? give each cluster a state.store of its own; or did this sidecar lose watch.dir, and Flink the job? then wait", o.Key)
		}
		stays := !ok || !follows || kept.all || epoch >= kept.from
		if ok && strings.HasSuffix(o.Key, manifestSuffix) && !(stays && follows) && !r.keep[o.Key] {
			m, err := c.read(ctx, o)
			if err != nil {
				return Report{}, err
			}
			known[o.Key] = m
			if stays = stays || m.savepoint && !c.gone(kept.gone, &m, o, seen); stays {
				r.keep[o.Key] = true
				for _, key := range m.segments {
					r.keep[key] = true
				}
			}
		}
		if stays {
			report.Kept++
			continue
		}
		candidates = append(candidates, o)
	}
	for _, o := range candidates { // now that all that is kept is known
		if r.keep[o.Key] {
			report.Kept++
			continue
		}
		since, again := c.seen[o.Key]
		if !again {
			since = now
		}
		seen[o.Key] = since
		if now.Sub(since) < c.config.Grace {
			report.Waiting++
			continue
		}
		report.Garbage = append(report.Garbage, o)
	}
	c.seen, c.listed = seen, known
	return report, nil
}

// gone says whether a savepoint has been gone for long enough: for as long as a job must have ended, since a folder may be away for a
// while. seen is when that began.
func (c *Collector) gone(all []Gone, m *listed, o snapshot.Object, seen map[string]time.Time) bool {
	for _, g := range all {
		if !g.was(m.checkpoint, o.Modified) {
			continue
		}
		since, again := c.seen[o.Key]
		if !again {
			since = c.now()
		}
		seen[o.Key] = since
		return c.now().Sub(since) >= c.config.After
	}
	return false
}

// read reads a manifest of which nobody has a reference. One that cannot be read may be anything's.
func (c *Collector) read(ctx context.Context, o snapshot.Object) (listed, error) {
	if known, ok := c.listed[o.Key]; ok {
		return known, nil
	}
	m, err := segment.FindManifest(ctx, c.store, o)
	if err != nil {
		return listed{}, fmt.Errorf("of a checkpoint that is not there: %w; if it is not of drey, move it away", err)
	}
	l := listed{savepoint: m.Savepoint, checkpoint: m.Checkpoint, segments: make([]string, len(m.Segments))}
	for i, s := range m.Segments {
		l.segments[i] = s.Key
	}
	return l, nil
}

const manifestSuffix = ".manifest"

// parseKey reads the key of an object that a session wrote: state/JOB/OPERATOR/SESSION/EPOCH-ID.segment or .manifest.
func parseKey(key string) (job string, epoch uint64, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 || parts[0] != "state" || !strings.HasSuffix(key, ".segment") && !strings.HasSuffix(key, manifestSuffix) {
		return "", 0, false
	}
	digits, _, found := strings.Cut(parts[4], "-")
	epoch, err := strconv.ParseUint(digits, 10, 64)
	return parts[1], epoch, found && err == nil
}

// Observe is told of each look.
type Observe func(report Report, err error)

// ErrNotHere: it is for another sidecar to look.
var ErrNotHere = errors.New("another sidecar collects snapshots of state")

// Run looks again and again until ctx ends; each look is done by lead, which answers ErrNotHere if it is not this sidecar's turn.
func (c *Collector) Run(ctx context.Context, lead func(ctx context.Context, work func(context.Context) error) error, observe Observe) {
	ticker := time.NewTicker(c.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var report Report
		err := lead(ctx, func(ctx context.Context) (err error) {
			report, err = c.Once(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrNotHere) {
			clear(c.seen) // what was garbage once need not have been since
			continue
		}
		if err != nil {
			c.log.Info("snapshots of state are not collected now", "why", err)
		}
		if len(report.Garbage) > 0 {
			c.log.Info("snapshots of state that no checkpoint refers to were removed", "objects", len(report.Garbage), "bytes", report.Bytes, "kept", report.Kept)
		}
		observe(report, err)
	}
}
