package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// Once asks Flink for every job and copies the newest checkpoint of each that is not copied yet, and the savepoints. It returns
// what was done; the error says what could not be, and names each checkpoint that is not restorable: for whoever runs this by
// the clock, to have a copy is not enough. It is not called beside Run.
func (w *Watcher) Once(ctx context.Context) ([]Record, error) {
	if err := w.recover(); err != nil {
		return nil, err
	}
	jobs, err := w.list(ctx)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, job := range jobs {
		if err := w.Poll(ctx, job); err != nil && !flinkrest.IsNotFound(err) { // a batch job makes no checkpoints
			failed = append(failed, fmt.Errorf("job %s: %w", job.ID, err))
		}
	}
	var mu sync.Mutex
	var done []Record
	group, copying := errgroup.WithContext(ctx)
	group.SetLimit(max(1, w.config.Parallel))
	for _, records := range w.takeAll() {
		group.Go(func() error {
			for _, r := range records {
				if err := w.copyOne(copying, r); err != nil {
					return err
				}
				now, _, err := w.ledger.Get(r.Key)
				if err != nil {
					return err
				}
				mu.Lock()
				done = append(done, now)
				if err := verdict(now); err != nil {
					failed = append(failed, err)
				}
				mu.Unlock()
				if now.State == Copied && !now.Savepoint {
					break // the older ones were dropped
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return done, err
	}
	slices.SortFunc(done, func(a, b Record) int { return newest(b, a) })
	return done, errors.Join(append(failed, ctx.Err())...)
}

// takeAll returns what is pending: of each job the savepoints, then the checkpoints from the newest on.
func (w *Watcher) takeAll() [][]Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all [][]Record
	for _, pending := range w.pending {
		var savepoints, checkpoints []Record
		for _, r := range slices.Backward(pending) {
			if r.Savepoint {
				savepoints = append(savepoints, r)
			} else {
				checkpoints = append(checkpoints, r)
			}
		}
		all = append(all, append(savepoints, checkpoints...))
	}
	return all
}

func verdict(r Record) error {
	switch {
	case r.State == Failed:
		return fmt.Errorf("%s: %s", r.Key, r.Error)
	case r.State == Copied && len(r.Missing) > 0:
		return fmt.Errorf("%s: %s", r.Key, missing(r.Missing))
	}
	return nil
}
