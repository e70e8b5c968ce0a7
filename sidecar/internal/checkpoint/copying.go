package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// copyAll copies what is pending: jobs side by side, the checkpoints of one job one after the other.
func (w *Watcher) copyAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, w.config.Parallel))
	for ctx.Err() == nil {
		r, wait, ok := w.next()
		if ok {
			group.Go(func() error {
				defer w.release(r.Job)
				return w.copyOne(ctx, r)
			})
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return group.Wait()
}

// idle is how long the copying sleeps when nothing is pending; it is woken before.
const idle = time.Hour

// next takes a checkpoint to copy, or says how long until one is due.
func (w *Watcher) next() (r Record, wait time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait = idle
	for job, records := range w.pending {
		if w.busy[job] || len(records) == 0 {
			continue
		}
		r := records[0]
		if len(records) >= fellBehind {
			r = records[len(records)-1]
		}
		if due := time.Until(w.retry[r.Key]); due > 0 {
			wait = min(wait, due)
			continue
		}
		w.busy[job] = true
		return r, 0, true
	}
	return Record{}, wait, false
}

func (w *Watcher) release(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, job)
	w.signal()
}

// works notes that copies of the job succeed.
func (w *Watcher) works(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.failing, job)
}

// done takes a checkpoint off the list of what is to be copied.
func (w *Watcher) done(k Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.retry, k)
	w.pending[k.Job] = slices.DeleteFunc(w.pending[k.Job], func(r Record) bool { return r.Key == k })
	if len(w.pending[k.Job]) == 0 {
		delete(w.pending, k.Job)
	}
}

// copyOne copies one checkpoint and notes how that went. The error is one of the ledger, after which nothing can go on.
func (w *Watcher) copyOne(ctx context.Context, r Record) error {
	defer w.announce()
	began := time.Now()
	w.crash("copying")
	c, err := w.copier.Copy(ctx, r.Key, w.folder(r.Key))
	w.crash("copied")
	switch {
	case err == nil:
		r.State, r.Error = Copied, ""
		r.Operators, r.Files, r.Bytes, r.Missing, r.CopiedAt = c.Operators, c.Files, c.Bytes, c.Missing, time.Now()
		if err := w.ledger.Finish(r, EventCopied, missing(c.Missing)); err != nil {
			return err
		}
		w.crash("finished")
		w.done(r.Key)
		w.works(r.Job)
		w.log.Info("checkpoint copied", "job", r.Job, "checkpoint", r.ID, "bytes", c.Bytes, "files", c.Files,
			"missing", len(c.Missing), "took", time.Since(began).Round(time.Millisecond))
		return errors.Join(w.dropOlder(r), w.expire(r))
	case errors.Is(err, ErrGone):
		r.State, r.Error = Gone, ""
		w.done(r.Key)
		w.log.Info("flink deleted the checkpoint before it was copied", "job", r.Job, "checkpoint", r.ID)
		return w.ledger.Finish(r, EventGone, err.Error())
	case ctx.Err() != nil:
		return nil // the next start goes on
	}
	r.Attempts++
	r.State, r.Error = Failed, err.Error()
	if w.postpone(r) {
		return w.ledger.Store(r) // one event and one line for an outage, however long it lasts
	}
	w.log.Warn("checkpoint cannot be copied; the watcher goes on trying", "job", r.Job, "checkpoint", r.ID, "error", err)
	return w.ledger.Finish(r, EventFailed, err.Error())
}

func missing(objects []string) string {
	if len(objects) == 0 {
		return ""
	}
	return fmt.Sprintf("not restorable: %d objects are missing, first %s", len(objects), objects[0])
}

// postpone notes when a failed checkpoint is tried again: after 1 s, doubled up to a minute, with jitter. It says whether the
// copies of the job failed before, with no good one since.
func (w *Watcher) postpone(failed Record) (again bool) {
	wait := min(lastRetry, firstRetry<<min(failed.Attempts-1, 10))
	w.mu.Lock()
	defer w.mu.Unlock()
	again = w.failing[failed.Job]
	w.failing[failed.Job] = true
	w.retry[failed.Key] = time.Now().Add(wait/2 + rand.N(wait/2+1))
	for i, r := range w.pending[failed.Job] {
		if r.Key == failed.Key {
			w.pending[failed.Job][i] = failed
		}
	}
	return again
}

// dropOlder drops what is pending and older than what was just copied: the job is recovered beyond it.
func (w *Watcher) dropOlder(newest Record) error {
	if newest.Savepoint {
		return nil
	}
	w.mu.Lock()
	older := slices.DeleteFunc(slices.Clone(w.pending[newest.Job]), func(r Record) bool { return r.Savepoint || r.ID >= newest.ID })
	w.mu.Unlock()
	for _, r := range older {
		w.done(r.Key)
		r.State = Dropped
		if err := w.ledger.Finish(r, EventDropped, fmt.Sprintf("checkpoint %d is recovered already", newest.ID)); err != nil {
			return err
		}
	}
	return nil
}

// expire deletes the copies of a job beyond the newest ones. The ledger says so first: a crash in between leaves a folder
// that the next start deletes.
func (w *Watcher) expire(like Record) error {
	records, err := w.ledger.List(like.Job, 0)
	if err != nil {
		return err
	}
	kept := 0
	for _, r := range records {
		if r.State != Copied || r.Savepoint != like.Savepoint {
			continue
		}
		if kept++; kept <= max(1, w.config.Retain) {
			continue
		}
		r.State = Expired
		if err := w.ledger.Store(r); err != nil {
			return err
		}
		w.crash("expired")
		if err := w.remove(r.Key); err != nil {
			return err
		}
		w.crash("removed")
	}
	return nil
}
