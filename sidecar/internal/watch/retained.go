package watch

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Standing is how a job stands, and what of its checkpoints Flink still has.
type Standing struct {
	Job   string
	Ended time.Time // zero while it runs
	// Unsettled: it was restored, and has not completed a checkpoint since.
	Unsettled bool
	// Retained are the checkpoints and savepoints whose _metadata is there.
	Retained []Retained
	// Gone are the savepoints that are known, and whose _metadata is not where they were; or which failed.
	Gone []checkpoint.Record
}

// Retained is a checkpoint that is there, opened.
type Retained struct {
	*contents.Checkpoint
	Savepoint bool
}

// Standing tells of all jobs that are followed. Flink's history forgets checkpoints that are still there, so folders of checkpoints are
// listed; savepoints can be anywhere, and are known from the ledger. Whatever cannot be found out is an error.
func (w *Watch) Standing(ctx context.Context) (all []Standing, err error) {
	if s := w.watcher.Status(); s.Error != "" {
		return nil, fmt.Errorf("flink: %s", s.Error)
	}
	w.mu.Lock()
	since := w.since
	w.mu.Unlock()
	jobs, err := w.Jobs()
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		job := &jobs[i]
		s := Standing{Job: job.Job}
		if job.Ended > 0 {
			s.Ended = time.UnixMilli(job.Ended)
		} else if job.Error != "" {
			return nil, fmt.Errorf("job %s: %s", job.Job, job.Error)
		} else if job.Polled.Before(since) { // what is known of it is of an earlier time
			return nil, fmt.Errorf("job %s has not been asked for its checkpoints since this sidecar watches", job.Job)
		}
		records, err := w.Checkpoints(job.Job, 0)
		if err != nil {
			return nil, err
		}
		newest := int64(-1)
		for _, r := range records {
			if !r.Savepoint {
				newest = max(newest, r.ID)
			}
		}
		s.Unsettled = job.Ended == 0 && job.Restored >= 0 && newest <= job.Restored
		paths, err := w.metadataOf(ctx, records)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", job.Job, err)
		}
		for _, at := range paths {
			c, err := w.there(ctx, at)
			if err != nil {
				return nil, fmt.Errorf("job %s: %w", job.Job, err)
			}
			if c != nil {
				s.Retained = append(s.Retained, Retained{Checkpoint: c})
			}
		}
		for _, r := range records {
			if !r.Savepoint {
				continue
			}
			var c *contents.Checkpoint
			if r.Path != "" {
				if c, err = w.there(ctx, r.Path); err != nil {
					return nil, fmt.Errorf("job %s: %w", job.Job, err)
				}
			}
			if c == nil {
				s.Gone = append(s.Gone, r)
				continue
			}
			s.Retained = append(s.Retained, Retained{Checkpoint: c, Savepoint: true})
		}
		all = append(all, s)
	}
	return all, nil
}

// there opens a checkpoint, and answers nil if its _metadata is not there.
func (w *Watch) there(ctx context.Context, at string) (*contents.Checkpoint, error) {
	c, err := w.Contents(ctx, at)
	if errors.Is(err, snapshot.ErrNotFound) {
		return nil, nil //nolint:nilnil // that is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return c, nil
}

// metadataOf lists the _metadata files of checkpoints that may be there: all in the folders in which checkpoints of the job were.
func (w *Watch) metadataOf(ctx context.Context, records []checkpoint.Record) (paths []string, err error) {
	folders := map[string]bool{}
	for _, r := range records {
		if r.Path == "" || r.Savepoint {
			continue
		}
		at, err := metadata.ParseLocation(r.Path)
		if err != nil {
			return nil, err
		}
		at.Path = strings.TrimSuffix(at.Path, "/")
		files := w.places.Within(at) // what may be read around a checkpoint may be listed
		at.Path = path.Dir(at.Path)
		if folders[at.String()] {
			continue
		}
		folders[at.String()] = true
		for found, err := range files.List(ctx, at) {
			if err != nil {
				return nil, err
			}
			if name := path.Base(path.Dir(found.Path)); path.Base(found.Path) == "_metadata" && strings.HasPrefix(name, "chk-") {
				paths = append(paths, found.String())
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}
