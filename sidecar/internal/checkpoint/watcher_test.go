package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// fakeFlink answers what the test sets. A real JobManager is in the tests of flinkrest and of the whole path; here time
// is the bubble's.
type fakeFlink struct {
	mu      sync.Mutex
	err     error
	started flinkrest.Millis
	state   flinkrest.State
	unknown bool                   // the job is not listed
	others  []flinkrest.JobSummary // jobs without checkpoints
	slow    string                 // a job of which it never tells
	answer  flinkrest.Checkpoints
	polls   int
	asked   int
}

func (f *fakeFlink) Jobs(context.Context) ([]flinkrest.JobSummary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.polls++
	jobs := slices.Clone(f.others)
	if !f.unknown {
		jobs = append(jobs, flinkrest.JobSummary{ID: job, Name: "fraud", State: f.state, StartTime: f.started})
	}
	return jobs, f.err
}

func (f *fakeFlink) Checkpoints(ctx context.Context, of string) (flinkrest.Checkpoints, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case of == f.slow:
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return flinkrest.Checkpoints{}, ctx.Err()
	case of != job:
		return flinkrest.Checkpoints{}, nil
	case f.unknown:
		return flinkrest.Checkpoints{}, &flinkrest.Error{Status: 404, Message: "Job not found"}
	}
	f.asked++
	return f.answer, f.err
}

func (f *fakeFlink) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeFlink) complete(ids ...int64) {
	f.set(func() {
		for _, id := range ids {
			c := flinkrest.Checkpoint{ID: id, Status: "COMPLETED", Triggered: f.started + flinkrest.Millis(id*1000), ExternalPath: fmt.Sprintf("s3://flink/%s/chk-%d", job, id)}
			f.answer.History = append([]flinkrest.Checkpoint{c}, f.answer.History...)
			f.answer.History = f.answer.History[:min(10, len(f.answer.History))]
			f.answer.Latest.Completed = &c
			f.answer.Counts.Completed++
		}
	})
}

func (f *fakeFlink) savepoint(id int64) {
	f.set(func() {
		c := flinkrest.Checkpoint{
			ID: id, Status: "COMPLETED", Triggered: flinkrest.Millis(id * 1000), IsSavepoint: true, ExternalPath: fmt.Sprintf("s3://flink/savepoint-%d", id),
		}
		f.answer.History = append([]flinkrest.Checkpoint{c}, f.answer.History...)
		f.answer.Latest.Savepoint = &c
		f.answer.Counts.Completed++
	})
}

// times is how often it was asked for checkpoints.
func (f *fakeFlink) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// fakeCopier makes folders with one file.
type fakeCopier struct {
	mu        sync.Mutex
	err       map[int64]error
	down      error
	copies    []int64
	gone      []int64
	discarded []string
}

func (c *fakeCopier) Discard(folder string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.discarded = append(c.discarded, filepath.Base(folder))
	return nil
}

func (c *fakeCopier) Copy(_ context.Context, key Key, folder string) (Copy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		return Copy{}, c.down
	}
	if slices.Contains(c.gone, key.ID) {
		return Copy{}, fmt.Errorf("%s: %w", key, ErrGone)
	}
	if err := c.err[key.ID]; err != nil {
		return Copy{}, err
	}
	c.copies = append(c.copies, key.ID)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Copy{}, err
	}
	return Copy{Files: 1, Bytes: 7, Operators: 1}, os.WriteFile(filepath.Join(folder, "_metadata"), []byte("content"), 0o600)
}

func (c *fakeCopier) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

type bench struct {
	*Watcher
	config  Config
	flink   *fakeFlink
	copier  *fakeCopier
	ledger  *Ledger
	root    string
	counted *counted
	stop    func()
}

// watch runs a watcher in a bubble of fake time until the test function returns.
func watch(t *testing.T, test func(b *bench)) { watchWith(t, DefaultConfig(), time.Now, test) }

func watchWith(t *testing.T, config Config, now func() time.Time, test func(b *bench)) {
	folder := t.TempDir()
	ledger, err := OpenLedger(filepath.Join(folder, "ledger"), time.Second, now)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()    //nolint:errcheck
	ledger.db.NoSync = true // an hour of polls, and no crash
	synctest.Test(t, func(t *testing.T) {
		b := &bench{
			flink: &fakeFlink{started: 1000, state: flinkrest.Running}, copier: &fakeCopier{err: map[int64]error{}}, ledger: ledger,
			root: filepath.Join(folder, "copies"), config: config,
		}
		b.start(t)
		test(b)
		b.stop()
	})
}

