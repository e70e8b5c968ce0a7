package checkpoint

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// jobAsked is what is known of the polls of one job since this process began.
type jobAsked struct {
	name    string
	started time.Time
	at      time.Time // when Flink last told of its checkpoints
	err     error     // of the last poll
	over    time.Time // when it was first seen to have ended
	done    bool      // it has ended, and everything is known of it
	absent  int       // polls in which Flink did not list it
}

const (
	// afterEnd is how long a job is asked after its end. Once is not enough: Flink's answers are up to 3 s old, or whatever
	// web.refresh-interval is, and of different age: the job may have ended in one and its last checkpoint be missing in the
	// other.
	afterEnd = 10 * time.Second
	// vanishedAfter is how many times Flink may answer without a job before it counts as over. After an election a JobManager
	// answers before it has taken up all jobs.
	vanishedAfter = 3
	// answerTimeout bounds one question, so that one job that Flink is slow to tell of does not hold up the others.
	answerTimeout = 15 * time.Second
)

// poll asks Flink, again and again. Jobs are spread over the interval, so that 200 of them are no burst.
func (w *Watcher) poll(ctx context.Context) error {
	for {
		begin := time.Now()
		jobs, err := w.list(ctx)
		if err == nil {
			pause := w.config.Interval * 9 / 10 / time.Duration(max(1, len(jobs)))
			for i, job := range jobs {
				if !sleepUntil(ctx, begin.Add(time.Duration(i)*pause)) {
					return nil
				}
				if err := w.pollOne(ctx, job); err != nil {
					return err
				}
			}
			if err := w.notListed(jobs); err != nil {
				return err
			}
			if err := w.retire(); err != nil {
				return err
			}
		}
		// A little apart from other watchers of the same cluster, and never later than the interval promises.
		next := begin.Add(w.config.Interval - rand.N(w.config.Interval/10+1))
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

// list asks for the jobs, and answers with those to ask for.
func (w *Watcher) list(ctx context.Context) ([]flinkrest.JobSummary, error) {
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	jobs, err := w.flink.Jobs(asking)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	w.noteFlink(err)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j flinkrest.JobSummary) bool { return !w.Follows(j.ID, j.Name) }), nil
}

// Follows says whether a job is one of those that are configured.
func (w *Watcher) Follows(id, name string) bool {
	return len(w.config.Jobs) == 0 ||
		slices.ContainsFunc(w.config.Jobs, func(wanted string) bool { return wanted == name || strings.EqualFold(wanted, id) })
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
	w.observe.FlinkAsked(err == nil)
	if (err == nil) != (before == nil) {
		w.announce()
	}
	switch {
	case err != nil && before == nil:
		w.log.Warn("flink cannot be asked; the watcher goes on trying", "error", err)
	case err == nil && before != nil:
		w.log.Info("flink answers again")
	}
}

