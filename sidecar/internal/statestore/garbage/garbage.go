// Package garbage removes snapshots of state that no checkpoint refers to any more.
//
// What Flink still has decides: a checkpoint or savepoint counts for as long as its _metadata is there. Kept is
//
//   - everything that their references name: manifests, and the segments that these list;
//   - of each job everything from its oldest checkpoint on that is there: a snapshot that is being made may build on those that
//     were aborted;
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
}

// Checkpoint is one that Flink still has.
type Checkpoint struct {
	ID         uint64
	References []segment.Reference
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
	listed map[string][]string  // the segments in the manifests of jobs that are not known, which never change
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
		kept := rule{all: len(job.Retained) == 0}
		for i, checkpoint := range job.Retained {
			if i == 0 || checkpoint.ID < kept.from {
				kept.from = checkpoint.ID
			}
			for _, ref := range checkpoint.References {
				if err := c.keep(ctx, ref, r.keep); err != nil {
					return nil, fmt.Errorf("checkpoint %d of job %s: %w", checkpoint.ID, job.ID, err)
				}
			}
		}
		if !job.Ended.IsZero() && c.now().Sub(job.Ended) > c.config.After {
			kept = rule{from: ^uint64(0)} // only what is referred to
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
	now, before := c.now(), c.seen
	seen := map[string]time.Time{}
	candidates := []snapshot.Object{}
	listed := map[string][]string{}
	for o, err := range c.store.List(ctx, c.config.Prefix+"state/") {
		if err != nil {
			return Report{}, fmt.Errorf("list snapshots: %w", err)
		}
		job, epoch, ok := parseKey(strings.TrimPrefix(o.Key, c.config.Prefix))
		kept, known := r.jobs[job]
		if ok && !known && now.Sub(o.Modified) < c.config.After {
			return Report{}, fmt.Errorf("%s is of a job that is not followed, and younger than state.gc.after: is another cluster's job there? give each cluster a state.store of its own; or did this sidecar lose watch.dir, and Flink the job? then wait", o.Key)
		}
		if ok && !known && strings.HasSuffix(o.Key, manifestSuffix) {
			if listed[o.Key], err = c.segments(ctx, o); err != nil {
				return Report{}, fmt.Errorf("of a job that is not followed: %w", err)
			}
			for _, key := range listed[o.Key] {
				r.keep[key] = true
			}
		}
		if !ok || !known || kept.all || epoch >= kept.from {
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
		since, again := before[o.Key]
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
	c.seen, c.listed = seen, listed
	return report, nil
}

// segments are those that a manifest lists.
func (c *Collector) segments(ctx context.Context, o snapshot.Object) ([]string, error) {
	if keys, ok := c.listed[o.Key]; ok {
		return keys, nil
	}
	m, err := segment.FindManifest(ctx, c.store, o)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(m.Segments))
	for i, s := range m.Segments {
		keys[i] = s.Key
	}
	return keys, nil
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

// Run looks again and again until ctx ends; each look is done by exclusive, which waits for its turn among several sidecars.
func (c *Collector) Run(ctx context.Context, exclusive func(ctx context.Context, work func(context.Context) error) error, observe Observe) {
	ticker := time.NewTicker(c.config.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var report Report
		err := exclusive(ctx, func(ctx context.Context) (err error) {
			report, err = c.Once(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
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