// start runs a new watcher, as a new process would.
func (b *bench) start(t *testing.T) {
	t.Helper()
	b.Watcher = New(b.config, b.flink, b.copier, b.ledger, b.root, slog.New(slog.DiscardHandler))
	b.counted = &counted{counts: counts{finished: map[State]int{}}}
	b.ObserveBy(b.counted)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// counted is what an Observer was told.
type counted struct {
	mu sync.Mutex
	counts
}

type counts struct {
	finished map[State]int
	missed   int
	restored int
	lag      time.Duration // the smallest
}

func (c *counted) now() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.counts
	now.finished = maps.Clone(now.finished)
	return now
}

func (c *counted) FlinkAsked(bool) {}

func (c *counted) CheckpointFinished(state State, _ bool, _ int64, lag time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished[state]++
	c.lag = min(c.lag, lag)
}

func (c *counted) CheckpointsMissed(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed += n
}

func (c *counted) JobRestored() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restored++
}

// settle lets two intervals pass.
func settle() {
	time.Sleep(2 * DefaultConfig().Interval) // of the bubble's clock
	synctest.Wait()
}

func (b *bench) states(t *testing.T) string {
	t.Helper()
	records, err := b.ledger.List("", 0)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(records)
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprintf("%d %s", r.ID, r.State))
	}
	return strings.Join(all, ", ")
}

