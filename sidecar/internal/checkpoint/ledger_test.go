package checkpoint

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

const job = "14ab15ac1452e671ba95b9cfcafa7c47"

func openLedger(t *testing.T, path string) *Ledger {
	t.Helper()
	moment := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	l, err := OpenLedger(path, 10*time.Millisecond, func() time.Time { return moment })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) //nolint:errcheck // a second Close of a closed ledger
	return l
}

func chk(id, triggered int64) Record {
	return Record{Key: Key{Job: job, ID: id, Path: "s3://flink/ck/" + job + "/chk", Triggered: triggered}}
}

func kinds(t *testing.T, l *Ledger) []Kind {
	t.Helper()
	events, err := l.Events(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var all []Kind
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}

func see(t *testing.T, l *Ledger, r Record) (Record, bool) {
	t.Helper()
	known, isNew, err := l.See(r)
	if err != nil {
		t.Fatal(err)
	}
	return known, isNew
}

func copied(t *testing.T, l *Ledger, r Record) {
	t.Helper()
	r.State = Copied
	if err := l.Finish(r, EventCopied, ""); err != nil {
		t.Fatal(err)
	}
}

func TestForwardOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := openLedger(t, path)
	if _, _, err := l.Observe(Sight{Run: Run{Job: job, Name: "fraud", Started: 1000, Restored: -1}}); err != nil {
		t.Fatal(err)
	}
	first, isNew := see(t, l, chk(5, 5000))
	if !isNew || first.State != Seen {
		t.Errorf("first sight: %+v, new %v", first, isNew)
	}
	if _, isNew := see(t, l, chk(5, 5000)); isNew {
		t.Error("the same checkpoint is new twice: polling and a webhook tell of the same one")
	}
	copied(t, l, first)

	late, _ := see(t, l, chk(4, 4000))
	if late.State != Dropped {
		t.Errorf("checkpoint 4 after 5: %s, want %s", late.State, Dropped)
	}
	if newer, _ := see(t, l, chk(9, 9000)); newer.State != Seen {
		t.Errorf("ids jump from 5 to 9: %s, want %s", newer.State, Seen)
	}
	savepoint := chk(3, 3000)
	savepoint.Savepoint = true
	if s, _ := see(t, l, savepoint); s.State != Seen {
		t.Errorf("a savepoint is never too old: %s", s.State)
	}
	want := []Kind{EventNewRun, EventCompleted, EventCopied, EventDropped, EventCompleted, EventCompleted}
	if diff := cmp.Diff(want, kinds(t, l)); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}

	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	runs, err := openLedger(t, path).Runs()
	if err != nil || runs[job].LastRecovered != 5 {
		t.Errorf("after it was opened again: %+v, %v; want 5 recovered", runs, err)
	}
}

func TestRuns(t *testing.T) {
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger"))
	observe := func(r Run) Run {
		t.Helper()
		r.Job = job
		now, _, err := l.Observe(Sight{Run: r})
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	observe(Run{Started: 1000, Restored: -1})
	r, _ := see(t, l, chk(8, 8000))
	copied(t, l, r)

	if now := observe(Run{Started: 1000, Restored: 8, Restores: 1, At: 9000}); now.LastRecovered != 8 {
		t.Errorf("a failover within the run: last recovered %d, want 8", now.LastRecovered)
	}
	before := kinds(t, l)
	observe(Run{Started: 1000, Restored: 8, Restores: 1, At: 9000})
	if diff := cmp.Diff(before, kinds(t, l)); diff != "" {
		t.Errorf("the same observation again made events:\n%s", diff)
	}

	// The job id is used again, from an older savepoint: its numbers come a second time.
	if now := observe(Run{Started: 20_000, Restored: 3, Restores: 1, At: 20_001}); now.LastRecovered != 3 {
		t.Errorf("restored from 3: last recovered %d", now.LastRecovered)
	}
	if again, isNew := see(t, l, chk(8, 28_000)); !isNew || again.State != Seen {
		t.Errorf("checkpoint 8 of the second run: %+v, new %v", again, isNew)
	}
	// And without any restore it begins at 1.
	if now := observe(Run{Started: 40_000, Restored: -1}); now.LastRecovered != -1 {
		t.Errorf("a fresh run: last recovered %d", now.LastRecovered)
	}
	all, err := l.List(job, 0)
	if err != nil || len(all) != 2 || all[0].Triggered != 28_000 {
		t.Errorf("both checkpoints 8, the newest first: %+v, %v", all, err)
	}
	want := []Kind{EventNewRun, EventCompleted, EventCopied, EventRestored, EventNewRun, EventRestored, EventCompleted, EventNewRun}
	if diff := cmp.Diff(want, kinds(t, l)); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}
}

