package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

func (b *bench) kindsOf(t *testing.T, wanted ...Kind) []Event {
	t.Helper()
	events, err := b.ledger.Events(0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(events, func(e Event) bool { return !slices.Contains(wanted, e.Kind) })
}

// Flink remembers 10 checkpoints. What came and went between two polls cannot be copied any more, and is noted as such.
func TestHistoryEvicted(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2, 3)
		settle()
		if missed := b.kindsOf(t, EventMissed); len(missed) > 0 {
			t.Errorf("the first sight of a job: %+v; nobody can say what was to be seen", missed)
		}
		for id := int64(4); id <= 28; id++ { // 25 of them, and a savepoint, and some that failed
			if id == 10 {
				b.flink.savepoint(id)
				continue
			}
			b.flink.complete(id)
		}
		b.flink.set(func() {
			b.flink.answer.History = append([]flinkrest.Checkpoint{{ID: 29, Status: "FAILED"}, {ID: 30, Status: "IN_PROGRESS"}}, b.flink.answer.History[:8]...)
		})
		settle()
		missed := b.kindsOf(t, EventMissed)
		// 8 are in the history, the savepoint is latest.savepoint.
		if len(missed) != 1 || !strings.HasPrefix(missed[0].Message, "16 checkpoints") || b.counted.now().missed != 16 {
			t.Errorf("missed %+v, counted %d; want 16", missed, b.counted.now().missed)
		}
		if got := b.states(t); !strings.HasSuffix(got, "28 COPIED") || strings.Contains(got, " 15 ") {
			t.Errorf("records: %s", got)
		}

		b.stop() // the watcher is away
		b.flink.set(func() { b.flink.answer.History = nil })
		for id := int64(31); id <= 45; id++ {
			b.flink.complete(id)
		}
		b.start(t)
		settle()
		if missed := b.kindsOf(t, EventMissed); len(missed) != 2 || !strings.HasPrefix(missed[1].Message, "5 checkpoints") {
			t.Errorf("after a restart: %+v, want 5", missed)
		}
		settle()
		if n := len(b.kindsOf(t, EventMissed)); n != 2 {
			t.Errorf("%d events; nothing happened since", n)
		}
	})
}

// An answer of another JobManager, whose cache is older, is not news.
func TestStaleAnswer(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1)
		settle()
		var old flinkrest.Checkpoints
		b.flink.set(func() { old = b.flink.answer })
		b.flink.complete(2, 3)
		settle()
		before := kinds(t, b.ledger)
		var now flinkrest.Checkpoints
		b.flink.set(func() { now, b.flink.answer = b.flink.answer, old })
		settle()
		b.flink.set(func() { b.flink.answer = now })
		settle()
		if diff := cmp.Diff(before, kinds(t, b.ledger)); diff != "" {
			t.Errorf("events -before +after:\n%s", diff)
		}
	})
}

// A scheduler that makes its statistics anew when it restores: the same run, counters from 0, no history.
func TestCountersFromZeroAfterARestore(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2, 3)
		settle()
		b.flink.set(func() {
			b.flink.answer = flinkrest.Checkpoints{}
			b.flink.answer.Counts.Restored = 1
			b.flink.answer.Latest.Restored = &flinkrest.Restored{ID: 3, Time: 5000}
		})
		settle()
		b.flink.complete(4)
		settle()
		b.expect(t, "1 EXPIRED, 2 COPIED, 3 COPIED, 4 COPIED")
		want := []Kind{EventNewRun, EventRestored}
		var got []Kind
		for _, e := range b.kindsOf(t, EventNewRun, EventRestored, EventMissed) {
			got = append(got, e.Kind)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events -want +got:\n%s", diff)
		}
		if b.counted.now().restored != 1 {
			t.Errorf("%d restores counted", b.counted.now().restored)
		}
	})
}

