package watch_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

func TestCopyOfWhatCompletes(t *testing.T) {
	w := newWorld(t)
	w.complete(4)
	r := w.start()
	record := r.awaitState(4, checkpoint.Copied)
	if !record.Restorable() || record.Files != len(w.files) || record.Operators == 0 || record.Bytes == 0 {
		t.Errorf("record %+v", record)
	}
	for name, content := range w.files {
		got, err := os.ReadFile(filepath.Join(r.Folder(record), name))
		if name == "_metadata" {
			got, content = got[16:], content[16:]
		}
		if err != nil || string(got) != string(content) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(content))
		}
	}
	w.complete(5)
	r.awaitState(5, checkpoint.Copied)
	want := []string{"job.started", "checkpoint.completed 4", "checkpoint.copied 4", "checkpoint.completed 5", "checkpoint.copied 5"}
	if diff := cmp.Diff(want, r.kinds()); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}
	jobs, err := r.Jobs()
	if err != nil || len(jobs) != 1 || jobs[0].Name != "fraud" || jobs[0].Newest == nil || jobs[0].Newest.ID != 5 || jobs[0].LastRecovered != 5 {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	for _, name := range []string{"fraud", strings.ToUpper(job)} {
		if all, err := r.Checkpoints(name, 1); err != nil || len(all) != 1 || all[0].ID != 5 {
			t.Errorf("checkpoints of %s: %+v, %v", name, all, err)
		}
	}
	ages := map[string]time.Duration{}
	if leads := r.Gauges(func(_, name string, age time.Duration, _ int) { ages[name] = age }); !leads || ages["fraud"] <= 0 || ages["fraud"] > patience {
		t.Errorf("leads %v, ages %v", leads, ages)
	}
}

func TestRestartInBetween(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	r.stop()
	w.complete(2)
	w.complete(3)
	r = w.start()
	r.awaitState(3, checkpoint.Copied)
	r.await("nothing is pending", func() bool { return r.Status().Pending == 0 })
	want := []string{
		"job.started", "checkpoint.completed 1", "checkpoint.copied 1", "checkpoint.completed 2", "checkpoint.completed 3",
		"checkpoint.copied 2", "checkpoint.copied 3",
	}
	if diff := cmp.Diff(want, sorted(r.kinds())); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}
	jobs, err := r.Jobs()
	if err != nil || len(jobs) != 1 || jobs[0].Newest == nil || jobs[0].Newest.ID != 3 {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
}

// sorted puts the copies after what completed: which comes first is a race between two goroutines.
func sorted(kinds []string) []string {
	slices.SortStableFunc(kinds, func(a, b string) int {
		late := func(s string) int {
			if strings.HasPrefix(s, "checkpoint.copied") && !strings.HasSuffix(s, " 1") {
				return 1
			}
			return 0
		}
		return late(a) - late(b)
	})
	return kinds
}

// The names of what is known survive a restart of which Flink knows nothing.
func TestAnswersWithoutFlinkAndStore(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	r.stop()
	w.jm.Kill()
	w.s3.Stop()
	r = w.start()
	r.await("flink is missed", func() bool { return r.Status().Error != "" })
	if record, err := r.Checkpoint(job, 1); err != nil || record.State != checkpoint.Copied {
		t.Errorf("checkpoint 1: %+v, %v", record, err)
	}
	w.s3.Start()
	w.upload(2)
	w.jm.Revive()
	w.job.Complete(2, path(2), 2000)
	r.awaitState(2, checkpoint.Copied)
	if s := r.Status(); s.Error != "" || s.Polled.IsZero() {
		t.Errorf("status %+v", s)
	}
}

func TestStoreAwayWhileCopying(t *testing.T) {
	w := newWorld(t)
	w.upload(1)
	w.s3.Stop()
	w.job.Complete(1, path(1), 1000)
	r := w.start()
	failed := r.awaitState(1, checkpoint.Failed)
	if !strings.Contains(failed.Error, "s3://"+bucket) {
		t.Errorf("error %q does not say where", failed.Error)
	}
	w.s3.Start()
	if copied := r.awaitState(1, checkpoint.Copied); copied.Error != "" || !copied.Restorable() {
		t.Errorf("record %+v", copied)
	}
}

func TestWhatFlinkDeleted(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	w.remove(1, slices.Collect(maps.Keys(w.files))...)
	w.complete(2)
	r := w.start()
	r.awaitState(1, checkpoint.Gone)
	r.awaitState(2, checkpoint.Copied)
	entries, err := os.ReadDir(filepath.Join(w.config.Dir, "copies", job))
	if err != nil || len(entries) != 1 {
		t.Errorf("folders %v, %v; want that of checkpoint 2 alone", entries, err)
	}
}

