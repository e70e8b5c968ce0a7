package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// A watcher that runs for months remembers as much as it did on the first day.
func TestLedgerIsBounded(t *testing.T) {
	watch(t, func(b *bench) {
		for id := int64(1); id <= 3*keepRecords; id++ {
			b.flink.complete(id)
			time.Sleep(DefaultConfig().Interval + DefaultConfig().Interval/10 + time.Millisecond)
		}
		settle()
		all, err := b.ledger.List(job, 0)
		if err != nil || len(all) != keepRecords+DefaultConfig().Retain {
			t.Errorf("%d records, %v; want %d", len(all), err, keepRecords+DefaultConfig().Retain)
		}
		if all[0].ID != 3*keepRecords {
			t.Errorf("the newest is %d", all[0].ID)
		}
	})
}

// web.checkpoints.history may be larger than what the ledger would keep.
func TestWhatFlinkShowsIsNotForgotten(t *testing.T) {
	watch(t, func(b *bench) {
		all := []flinkrest.Checkpoint{}
		for id := int64(1); id <= 2*keepRecords; id++ {
			all = append(all, flinkrest.Checkpoint{ID: id, Status: "COMPLETED", Triggered: flinkrest.Millis(id), ExternalPath: "s3://flink/x"})
		}
		b.flink.set(func() { b.flink.answer.History, b.flink.answer.Counts.Completed = all, len(all) })
		settle()
		before := kinds(t, b.ledger)
		b.flink.complete(2*keepRecords + 1)
		b.flink.set(func() { b.flink.answer.History = append(b.flink.answer.History[:1], all...) })
		settle()
		settle()
		if n := len(kinds(t, b.ledger)) - len(before); n != 2 {
			t.Errorf("%d events of one more checkpoint", n)
		}
	})
}

func TestCopiesOfAJobThatEndedLongAgo(t *testing.T) {
	config := DefaultConfig()
	config.RetainEnded = 24 * time.Hour
	watchWith(t, config, time.Now, func(b *bench) {
		b.flink.complete(1)
		settle()
		b.flink.set(func() { b.flink.state = flinkrest.Finished })
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		b.expect(t, "1 COPIED")
		b.flink.set(func() { b.flink.unknown = true }) // Flink has forgotten it, too
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		b.expect(t, "")
		if _, err := os.Stat(filepath.Join(b.root, job)); !os.IsNotExist(err) {
			t.Errorf("its folder: %v", err)
		}
		if jobs, err := b.Jobs(); err != nil || len(jobs) != 0 {
			t.Errorf("jobs %+v, %v", jobs, err)
		}
	})
}

// What a crash left is removed at the next start, and nothing else.
func TestSweep(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2)
		settle()
		b.copier.set(func() { b.copier.down = os.ErrDeadlineExceeded })
		b.flink.complete(3)
		settle()
		b.stop()
		folder := func(id int64) string {
			r, found, err := b.ledger.Find(job, id)
			if err != nil || !found {
				t.Fatal(found, err)
			}
			return r.Folder()
		}
		left := []string{"chk-1-00000000", "chk-1-00000000.part", folder(1) + ".lock", folder(2) + ".expired"}
		stay := []string{folder(1), folder(2), folder(3) + ".part", folder(3) + ".lock", "mine", "chk-1"}
		for _, name := range append(left, stay[2:]...) {
			if err := os.MkdirAll(filepath.Join(b.root, job, name, "below"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		stranger := filepath.Join(b.root, strings.Repeat("0", 32), "chk-1-00000000")
		if err := os.MkdirAll(stranger, 0o700); err != nil {
			t.Fatal(err)
		}
		b.start(t)
		settle()
		for _, name := range left {
			if _, err := os.Stat(filepath.Join(b.root, job, name)); !os.IsNotExist(err) {
				t.Errorf("%s is still there: %v", name, err)
			}
		}
		for _, name := range stay {
			if _, err := os.Stat(filepath.Join(b.root, job, name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := os.Stat(stranger); err != nil {
			t.Errorf("copies of a job that the ledger does not know: %v", err)
		}
	})
}

// A new ledger beside old copies: they are found again, not made again or deleted.
func TestNewLedgerBesideOldCopies(t *testing.T) {
	watch(t, func(b *bench) {
		b.flink.complete(1, 2)
		settle()
		b.stop()
		if err := b.ledger.ForgetJob(job); err != nil {
			t.Fatal(err)
		}
		b.start(t)
		folders, err := os.ReadDir(filepath.Join(b.root, job))
		if err != nil || len(folders) != 2 {
			t.Errorf("%v, %v", folders, err)
		}
		settle()
		b.expect(t, "1 COPIED, 2 COPIED")
	})
}

func TestConfigMistakes(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	bad := Config{Jobs: []string{""}}
	want := []string{"interval: 0s", "jobs: ", "retain: 0", "retain_ended: 0s", "parallel: 0"}
	var got []string
	for line := range strings.SplitSeq(bad.Validate().Error(), "\n") {
		for _, w := range want {
			if strings.HasPrefix(line, w) {
				got = append(got, w)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v: -want +got:\n%s", bad.Validate(), diff)
	}
}