func TestSavepointsInBetween(t *testing.T) {
	config := DefaultConfig()
	config.Savepoints, config.Retain = true, 2
	watchWith(t, config, time.Now, func(b *bench) {
		b.flink.complete(1)
		b.flink.savepoint(2)
		settle()
		b.flink.complete(3)
		b.flink.savepoint(4)
		settle()
		// A savepoint with a small number that takes longer than the checkpoints after it.
		b.flink.complete(6, 7)
		settle()
		b.flink.savepoint(5)
		settle()
		b.expect(t, "1 EXPIRED, 2 EXPIRED, 3 EXPIRED, 4 COPIED, 6 COPIED, 7 COPIED, 5 COPIED")
		runs, err := b.ledger.Runs()
		if err != nil || runs[job].LastRecovered != 7 {
			t.Errorf("a savepoint is nothing to go on from: %+v, %v", runs, err)
		}
		if missed := b.kindsOf(t, EventMissed); len(missed) > 0 {
			t.Errorf("missed %+v", missed)
		}
		jobs, err := b.Jobs()
		if err != nil || len(jobs) != 1 || jobs[0].Newest == nil || jobs[0].Newest.ID != 7 {
			t.Errorf("jobs %+v, %v", jobs, err)
		}
	})
}

// The last checkpoint of a job completes after the last poll that saw it running.
func TestLastCheckpointOfAJobThatEnds(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1)
		settle()
		b.flink.set(func() { b.flink.state = flinkrest.Canceled })
		time.Sleep(DefaultConfig().Interval + DefaultConfig().Interval/10 + time.Millisecond) // a poll or two see the end, of the job only
		synctest.Wait()
		b.flink.complete(2) // Flink's cache: another answer is some seconds older
		settle()
		settle()
		settle()
		b.expect(t, "1 COPIED, 2 COPIED")
		ended := b.kindsOf(t, EventEnded)
		if len(ended) != 1 || ended[0].Message != "CANCELED" {
			t.Errorf("events of the end: %+v", ended)
		}
		if ages := b.Ages(); len(ages) != 0 {
			t.Errorf("ages %+v: nobody wants to be woken for a job that is over", ages)
		}
		asked := b.flink.times()
		settle()
		settle()
		if b.flink.times() != asked {
			t.Errorf("a job that is over was asked for %d more times", b.flink.times()-asked)
		}
		b.stop()
		b.start(t)
		settle()
		if b.flink.times() != asked {
			t.Errorf("after a restart a job that is over was asked for %d more times", b.flink.times()-asked)
		}
		// Its id is used again.
		b.flink.set(func() {
			b.flink.state, b.flink.started, b.flink.answer = flinkrest.Running, 5_000_000, flinkrest.Checkpoints{}
		})
		b.flink.complete(1)
		settle()
		b.expect(t, "1 COPIED, 2 COPIED, 1 COPIED")
		runs, err := b.ledger.Runs()
		if err != nil || runs[job].Ended != 0 || runs[job].LastRecovered != 1 {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}

// Without high availability a JobManager that restarts knows no jobs.
func TestVanishedJob(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1)
		settle()
		b.flink.set(func() { b.flink.unknown = true })
		time.Sleep(DefaultConfig().Interval)
		b.flink.set(func() { b.flink.unknown = false }) // it was an election
		settle()
		if ended := b.kindsOf(t, EventEnded); len(ended) > 0 {
			t.Errorf("too early: %+v", ended)
		}
		b.flink.set(func() { b.flink.unknown = true })
		settle()
		settle()
		settle()
		if ended := b.kindsOf(t, EventEnded); len(ended) != 1 || ended[0].Message != Vanished {
			t.Errorf("%+v", ended)
		}
		jobs, err := b.Jobs()
		if err != nil || len(jobs) != 1 || jobs[0].State != Vanished {
			t.Errorf("%+v, %v", jobs, err)
		}
		if ages := b.Ages(); len(ages) != 0 {
			t.Errorf("ages %+v", ages)
		}
		b.flink.set(func() { b.flink.unknown = false })
		b.flink.complete(2)
		settle()
		b.expect(t, "1 COPIED, 2 COPIED")
		if jobs, err := b.Jobs(); err != nil || jobs[0].State != "RUNNING" || jobs[0].Ended != 0 {
			t.Errorf("it is back: %+v, %v", jobs, err)
		}
	})
}

