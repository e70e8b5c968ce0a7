package garbage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

const keyGroups = 4

// world is Flink with jobs, one sidecar, its store and its collector.
type world struct {
	t         *testing.T
	store     *memory.Store
	sessions  *session.Manager
	collector *Collector
	now       time.Time
	err       error // of Flink
	jobs      []*job
	next      uint64
	calls     int
}

type job struct {
	Job
	tokens    []session.Token
	saved     []savepoint
	forgotten bool // by Flink and by the sidecar, and yet its checkpoints may be there
}

// savepoint is one that was made: it may be known or not, and there or not.
type savepoint struct {
	Checkpoint
	at            time.Time
	known, failed bool
	deleted       bool
}

func (w *world) Jobs(context.Context) (all []Job, err error) {
	for _, j := range w.jobs {
		if j.forgotten {
			continue
		}
		known := j.Job
		known.Retained = append([]Checkpoint{}, j.Retained...)
		for _, s := range j.saved {
			switch {
			case !s.known:
			case s.deleted || s.failed:
				known.Gone = append(known.Gone, Gone{ID: s.ID, Begun: s.at, Known: s.at})
			default:
				known.Retained = append(known.Retained, s.Checkpoint)
			}
		}
		all = append(all, known)
	}
	return all, w.err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), now: time.Now()}
	config := session.DefaultConfig()
	config.Prefix, config.MaxChain = "drey/", 4
	var err error
	if w.sessions, err = session.New(config, w.store, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.sessions.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	w.collector = New(Config{Prefix: "drey/", Grace: time.Minute, After: time.Hour}, w.store, w, slog.New(slog.DiscardHandler))
	w.collector.now = func() time.Time { return w.now }
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start submits a job with so many subtasks, from nothing or from a checkpoint.
func (w *world) start(subtasks int, from []segment.Reference) *job {
	w.t.Helper()
	j := &job{Job: Job{ID: fmt.Sprintf("job%d", len(w.jobs)), Unsettled: from != nil}}
	w.jobs = append(w.jobs, j)
	w.attempt(j, subtasks, from)
	return j
}

func (w *world) attempt(j *job, subtasks int, from []segment.Reference) {
	w.t.Helper()
	j.tokens = nil
	for i := range subtasks {
		token, err := w.sessions.Open(w.t.Context(), session.Spec{
			Job: j.ID, Operator: "op", Subtask: i, MaxParallelism: keyGroups, KeyGroups: statestore.SubtaskRange(keyGroups, subtasks, i), Restored: from != nil,
		})
		w.must(err)
		if from != nil {
			w.must(w.sessions.Restore(w.t.Context(), token, from))
		}
		j.tokens = append(j.tokens, token)
	}
}

func (w *world) write(j *job, key int) {
	w.t.Helper()
	w.calls++
	g := uint16(key % keyGroups)
	_, _, err := w.sessions.Apply(w.t.Context(), j.tokens[int(g)*len(j.tokens)/keyGroups], session.Request{Request: statestore.Request{KeyGroup: g, ID: fmt.Sprint(w.calls), Epoch: w.next}},
		func(tx *statestore.Tx) ([]byte, error) {
			tx.Change(fmt.Sprint("key", key), statestore.Set([]byte(fmt.Sprint(w.calls)), 0))
			return []byte("x"), nil
		})
	w.must(err)
}

// checkpoint takes one, and retains it unless it is aborted.
func (w *world) checkpoint(j *job, aborted bool) {
	w.t.Helper()
	if refs := w.snapshot(j, session.Mark{}); !aborted {
		j.Retained, j.Unsettled = append(j.Retained, Checkpoint{ID: w.next, References: refs}), false
	}
}

func (w *world) snapshot(j *job, mark session.Mark) (refs []segment.Reference) {
	w.t.Helper()
	w.next++
	mark.Epoch = w.next
	for _, token := range j.tokens {
		w.must(w.sessions.Mark(w.t.Context(), token, mark))
	}
	for _, token := range j.tokens {
		ref, err := w.sessions.Durable(w.t.Context(), token, w.next)
		w.must(err)
		refs = append(refs, ref)
	}
	return refs
}

// savepoint makes one, and answers with it.
func (w *world) savepoint(j *job, known bool) *savepoint {
	w.t.Helper()
	refs := w.snapshot(j, session.Mark{Full: true, Savepoint: true})
	j.saved = append(j.saved, savepoint{Checkpoint: Checkpoint{ID: w.next, Savepoint: true, References: refs}, at: time.Now(), known: known})
	return &j.saved[len(j.saved)-1]
}

func (w *world) objects() (n int) {
	w.t.Helper()
	for _, err := range w.store.List(w.t.Context(), "") {
		w.must(err)
		n++
	}
	return n
}

// restorable restores everything that is retained.
func (w *world) restorable() {
	w.t.Helper()
	for _, j := range w.jobs {
		there := append([]Checkpoint{}, j.Retained...)
		for _, s := range j.saved {
			if !s.deleted && !s.failed {
				there = append(there, s.Checkpoint)
			}
		}
		for _, c := range there {
			if _, err := segment.Restore(w.t.Context(), w.store, c.References, segment.Want{
				Operator: "op", MaxParallelism: keyGroups, KeyGroups: statestore.Range{To: keyGroups - 1}, Parallel: 1,
			}); err != nil {
				w.t.Fatalf("checkpoint %d of %s: %v", c.ID, j.ID, err)
			}
		}
	}
}

// collect looks twice, with the grace between.
func (w *world) collect() (Report, error) {
	w.t.Helper()
	if _, err := w.collector.Once(w.t.Context()); err != nil {
		return Report{}, err
	}
	w.now = w.now.Add(2 * time.Minute)
	report, err := w.collector.Once(w.t.Context())
	w.restorable()
	return report, err
}

// Random histories of jobs, checkpoints that complete or are aborted, attempts with another number of subtasks, resubmissions from any
// checkpoint, and of Flink forgetting any of them: whatever is retained can be restored after each collection, and what is left in
// the end is little.
func TestWhatIsRetainedCanBeRestored(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			j := w.start(2, nil)
			removed := 0
			for range 120 {
				switch n := random.IntN(27); {
				case n == 26:
					w.savepoint(j, random.IntN(3) > 0).failed = random.IntN(3) == 0
				case n == 25 && len(j.saved) > 0:
					if s := &j.saved[random.IntN(len(j.saved))]; random.IntN(2) == 0 {
						s.deleted = true
					} else if !s.deleted && !s.failed && !j.Unsettled {
						j.Ended = w.now
						j = w.start(1+random.IntN(3), s.References)
					}
				case n < 10:
					w.write(j, random.IntN(20))
				case n < 15:
					w.checkpoint(j, false)
					if most := 3; len(j.Retained) > most && random.IntN(4) > 0 {
						j.Retained = j.Retained[1:] // subsumed
					}
				case n < 17:
					w.checkpoint(j, true)
				case n < 18 && len(j.Retained) > 0:
					w.attempt(j, 1+random.IntN(3), j.Retained[len(j.Retained)-1].References) // a failover
				case n < 19 && len(j.Retained) > 0:
					from := j.Retained[random.IntN(len(j.Retained))].References
					j.Ended = w.now
					j = w.start(1+random.IntN(3), from)
				case n < 20 && len(w.jobs) > 1:
					if old := w.jobs[random.IntN(len(w.jobs))]; old != j && len(old.Retained) > 0 && !j.Unsettled {
						i := random.IntN(len(old.Retained))
						old.Retained = append(append([]Checkpoint{}, old.Retained[:i]...), old.Retained[i+1:]...)
					}
				default:
					if report, err := w.collect(); err == nil {
						removed += len(report.Garbage)
					} else if !j.Unsettled {
						t.Fatal(err)
					}
				}
			}
			for range 3 {
				w.checkpoint(j, false)
			}
			for _, old := range w.jobs {
				old.Retained = old.Retained[max(0, len(old.Retained)-1):]
				if old != j {
					old.Retained = nil
				}
				for i := range old.saved {
					old.saved[i].known, old.saved[i].deleted = true, true
				}
			}
			w.now = w.now.Add(2 * time.Hour)
			if _, err := w.collect(); err != nil { // which sees that the savepoints are gone
				t.Fatal(err)
			}
			w.now = w.now.Add(2 * time.Hour)
			report, err := w.collect()
			if err != nil {
				t.Fatal(err)
			}
			// Of one checkpoint of three subtasks at most, with chains of four segments, and what is not older.
			if left := w.objects(); left > 3*(4+1)+6 {
				t.Errorf("%d objects are left, %d were removed before and %d now", left, removed, len(report.Garbage))
			}
		})
	}
}