func TestEventsAreBounded(t *testing.T) {
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger"))
	err := l.db.Update(func(tx *bbolt.Tx) error {
		for range maxEvents + 5 {
			if err := l.append(tx, Event{Kind: EventCompleted}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Events(0, 2*maxEvents)
	if err != nil || len(all) != maxEvents || all[0].Seq != 6 {
		t.Errorf("%d events from %d, %v; want %d from 6", len(all), all[0].Seq, err, maxEvents)
	}
	next, err := l.Events(maxEvents+3, 10)
	if err != nil || len(next) != 2 || next[0].Seq != maxEvents+4 {
		t.Errorf("after %d: %+v, %v", maxEvents+3, next, err)
	}
}

func TestLedgerIsHeldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	openLedger(t, path)
	if _, err := OpenLedger(path, 10*time.Millisecond, time.Now); err == nil || !strings.Contains(err.Error(), "another drey holds it") {
		t.Errorf("second opening: %v", err)
	}
}

func TestBrokenLedger(t *testing.T) {
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a ledger ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(garbage, time.Second, time.Now); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("garbage: %v", err)
	}

	path := filepath.Join(folder, "newer")
	l := openLedger(t, path)
	err := l.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put([]byte("format"), []byte("2")) })
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(path, time.Second, time.Now); err == nil || !strings.Contains(err.Error(), `"2"`) {
		t.Errorf("format of a later drey: %v", err)
	}
}

// FuzzLedgerValue: whatever stands in the file, reading it ends with an answer or an error.
func FuzzLedgerValue(f *testing.F) {
	f.Add([]byte(`{"job":"x","checkpoint_id":1,"state":"COPIED","seen_at":"2026-11-23T12:00:00Z"}`))
	f.Add([]byte(`{"checkpoint_id":1e99}`))
	f.Add([]byte{0xff})
	l, err := OpenLedger(filepath.Join(f.TempDir(), "ledger"), time.Second, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close() //nolint:errcheck
	f.Fuzz(func(t *testing.T, value []byte) {
		err := l.db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(
				tx.Bucket(bucketCheckpoints).Put(recordKey(Key{Job: job, ID: 1}), value),
				tx.Bucket(bucketRuns).Put([]byte(job), value),
				tx.Bucket(bucketEvents).Put(binary.BigEndian.AppendUint64(nil, 1), value))
		})
		if err != nil {
			t.Fatal(err)
		}
		_, listErr := l.List("", 0)
		_, runsErr := l.Runs()
		_, eventsErr := l.Events(0, 10)
		for _, err := range []error{listErr, runsErr, eventsErr} {
			if err != nil && !strings.Contains(err.Error(), "begins anew") {
				t.Errorf("%v does not say what to do", err)
			}
		}
	})
}

// A poll tells of what a webhook told before it, while it is being copied: it stays one record, and knows what both know.
func TestPollAfterWebhook(t *testing.T) {
	l := openLedger(t, filepath.Join(t.TempDir(), "ledger"))
	if _, _, err := l.Observe(Sight{Run: Run{Job: job, Started: 1000, Restored: -1}}); err != nil {
		t.Fatal(err)
	}
	first, _ := see(t, l, chk(5, 0))
	polled := chk(5, 5000)
	polled.StateSize = 77
	if known, isNew := see(t, l, polled); isNew || known.StateSize != 77 || known.Key != first.Key {
		t.Errorf("the poll: %+v, new %v", known, isNew)
	}
	copied(t, l, first)
	r, found, err := l.Find(job, 5)
	if err != nil || !found || r.State != Copied || r.StateSize != 77 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, isNew := see(t, l, polled); isNew {
		t.Error("the next poll takes it for another one")
	}
	// The same number and path in another run is another checkpoint.
	if _, _, err := l.Observe(Sight{Run: Run{Job: job, Started: 2000, Restored: 3}}); err != nil {
		t.Fatal(err)
	}
	polled.Triggered = 9000
	if again, isNew := see(t, l, polled); !isNew || again.State != Seen {
		t.Errorf("checkpoint 5 of the next run: %+v, new %v", again, isNew)
	}
	all, err := l.List(job, 0)
	if err != nil || len(all) != 2 || all[0].Run != 2000 || all[1].Run != 1000 {
		t.Errorf("%+v, %v", all, err)
	}
}