// One job of which Flink is slow to tell does not hold up the others for long.
func TestSlowAnswer(t *testing.T) {
	watch(t, func(b *bench) {
		slow := strings.Repeat("0", 32)
		b.flink.set(func() {
			b.flink.slow, b.flink.others = slow, []flinkrest.JobSummary{{ID: slow, Name: "slow", State: flinkrest.Running}}
		})
		b.flink.complete(1)
		time.Sleep(answerTimeout + 2*DefaultConfig().Interval)
		synctest.Wait()
		b.expect(t, "1 COPIED")
	})
}

// Whoever sets a clock back, the JobManager's or this one's, must not have the newest copy deleted for it.
func TestClocksGoBack(t *testing.T) {
	var back time.Duration
	config := DefaultConfig()
	config.Retain = 2
	watchWith(t, config, func() time.Time { return time.Now().Add(-back) }, func(b *bench) {
		b.flink.complete(101, 102, 103)
		settle()
		b.flink.set(func() { back = time.Hour })
		for id := int64(104); id <= 106; id++ {
			b.flink.set(func() {
				c := flinkrest.Checkpoint{ID: id, Status: "COMPLETED", Triggered: flinkrest.Millis(id), ExternalPath: "s3://flink/" + job} // 1970
				b.flink.answer.History = append([]flinkrest.Checkpoint{c}, b.flink.answer.History...)
				b.flink.answer.Latest.Completed = &c
			})
			settle()
		}
		b.expect(t, "101 EXPIRED, 102 EXPIRED, 103 EXPIRED, 104 EXPIRED, 105 COPIED, 106 COPIED")
		folders, err := os.ReadDir(filepath.Join(b.root, job))
		if err != nil || len(folders) != 2 || !strings.HasPrefix(folders[0].Name(), "chk-105-") {
			t.Errorf("folders %v, %v", folders, err)
		}
		if b.counted.now().lag < 0 {
			t.Errorf("a copy that was there %s before it was asked for", -b.counted.now().lag)
		}
		all, err := b.ledger.List(job, 1)
		if err != nil || all[0].ID != 106 {
			t.Errorf("newest %+v, %v", all, err)
		}
	})
}

// What an earlier run of the job left to copy neither moves the new run forward nor holds it up.
func TestPendingOfAnEarlierRun(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1)
		settle()
		b.copier.set(func() { b.copier.err[8] = os.ErrDeadlineExceeded })
		b.flink.complete(8)
		settle()
		b.expect(t, "1 COPIED, 8 FAILED")
		b.flink.set(func() {
			b.flink.started, b.flink.answer = 2000, flinkrest.Checkpoints{}
			b.flink.answer.Latest.Restored = &flinkrest.Restored{ID: 1, Time: 2001}
		})
		settle()
		b.copier.set(func() { delete(b.copier.err, 8) })
		time.Sleep(2 * lastRetry)
		synctest.Wait()
		b.expect(t, "1 COPIED, 8 COPIED")
		runs, err := b.ledger.Runs()
		if err != nil || runs[job].LastRecovered != 1 {
			t.Errorf("the new run has recovered %d, %v; want 1, what it was restored from", runs[job].LastRecovered, err)
		}
		b.flink.complete(2)
		settle()
		if got := b.states(t); !strings.HasSuffix(got, "2 COPIED") {
			t.Errorf("checkpoint 2 of the new run: %s", got)
		}
	})
}

// 200 jobs that are quiet must cost no 400 syncs of the disk every few seconds.
func TestQuietPollsWriteNothing(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2, 3)
		settle()
		if _, err := b.Notify(job, 4, "s3://flink/"+job+"/chk-4"); err != nil {
			t.Fatal(err)
		}
		b.flink.complete(4) // with another key than the webhook's
		settle()
		before, asked := b.ledger.db.Stats(), b.flink.times()
		settle()
		settle()
		if after := b.ledger.db.Stats(); after.TxStats.GetWrite() != before.TxStats.GetWrite() {
			t.Errorf("%d writes in %d polls", after.TxStats.GetWrite()-before.TxStats.GetWrite(), b.flink.times()-asked)
		}
	})
}