func (b *bench) expect(t *testing.T, want string) {
	t.Helper()
	if diff := cmp.Diff(want, b.states(t)); diff != "" {
		t.Errorf("records -want +got:\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2, 4) // ids jump
		settle()
		b.expect(t, "1 COPIED, 2 COPIED, 4 COPIED")
		b.flink.complete(5, 6)
		settle()
		b.expect(t, "1 EXPIRED, 2 EXPIRED, 4 COPIED, 5 COPIED, 6 COPIED")
		folders, err := os.ReadDir(filepath.Join(b.root, job))
		if err != nil || len(folders) != 3 {
			t.Errorf("%d local copies, %v; want the newest 3", len(folders), err)
		}
		if _, err := b.Notify(job, 3, "s3://flink/late"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.states(t); !strings.Contains(got, "3 DROPPED") {
			t.Errorf("a late webhook: %s", got)
		}
	})
}

func TestWebhookAndPollTellOfTheSame(t *testing.T) {
	watch(t, func(b *bench) {
		settle()
		if _, err := b.Notify(strings.ToUpper(job), 1, "s3://flink/"+job+"/chk-1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.expect(t, "1 COPIED")
		b.flink.complete(1)
		settle()
		if diff := cmp.Diff([]int64{1}, b.copier.copies); diff != "" {
			t.Errorf("copied -want +got:\n%s", diff)
		}
		r, _, err := b.ledger.Find(job, 1)
		if err != nil || r.Triggered != 0 || r.State != Copied {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := b.Notify(job, 2, "s3://flink/savepoint-14ab15-0123456789ab"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		runs, err := b.ledger.Runs()
		if r, _, err := b.ledger.Find(job, 2); err != nil || !r.Savepoint || r.State != Copied || runs[job].LastRecovered != 1 {
			t.Errorf("a savepoint by webhook: %+v, %v, runs %+v", r, err, runs)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Notify("not a job", 1, "x"); err == nil {
			t.Error("a webhook for a job id that is none was taken")
		}
	})
}

func TestGoneWhileCopied(t *testing.T) {
	watch(t, func(b *bench) {
		b.copier.gone = []int64{1}
		b.flink.complete(1, 2)
		settle()
		b.expect(t, "1 GONE, 2 COPIED")
		if len(b.copier.discarded) > 0 && !strings.HasPrefix(b.copier.discarded[0], "chk-1-") || b.counted.now().finished[Gone] != 1 {
			t.Errorf("discarded %v, counted %v", b.copier.discarded, b.counted.now().finished)
		}
	})
}

func TestDiscardedAndFailedAreNotCopied(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.set(func() {
			b.flink.answer.History = []flinkrest.Checkpoint{
				{ID: 3, Status: "FAILED"}, {ID: 2, Status: "IN_PROGRESS"},
				{ID: 1, Status: "COMPLETED", ExternalPath: "s3://x/1", Discarded: true},
				{ID: 4, Status: "COMPLETED", ExternalPath: "s3://x/sp", IsSavepoint: true},
			}
		})
		settle()
		b.expect(t, "4 NOTED")
	})
}

// Who collects garbage has to know every savepoint, also where savepoints are not copied, however long ago it was made, and also those
// that failed.
func TestSavepointsAreNotForgotten(t *testing.T) {
	config := DefaultConfig()
	for name, copies := range map[string]bool{"noted": false, "copied": true} {
		t.Run(name, func(t *testing.T) {
			config.Savepoints = copies
			watchWith(t, config, time.Now, func(b *bench) {
				for id := range int64(5) {
					b.flink.savepoint(id + 1)
					settle()
				}
				b.flink.set(func() {
					b.flink.answer.History = append([]flinkrest.Checkpoint{{ID: 6, Status: "FAILED", IsSavepoint: true}}, b.flink.answer.History...)
				})
				settle()
				for id := int64(10); id < 3*keepRecords; id++ {
					b.flink.complete(id)
					time.Sleep(DefaultConfig().Interval + DefaultConfig().Interval/10 + time.Millisecond)
				}
				settle()
				all, err := b.ledger.List(job, 0)
				if err != nil {
					t.Fatal(err)
				}
				found := map[int64]State{}
				for _, r := range all {
					if r.Savepoint {
						found[r.ID] = r.State
					}
				}
				want := map[int64]State{1: Noted, 2: Noted, 3: Noted, 4: Noted, 5: Noted, 6: Gone}
				if copies {
					want = map[int64]State{1: Expired, 2: Expired, 3: Copied, 4: Copied, 5: Copied, 6: Gone}
				}
				if diff := cmp.Diff(want, found); diff != "" {
					t.Errorf("savepoints -want +got:\n%s", diff)
				}
			})
		})
	}
}

func TestStoreAwayForAnHour(t *testing.T) {
	watch(t, func(b *bench) {
		b.copier.set(func() { b.copier.down = errors.New("connection refused") })
		for id := int64(1); id <= 720; id++ {
			b.flink.complete(id)
			time.Sleep(5 * time.Second)
		}
		before := b.Status().Pending
		b.copier.set(func() { b.copier.down = nil; b.copier.gone = []int64{1, 2, 3} })
		time.Sleep(2 * time.Minute) // the longest wait between two tries, and then some
		synctest.Wait()
		if diff := cmp.Diff([]int64{720}, b.copier.copies); diff != "" {
			t.Errorf("after the outage only the newest is of use; copied -want +got:\n%s", diff)
		}
		if after := b.Status().Pending; before < 10 || before > maxPending || after != 0 {
			t.Errorf("pending %d, then %d; want a bounded list, then none", before, after)
		}
		events, err := b.ledger.Events(0, 10_000)
		failed := slices.DeleteFunc(events, func(e Event) bool { return e.Kind != EventFailed })
		if err != nil || len(failed) != 1 {
			t.Errorf("%d events say that a copy failed, %v; an outage is one event", len(failed), err)
		}
	})
}

func TestFlinkAwayForAnHour(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1)
		settle()
		b.flink.set(func() { b.flink.err = errors.New("connection refused") })
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := b.Status(); !strings.Contains(s.Error, "refused") {
			t.Errorf("status %+v does not say that flink is away", s)
		}
		// Another JobManager took over: counters from 0, no history, restored from 1.
		b.flink.set(func() {
			b.flink.err, b.flink.started, b.flink.answer = nil, 3_600_000, flinkrest.Checkpoints{}
			b.flink.answer.Counts.Restored = 1
			b.flink.answer.Latest.Restored = &flinkrest.Restored{ID: 1, Time: 3_600_001}
		})
		settle()
		b.flink.complete(2)
		settle()
		b.expect(t, "1 COPIED, 2 COPIED")
		want := []Kind{EventNewRun, EventCompleted, EventCopied, EventNewRun, EventRestored, EventCompleted, EventCopied}
		if diff := cmp.Diff(want, kinds(t, b.ledger)); diff != "" {
			t.Errorf("events -want +got:\n%s", diff)
		}
	})
}

func TestOneBadCheckpointDoesNotStopTheRest(t *testing.T) {
	watch(t, func(b *bench) {
		b.copier.err[1] = errors.New("hash mismatch")
		b.flink.complete(1)
		settle()
		b.expect(t, "1 FAILED")
		b.flink.complete(2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := b.states(t); !strings.HasPrefix(got, "1 DROPPED") || !strings.HasSuffix(got, "11 COPIED") {
			t.Errorf("records: %s", got)
		}
	})
}

func TestIntervalIsKept(t *testing.T) {
	watch(t, func(b *bench) {
		time.Sleep(10 * time.Minute)
		b.flink.set(func() {
			if b.flink.polls < 120 || b.flink.polls > 135 { // never later, and up to a tenth earlier
				t.Errorf("%d polls in 10 minutes at 5 s", b.flink.polls)
			}
		})
	})
}
