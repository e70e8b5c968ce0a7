package checkpoint

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// storedRun is a run and what the last poll showed of it.
type storedRun struct {
	Run
	Completed int     `json:"completed"`
	IDs       []int64 `json:"ids"`
}

// getRun returns what is known of a job's run; of an unknown job nothing is recovered yet.
func getRun(tx *bbolt.Tx, job string) (storedRun, error) {
	run := storedRun{Run: Run{Job: job, Started: -1, Restored: -1, LastRecovered: -1}}
	text := tx.Bucket(bucketRuns).Get([]byte(job))
	if text == nil {
		return run, nil
	}
	return run, decode(text, &run)
}

// Runs returns the latest run of each job, by job id.
func (l *Ledger) Runs() (map[string]Run, error) {
	runs := map[string]Run{}
	err := l.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRuns).ForEach(func(_, text []byte) error {
			var run Run
			if err := decode(text, &run); err != nil {
				return err
			}
			runs[run.Job] = run
			return nil
		})
	})
	return runs, err
}

// Run returns the latest run of a job.
func (l *Ledger) Run(job string) (run Run, known bool, err error) {
	stored, err := l.storedRun(job)
	return stored.Run, stored.Started >= 0, err
}

// Observe compares what Flink shows of a job with what is known, and notes a new run, a restore, and checkpoints that came
// and went unseen, as events. It returns the run as it is now, and how many checkpoints were missed.
func (l *Ledger) Observe(s Sight) (now Run, missed int, err error) {
	// A look first: most polls show nothing new, and an update syncs the file all the same.
	known, err := l.storedRun(s.Job)
	if err != nil {
		return Run{}, 0, err
	}
	if seen := compare(known, s); seen.same {
		return seen.run.Run, 0, nil
	}
	err = l.db.Update(func(tx *bbolt.Tx) error {
		known, err := getRun(tx, s.Job)
		if err != nil {
			return err
		}
		seen := compare(known, s)
		if now, missed = seen.run.Run, seen.missed; seen.same {
			return nil
		}
		for _, e := range seen.events {
			if err := l.append(tx, e); err != nil {
				return err
			}
		}
		return put(tx.Bucket(bucketRuns), []byte(s.Job), seen.run)
	})
	return now, missed, err
}

func (l *Ledger) storedRun(job string) (run storedRun, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		run, err = getRun(tx, job)
		return err
	})
	return run, err
}

// seen is what a poll changes.
type seen struct {
	run    storedRun
	events []Event
	missed int
	same   bool // it changes nothing
}

func compare(known storedRun, s Sight) seen {
	if stale(known, s) {
		return seen{run: known, same: true}
	}
	now := storedRun(s)
	now.LastRecovered, now.Ended = known.LastRecovered, 0
	var events []Event
	if s.Started != known.Started {
		// What the new run was restored from is where it counts on; without that it begins anew.
		now.LastRecovered = s.Restored
		events = append(events, Event{Kind: EventNewRun, Job: s.Job, Message: s.Name})
	}
	if s.Restored >= 0 && (s.Restored != known.Restored || s.At != known.At || s.Started != known.Started) {
		events = append(events, Event{Kind: EventRestored, Job: s.Job, Checkpoint: s.Restored})
	}
	missed := unseen(known, s)
	if missed > 0 {
		events = append(events, Event{Kind: EventMissed, Job: s.Job, Message: fmt.Sprintf(
			"%d checkpoints completed and left Flink's history before they were seen; watch.interval or web.checkpoints.history is too small, or the watcher was away", missed)})
	}
	return seen{
		run: now, events: events, missed: missed,
		same: now.Run == known.Run && now.Completed == known.Completed && slices.Equal(now.IDs, known.IDs),
	}
}

// stale: what is shown is older than what is known, since each JobManager has a cache of its own. Counters that went down
// because the job was restored, by a scheduler that then counts anew, are no such case.
func stale(known storedRun, s Sight) bool {
	return s.Started == known.Started && s.Completed < known.Completed && s.At <= known.At
}

// unseen is how many checkpoints completed since the last poll and are not shown any more. Flink counts the completed ones and
// shows the last 10 or so; of a job that is seen for the first time nobody can say what was to be seen.
func unseen(known storedRun, s Sight) int {
	switch {
	case known.Started < 0:
		return 0
	case s.Started != known.Started || s.Completed < known.Completed: // it counts from 0 again
		return max(0, s.Completed-len(s.IDs))
	}
	fresh := 0
	for _, id := range s.IDs {
		if !slices.Contains(known.IDs, id) {
			fresh++
		}
	}
	return max(0, s.Completed-known.Completed-fresh)
}

// End notes that a job has ended. It is no news twice.
func (l *Ledger) End(job, state string) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		run, err := getRun(tx, job)
		if err != nil || run.Started < 0 || run.Ended != 0 {
			return err
		}
		run.State, run.Ended = state, max(1, l.now().UnixMilli())
		if err := put(tx.Bucket(bucketRuns), []byte(job), run); err != nil {
			return err
		}
		return l.append(tx, Event{Kind: EventEnded, Job: job, Message: state})
	})
}

// ForgetJob removes a job and all its checkpoints.
func (l *Ledger) ForgetJob(job string) error {
	records, err := l.List(job, 0)
	if err != nil {
		return err
	}
	return l.db.Update(func(tx *bbolt.Tx) error {
		for _, r := range records {
			if err := tx.Bucket(bucketCheckpoints).Delete(recordKey(r.Key)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketRuns).Delete([]byte(job))
	})
}
