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

// The bounds of what happens when something does not work.
const (
	// fellBehind is from how many uncopied checkpoints of a job on only the newest is copied: when the store was away for an
	// hour, the others are of no use to anybody, and most are subsumed.
	fellBehind = 10
	// maxPending is how many uncopied checkpoints of a job are remembered.
	maxPending = 100
	firstRetry = time.Second
	lastRetry  = time.Minute
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
		if _, busy := w.busy[job]; busy || len(records) == 0 {
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
		w.busy[job] = r.Key
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

// works notes that copies of the job succeed, and says so if they did not before.
func (w *Watcher) works(job string) {
	w.mu.Lock()
	failed := w.failing[job]
	delete(w.failing, job)
	w.mu.Unlock()
	if failed {
		w.log.Info("checkpoints can be copied again", "job", job)
	}
}

// copied notes a copy that is there. The newest complete one is how far the job is safe.
func (w *Watcher) copied(r Record) {
	if r.Savepoint || !r.Restorable() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Seq >= w.newest[r.Job].Seq {
		w.newest[r.Job] = r
	}
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
		return w.finish(r, c, began)
	case errors.Is(err, ErrGone):
		r.State, r.Error = Gone, ""
		w.log.Info("flink deleted the checkpoint before it was copied", "job", r.Job, "checkpoint", r.ID)
		if err := w.ledger.Finish(r, EventGone, err.Error()); err != nil {
			return err
		}
		w.crash("gone")
		w.done(r.Key)
		w.observe.CheckpointFinished(Gone, false, 0, 0)
		w.discard(r.Key)
		return nil
	case ctx.Err() != nil:
		return nil // the next start goes on
	}
	r.Attempts++
	r.State, r.Error = Failed, err.Error()
	w.observe.CheckpointFinished(Failed, false, 0, 0)
	if w.postpone(r) {
		return w.ledger.Store(r) // one event and one line for an outage, however long it lasts
	}
	w.log.Warn("checkpoint cannot be copied; the watcher goes on trying", "job", r.Job, "checkpoint", r.ID, "error", err)
	return w.ledger.Finish(r, EventFailed, err.Error())
}

// finish notes a good copy, and makes room for the next.
func (w *Watcher) finish(r Record, c Copy, began time.Time) error {
	r.State, r.Error = Copied, ""
	r.Operators, r.Files, r.Bytes, r.Missing, r.CopiedAt = c.Operators, c.Files, c.Bytes, c.Missing, w.ledger.now()
	if err := w.ledger.Finish(r, EventCopied, missing(c.Missing)); err != nil {
		return err
	}
	w.crash("finished")
	w.done(r.Key)
	w.works(r.Job)
	w.copied(r)
	// A clock that was set back in between must not make it negative.
	w.observe.CheckpointFinished(Copied, len(c.Missing) == 0, c.Bytes, max(0, r.CopiedAt.Sub(r.SeenAt)))
	w.log.Debug("checkpoint copied", "job", r.Job, "checkpoint", r.ID, "bytes", c.Bytes, "files", c.Files,
		"missing", len(c.Missing), "took", time.Since(began).String())
	if len(c.Missing) > 0 {
		w.log.Warn("flink calls a checkpoint completed that cannot be restored: objects are missing", "job", r.Job, "checkpoint", r.ID,
			"missing", len(c.Missing), "first", c.Missing[0])
	}
	return errors.Join(w.dropOlder(r), w.expire(r))
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

// dropOlder drops what is pending and older than what was just copied: the job is recovered beyond it. Within a run the number
// says what is older, between runs the order in which they were seen.
func (w *Watcher) dropOlder(newest Record) error {
	if newest.Savepoint {
		return nil
	}
	w.mu.Lock()
	older := slices.DeleteFunc(slices.Clone(w.pending[newest.Job]), func(r Record) bool {
		if r.Run == newest.Run {
			return r.Savepoint || r.ID >= newest.ID
		}
		return r.Savepoint || r.Seq >= newest.Seq
	})
	w.mu.Unlock()
	return w.drop(older, fmt.Sprintf("checkpoint %d is recovered already", newest.ID))
}

// drop gives up checkpoints that were not copied.
func (w *Watcher) drop(records []Record, why string) error {
	if len(records) == 0 {
		return nil
	}
	if err := w.ledger.Drop(records, why); err != nil {
		return err
	}
	w.log.Info("dropped", "job", records[0].Job, "checkpoints", len(records), "why", why)
	for _, r := range records {
		w.done(r.Key)
		w.observe.CheckpointFinished(Dropped, false, 0, 0)
		w.discard(r.Key)
	}
	return nil
}