// Flink calls a checkpoint completed of which an object is missing: it is copied as it is, and not called restorable.
func TestCompletedIsNotRestorable(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	w.complete(2, w.state())
	record := r.awaitState(2, checkpoint.Copied)
	if record.Restorable() || len(record.Missing) != 1 || !strings.HasSuffix(record.Missing[0], w.state()) {
		t.Errorf("record %+v", record)
	}
	events, err := r.Events(0, 100)
	if last := events[len(events)-1]; err != nil || !strings.Contains(last.Message, "not restorable") || !strings.Contains(last.Message, w.state()) {
		t.Errorf("last event %+v, %v", last, err)
	}
	if jobs, err := r.Jobs(); err != nil || jobs[0].Newest.ID != 1 {
		t.Errorf("the newest complete copy is that of 1: %+v, %v", jobs, err)
	}
	partial, copied := 0, 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) { // it is counted after it is noted
		r.counted.mu.Lock()
		partial, copied = int(r.counted.partial), int(r.counted.finished[checkpoint.Copied])
		r.counted.mu.Unlock()
		if partial == 1 && copied == 2 {
			return
		}
	}
	t.Errorf("counted %d copied, %d of them not whole", copied, partial)
}

// A folder that another job writes into: the number in _metadata is another one. It is no copy of what was asked for.
func TestAnotherCheckpointInTheFolder(t *testing.T) {
	w := newWorld(t)
	w.upload(7)
	w.job.Complete(8, path(7), 8000)
	r := w.start()
	if record := r.awaitState(8, checkpoint.Failed); !strings.Contains(record.Error, "is checkpoint 7, and not 8") {
		t.Errorf("record %+v", record)
	}
}