// pollOne asks for one job unless it is over and done. The error is one of the ledger; that Flink does not answer is noted.
func (w *Watcher) pollOne(ctx context.Context, job flinkrest.JobSummary) error {
	id, err := NormalizeJob(job.ID)
	if err != nil {
		w.log.Warn("flink lists a job without a proper id", "error", err)
		return nil
	}
	before, err := w.meet(id, job)
	if err != nil || before.done && job.State.Ended() {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	all, err := w.flink.Checkpoints(asking, id)
	cancel()
	if ctx.Err() != nil {
		return nil
	}
	now := w.answered(id, job, err)
	switch {
	case err == nil:
		if err := w.take(id, job, all); err != nil {
			return err
		}
	case before.err == nil && !flinkrest.IsUnavailable(err) && !flinkrest.IsNotFound(err):
		// Told of once. What is unavailable passes by itself; what is not found makes no checkpoints, or is just going.
		w.log.Warn("flink does not say which checkpoints there are", "job", id, "error", err)
	}
	if now.done {
		defer w.announce()
		return w.ledger.End(id, string(job.State))
	}
	return nil
}

// meet returns what is known of the polls of a job that Flink lists. One that was over when an earlier process asked last is
// over still.
func (w *Watcher) meet(id string, job flinkrest.JobSummary) (jobAsked, error) {
	w.mu.Lock()
	asked, met := w.asked[id]
	w.mu.Unlock()
	started := job.StartTime.Time()
	if !met || !asked.started.Equal(started) {
		asked = jobAsked{name: job.Name, started: started}
		run, known, err := w.ledger.Run(id)
		if err != nil {
			return asked, err
		}
		if known && run.Started == int64(job.StartTime) && run.Ended != 0 && run.State == string(job.State) {
			asked.done = true
		}
	}
	asked.absent = 0
	w.mu.Lock()
	w.asked[id] = asked
	w.mu.Unlock()
	return asked, nil
}

// answered notes a poll.
func (w *Watcher) answered(id string, job flinkrest.JobSummary, err error) jobAsked {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked[id]
	asked.err = err
	if err == nil {
		asked.at = time.Now()
	}
	switch {
	case !job.State.Ended():
		asked.over, asked.done = time.Time{}, false
	case asked.over.IsZero():
		asked.over = time.Now()
	case time.Since(asked.over) >= afterEnd:
		asked.done = err == nil || flinkrest.IsNotFound(err)
	}
	w.asked[id] = asked
	return asked
}

// Poll asks for the checkpoints of one job, once, and takes what is new.
func (w *Watcher) Poll(ctx context.Context, job flinkrest.JobSummary) error {
	id, err := NormalizeJob(job.ID)
	if err != nil {
		return err
	}
	all, err := w.flink.Checkpoints(ctx, id)
	if err != nil {
		return err
	}
	return w.take(id, job, all)
}

// take notes what an answer of Flink shows.
func (w *Watcher) take(id string, job flinkrest.JobSummary, all flinkrest.Checkpoints) error {
	defer w.announce()
	found := completed(all)
	sight := Sight{Completed: all.Counts.Completed, Run: Run{
		Job: id, Name: job.Name, Started: int64(job.StartTime), Restored: -1, Restores: all.Counts.Restored, State: string(job.State),
	}}
	if r := all.Latest.Restored; r != nil {
		sight.Restored, sight.At = r.ID, int64(r.Time)
	}
	for _, c := range found {
		sight.IDs = append(sight.IDs, c.ID)
	}
	before, known, err := w.ledger.Run(id)
	if err != nil {
		return err
	}
	now, missed, err := w.ledger.Observe(sight)
	if err != nil {
		return err
	}
	if missed > 0 {
		w.log.Warn("flink forgot checkpoints before they were seen; poll more often or raise web.checkpoints.history", "job", id, "missed", missed)
		w.observe.CheckpointsMissed(missed)
	}
	if known && now.Restored >= 0 && now.At != before.At {
		w.log.Info("flink restored the job", "job", id, "from", now.Restored)
		w.observe.JobRestored()
	}
	for _, c := range found {
		if c.Discarded || c.ExternalPath == "" {
			continue
		}
		r := Record{
			Key:       Key{Job: id, ID: c.ID, Path: c.ExternalPath, Triggered: int64(c.Triggered)},
			Savepoint: c.IsSavepoint, StateSize: int64(c.StateSize),
		}
		if r.Savepoint && !w.config.Savepoints {
			r.State = Noted // whoever counts what Flink retains has to know of it
		}
		if _, err := w.see(r); err != nil {
			return err
		}
	}
	return w.takeFailed(id, all)
}

// takeFailed notes the savepoints that failed: what Go functions have written for one is kept for as long as nobody knows what became
// of it.
func (w *Watcher) takeFailed(id string, all flinkrest.Checkpoints) error {
	for _, c := range all.History {
		if c.Status != "FAILED" || !c.IsSavepoint {
			continue
		}
		r := Record{Key: Key{Job: id, ID: c.ID, Triggered: int64(c.Triggered)}, Savepoint: true, State: Gone, Error: "the savepoint failed"}
		if _, err := w.see(r); err != nil {
			return err
		}
	}
	return nil
}

// completed are the checkpoints and savepoints of an answer that are complete, each once, oldest first.
func completed(all flinkrest.Checkpoints) []flinkrest.Checkpoint {
	found := slices.Clone(all.History)
	for _, latest := range []*flinkrest.Checkpoint{all.Latest.Completed, all.Latest.Savepoint} {
		if latest != nil { // also when newer failed ones have pushed it out of the history
			found = append(found, *latest)
		}
	}
	found = slices.DeleteFunc(found, func(c flinkrest.Checkpoint) bool { return c.Status != "COMPLETED" })
	slices.SortStableFunc(found, func(a, b flinkrest.Checkpoint) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(found, func(a, b flinkrest.Checkpoint) bool { return a.ID == b.ID })
}

// notListed ends the jobs that Flink has not listed for several polls: a JobManager without high availability forgets all of
// them when it restarts, and others an hour after their end.
func (w *Watcher) notListed(listed []flinkrest.JobSummary) error {
	here := map[string]bool{}
	for _, job := range listed {
		if id, err := NormalizeJob(job.ID); err == nil {
			here[id] = true
		}
	}
	runs, err := w.ledger.Runs()
	if err != nil {
		return err
	}
	var over []string
	w.mu.Lock()
	for id := range w.asked {
		if run, known := runs[id]; !here[id] && (!known || run.Ended != 0) {
			delete(w.asked, id)
		}
	}
	for id, run := range runs {
		if here[id] || run.Ended != 0 || !w.Follows(id, run.Name) {
			continue
		}
		asked := w.asked[id]
		if asked.absent++; asked.absent < vanishedAfter {
			w.asked[id] = asked
			continue
		}
		delete(w.asked, id)
		over = append(over, id)
	}
	w.mu.Unlock()
	for _, id := range over {
		w.log.Info("flink does not list the job any more", "job", id, "name", runs[id].Name)
		if err := w.ledger.End(id, Vanished); err != nil {
			return err
		}
	}
	if len(over) > 0 {
		w.announce()
	}
	return nil
}