// TestForgottenJob: its checkpoints may be there, and refer to snapshots of a job that is known. The one that it went on from has no
// checkpoint any more.
func TestForgottenJob(t *testing.T) {
	w := newWorld(t)
	first := w.start(1, nil)
	w.write(first, 1)
	w.checkpoint(first, false)
	second := w.start(1, first.Retained[0].References)
	w.checkpoint(second, false)
	first.Ended, first.Retained = w.now, nil
	second.forgotten = true
	w.now = w.now.Add(2 * time.Hour)
	if _, err := w.collect(); err != nil { // which restores what is there
		t.Fatal(err)
	}
}

// TestSavepoints: what was written for one stays until it is known to be gone, and has been for a while; the job goes on or has ended
// long ago, and checkpoints after it are no reason to keep what is between them.
func TestSavepoints(t *testing.T) {
	for name, c := range map[string]struct {
		change func(j *job, s *savepoint)
		stays  bool
	}{
		"there":                        {func(*job, *savepoint) {}, true},
		"not known":                    {func(_ *job, s *savepoint) { s.known = false }, true},
		"not known, the job has ended": {func(j *job, s *savepoint) { s.known, j.Ended = false, j.Ended.Add(1) }, true},
		"there, the job has ended":     {func(j *job, _ *savepoint) { j.Ended = j.Ended.Add(1) }, true},
		"another one of its number":    {func(_ *job, s *savepoint) { s.deleted, s.at = true, s.at.Add(-3*time.Hour) }, true},
		"deleted":                      {func(_ *job, s *savepoint) { s.deleted = true }, false},
		"failed":                       {func(_ *job, s *savepoint) { s.failed = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			j := w.start(1, nil)
			w.write(j, 1)
			w.checkpoint(j, false)
			s := w.savepoint(j, true)
			for range 9 {
				w.write(j, 2)
				w.checkpoint(j, false)
			}
			j.Retained = j.Retained[9:]
			c.change(j, s)
			there := func(key string) bool {
				t.Helper()
				body, _, err := w.store.Open(t.Context(), key, snapshot.Whole())
				if err != nil {
					return false
				}
				w.must(body.Close())
				return true
			}
			manifest := s.References[0].Key
			if report, err := w.collect(); err != nil || len(report.Garbage) == 0 {
				t.Fatalf("what is between is kept: %+v, %v", report, err)
			}
			if !there(manifest) {
				t.Fatal("it went at once")
			}
			w.now = w.now.Add(2 * time.Hour)
			if _, err := w.collect(); err != nil {
				t.Fatal(err)
			}
			if there(manifest) != c.stays {
				t.Errorf("it is there: %v", !c.stays)
			}
			if !c.stays {
				return
			}
			if _, err := segment.Restore(t.Context(), w.store, s.References, segment.Want{
				Operator: "op", MaxParallelism: keyGroups, KeyGroups: statestore.Range{To: keyGroups - 1}, Parallel: 1,
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPutOff(t *testing.T) {
	garbage := func(t *testing.T) *world {
		w := newWorld(t)
		j := w.start(1, nil)
		for range 8 {
			w.write(j, 1)
			w.checkpoint(j, false)
		}
		j.Retained = j.Retained[7:]
		return w
	}
	t.Run("collected", func(t *testing.T) {
		w := garbage(t)
		if first, err := w.collector.Once(t.Context()); err != nil || first.Waiting == 0 || len(first.Garbage) > 0 {
			t.Fatalf("%+v, %v", first, err)
		}
		before := w.objects()
		if report, err := w.collect(); err != nil || len(report.Garbage) == 0 || w.objects() != before-len(report.Garbage) || report.Bytes == 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
	for name, spoil := range map[string]func(w *world){
		"Flink is away":                func(w *world) { w.err = errors.New("no answer") },
		"a job is not settled":         func(w *world) { w.jobs[0].Unsettled = true },
		"a snapshot cannot be read":    func(w *world) { w.jobs[0].Retained[0].References[0].SHA256 = strings.Repeat("0", 64) },
		"somebody else's job is there": func(w *world) { w.foreign("drey/state/other/op/S-1/1-x.segment") },
	} {
		t.Run(name, func(t *testing.T) {
			w := garbage(t)
			before := w.objects()
			spoil(w)
			for range 3 {
				if report, err := w.collector.Once(t.Context()); err == nil || len(report.Garbage) > 0 {
					t.Errorf("%+v, %v", report, err)
				}
				w.now = w.now.Add(2 * time.Minute)
			}
			if after := w.objects(); after < before {
				t.Errorf("%d objects, before %d", after, before)
			}
		})
	}
	t.Run("what is not ours stays", func(t *testing.T) {
		w := garbage(t)
		for _, key := range []string{"drey/state/x", "drey/state/job0/op/S-1/notes.txt", "drey/state/job0/op/S-1/x-1.segment", "else/state/job0/op/S-1/1-x.segment"} {
			w.foreign(key)
		}
		if _, err := w.collect(); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"drey/state/x", "drey/state/job0/op/S-1/notes.txt", "drey/state/job0/op/S-1/x-1.segment", "else/state/job0/op/S-1/1-x.segment"} {
			body, _, err := w.store.Open(t.Context(), key, snapshot.Whole())
			if err != nil {
				t.Errorf("%s: %v", key, err)
				continue
			}
			w.must(body.Close())
		}
	})
	t.Run("a job that has just ended", func(t *testing.T) {
		w := garbage(t)
		w.jobs[0].Ended, w.jobs[0].Retained = w.now, nil
		if report, err := w.collect(); err != nil || len(report.Garbage) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
		w.now = w.now.Add(2 * time.Hour)
		if report, err := w.collect(); err != nil || w.objects() > 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// A manifest of a forgotten job that cannot be read may be anything's: nothing goes.
func TestForgottenJobThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	j := w.start(1, nil)
	for range 8 {
		w.write(j, 1)
		w.checkpoint(j, false)
	}
	j.Retained = j.Retained[7:]
	w.foreign("drey/state/other/op/S-1/1-x.manifest")
	w.now = w.now.Add(2 * time.Hour)
	before := w.objects()
	if report, err := w.collect(); err == nil || !strings.Contains(err.Error(), "other/op/S-1/1-x.manifest") || w.objects() != before {
		t.Errorf("%+v, %v", report, err)
	}
}

// Only the sidecar that watches looks; one that watches again begins anew, since much may have happened in between.
func TestNotHere(t *testing.T) {
	w := newWorld(t)
	j := w.start(1, nil)
	for range 8 {
		w.write(j, 1)
		w.checkpoint(j, false)
	}
	j.Retained = j.Retained[7:]
	w.collector.config.Interval = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	turns := []bool{true, false, false, true}
	var reports []Report
	w.collector.Run(ctx, func(ctx context.Context, work func(context.Context) error) error {
		here := turns[0]
		if turns = turns[1:]; len(turns) == 0 {
			defer stop()
		}
		w.now = w.now.Add(2 * time.Minute)
		if !here {
			return ErrNotHere
		}
		var report Report
		err := work(ctx)
		report.Waiting = len(w.collector.seen)
		reports = append(reports, report)
		return err
	}, func(r Report, err error) {
		if err != nil || len(r.Garbage) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	if len(reports) != 2 || reports[0].Waiting == 0 || reports[1].Waiting != reports[0].Waiting {
		t.Errorf("%+v", reports)
	}
}

func (w *world) foreign(key string) {
	w.t.Helper()
	_, err := w.store.Create(w.t.Context(), key, strings.NewReader("x"), 1)
	w.must(err)
}