func TestWebhook(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	w.upload(2) // of which Flink's REST interface knows nothing yet
	record, err := r.Notify(t.Context(), strings.ToUpper(job), 2, path(2)+"/_metadata")
	if err != nil || record.State != checkpoint.Seen || record.Path != path(2) {
		t.Fatalf("%+v, %v", record, err)
	}
	copied := r.awaitState(2, checkpoint.Copied)
	w.job.Complete(2, path(2), 2000)
	w.complete(3)
	r.awaitState(3, checkpoint.Copied)
	if again, err := r.Checkpoint(job, 2); err != nil || again.Seq != copied.Seq || again.StateSize == 0 {
		t.Errorf("after the poll told of it too: %+v, %v; want the same record, with the size", again, err)
	}
	for name, c := range map[string]struct {
		job  string
		id   int64
		path string
		code problem.Code
		says string
	}{
		"no job id":             {"fraud", 4, path(4), problem.InvalidRequest, "32 hex digits"},
		"unknown job":           {strings.Repeat("0", 32), 4, path(4), problem.NotFound, "GET /v1/jobs"},
		"relative path":         {job, 4, "ck/chk-4", problem.InvalidRequest, "path: "},
		"a path that climbs":    {job, 4, "s3://flink/../secret", problem.InvalidRequest, "path: "},
		"another host":          {job, 4, "hdfs://namenode/ck/chk-4", problem.InvalidRequest, "path: "},
		"another checkpoint's":  {job, 4, path(5), problem.InvalidRequest, "is not checkpoint 4"},
		"a file on a host":      {job, 4, "file://host/ck/chk-4", problem.InvalidRequest, "path: "},
		"a bucket without name": {job, 4, "s3:///ck", problem.InvalidRequest, "path: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Notify(t.Context(), c.job, c.id, c.path)
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != c.code || !strings.Contains(p.Detail, c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a webhook may name is what a checkpoint may name.
func TestWebhookIsBoundToWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	w.config.Allow = []string{"s3://" + bucket + "/ck"}
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	for _, at := range []string{"s3://other/ck/chk-2", "s3://" + bucket + "/elsewhere/chk-2", "/etc"} {
		if _, err := r.Notify(t.Context(), job, 2, at); problem.From(err).Code != problem.InvalidRequest {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := r.Notify(t.Context(), job, 2, path(2)); err != nil {
		t.Errorf("what is allowed: %v", err)
	}
}

func TestOnlyTheJobsThatAreWanted(t *testing.T) {
	w := newWorld(t)
	other := w.jm.AddJob(strings.Repeat("0", 32), "other")
	other.Complete(1, "s3://flink/other/chk-1", 1000)
	w.config.Jobs = []string{"fraud"}
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	jobs, err := r.Jobs()
	if err != nil || len(jobs) != 1 {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	if _, err := r.Notify(t.Context(), other.ID, 2, "s3://flink/other/chk-2"); problem.From(err).Code != problem.NotFound {
		t.Errorf("a webhook for the other job: %v", err)
	}
}

func TestOnlyTheOperatorsThatAreWanted(t *testing.T) {
	w := newWorld(t)
	w.config.Operators = []string{"go-udf-state"}
	w.complete(1)
	r := w.start()
	wanted := r.awaitState(1, checkpoint.Copied)
	r.stop()
	w.config.Operators, w.config.Dir = []string{"lab-source"}, filepath.Join(t.TempDir(), "other")
	r = w.start()
	source := r.awaitState(1, checkpoint.Copied)
	if wanted.Files < 2 || wanted.Files >= len(w.files) || source.Files != 1 {
		t.Errorf("go-udf-state in %d files, lab-source in %d; want some, and 1 (_metadata)", wanted.Files, source.Files)
	}
}

func TestOnce(t *testing.T) {
	w := newWorld(t)
	once := func() ([]checkpoint.Record, error) {
		t.Helper()
		r := w.open()
		defer r.stop()
		return r.Once(t.Context())
	}
	w.complete(1)
	w.complete(2)
	batch := strings.Repeat("0", 32)
	w.jm.AddJob(batch, "batch")
	w.jm.Script("GET /jobs/"+batch+"/checkpoints", flinkresttest.Answer{Status: 404, Body: `{"errors":["Checkpointing has not been enabled."]}`})
	done, err := once()
	if err != nil || len(done) != 1 || done[0].ID != 2 || done[0].State != checkpoint.Copied {
		t.Errorf("the newest: %+v, %v", done, err)
	}
	if done, err := once(); err != nil || len(done) != 0 {
		t.Errorf("nothing new: %+v, %v", done, err)
	}
	w.complete(3)
	w.complete(4)
	w.remove(4, "_metadata")
	if done, err := once(); err != nil || len(done) != 2 || done[0].State != checkpoint.Copied || done[1].State != checkpoint.Gone {
		t.Errorf("the newest is gone, so the one before: %+v, %v", done, err)
	}
	w.complete(5, w.state())
	if _, err := once(); err == nil || !strings.Contains(err.Error(), "not restorable") {
		t.Errorf("a copy that cannot be restored from: %v", err)
	}
	w.complete(6)
	w.s3.Stop()
	if done, err := once(); err == nil || len(done) != 1 || done[0].State != checkpoint.Failed {
		t.Errorf("without the store: %+v, %v", done, err)
	}
	w.jm.Kill()
	if _, err := once(); err == nil {
		t.Error("without flink: no error")
	}
}

// Of two sidecars one copies; the other answers, and takes over when the first one is gone.
func TestLease(t *testing.T) {
	for name, object := range map[string]func(w *world) string{
		"on S3":       func(*world) string { return "s3://" + bucket + "/drey/lease" },
		"in a folder": func(w *world) string { return filepath.Join(w.t.TempDir(), "lease") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Lease = watch.Lease{Object: object(w), TTL: 600 * time.Millisecond, Owner: "first"}
			w.complete(1)
			first := w.start()
			first.awaitState(1, checkpoint.Copied)
			w.config.Dir, w.config.Lease.Owner = filepath.Join(t.TempDir(), "second"), "second"
			second := w.start()
			second.await("it knows who copies", func() bool {
				s := second.Status().Lease
				return s != nil && !s.Held && s.Owner == "first"
			})
			if s := first.Status().Lease; s == nil || !s.Held || s.Fence == 0 {
				t.Errorf("the first one: %+v", s)
			}
			w.complete(2)
			first.awaitState(2, checkpoint.Copied)
			if all, err := second.Checkpoints("", 0); err != nil || len(all) != 0 || second.Gauges(func(string, string, time.Duration, int) { t.Error("a gauge") }) {
				t.Errorf("the second one has done something: %+v, %v", all, err)
			}
			if _, err := second.Notify(t.Context(), job, 3, path(3)); problem.From(err).Code != problem.NotFound {
				t.Errorf("a webhook to the second one: %v", err)
			}
			first.stop()
			w.complete(3)
			second.awaitState(3, checkpoint.Copied)
			if s := second.Status().Lease; !s.Held || s.Owner != "second" || s.Fence < 2 {
				t.Errorf("the second one: %+v", s)
			}
		})
	}
}

// The store of the lease is away: nobody copies, since nobody knows whose turn it is.
func TestLeaseStoreAway(t *testing.T) {
	w := newWorld(t)
	w.config.Lease = watch.Lease{Object: "s3://" + bucket + "/drey/lease", TTL: 600 * time.Millisecond}
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	if s := r.Status().Lease; !strings.Contains(s.Owner, "/") {
		t.Errorf("owner %q is not host and process", s.Owner)
	}
	w.s3.Stop()
	r.await("it lets go", func() bool { return !r.Status().Lease.Held })
	w.s3.Start()
	w.complete(2)
	r.awaitState(2, checkpoint.Copied)
}
