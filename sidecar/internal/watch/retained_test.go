package watch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// savepoint is a job making one: in a folder of its own, as Flink does.
func (w *world) savepoint(id int64) (path string) {
	w.t.Helper()
	content := bytes.Clone(w.files["_metadata"])
	binary.BigEndian.PutUint64(content[8:], uint64(id))
	if _, err := w.store.Create(w.t.Context(), savepointKey(id), bytes.NewReader(content), int64(len(content))); err != nil {
		w.t.Fatal(err)
	}
	path = fmt.Sprintf("s3://%s/sp/savepoint-14ab15-%012d", bucket, id)
	w.job.Savepoint(id, path, time.Now().UnixMilli())
	return path
}

func savepointKey(id int64) string { return fmt.Sprintf("sp/savepoint-14ab15-%012d/_metadata", id) }

// TestStanding: with the configuration as it is by default, which copies no savepoints, those that are there are among what Flink
// retains; long after Flink's history has forgotten them.
func TestStanding(t *testing.T) {
	w := newWorld(t)
	if w.config.Savepoints {
		t.Fatal("savepoints are copied by default: this test is of no use")
	}
	w.savepoint(1)
	w.savepoint(2)
	w.complete(3)
	r := w.start()
	r.awaitState(3, checkpoint.Copied)
	for id := int64(4); id < 30; id++ { // more than the history shows
		w.upload(id)
		w.job.Complete(id, path(id), time.Now().UnixMilli())
		if id%5 == 0 {
			r.awaitState(id, checkpoint.Copied)
		}
	}
	if record, err := r.Checkpoint(job, 1); err != nil || record.State != checkpoint.Noted {
		t.Errorf("a savepoint: %+v, %v", record, err)
	}
	if err := w.store.Delete(t.Context(), savepointKey(2)); err != nil {
		t.Fatal(err)
	}
	all, err := r.Standing(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	s := all[0]
	at := slices.IndexFunc(s.Retained, func(c watch.Retained) bool { return c.Savepoint })
	if len(s.Retained) != 28 || at < 0 || s.Retained[at].Meta.CheckpointID != 1 {
		t.Errorf("%d are there, savepoint 1 is number %d", len(s.Retained), at)
	}
	if len(s.Gone) != 1 || s.Gone[0].ID != 2 || s.Gone[0].SeenAt.IsZero() {
		t.Errorf("gone is %+v", s.Gone)
	}
}

// Of two sidecars the one that watches knows what Flink has: work that needs that is done there alone, and ends when it no longer watches.
func TestLeading(t *testing.T) {
	w := newWorld(t)
	w.config.Lease = watch.Lease{Object: filepath.Join(t.TempDir(), "lease"), TTL: 600 * time.Millisecond, Owner: "first"}
	w.complete(1)
	first := w.start()
	first.awaitState(1, checkpoint.Copied)
	w.config.Dir, w.config.Lease.Owner = filepath.Join(t.TempDir(), "second"), "second"
	second := w.start()
	second.await("it knows who watches", func() bool {
		s := second.Status().Lease
		return s != nil && s.Owner == "first"
	})
	standing := func(r *running) (retained int, err error) {
		err = r.Leading(t.Context(), func(ctx context.Context) error {
			all, err := r.Standing(ctx)
			for _, s := range all {
				retained += len(s.Retained)
			}
			return err
		})
		return retained, err
	}
	if n, err := standing(first); err != nil || n != 1 {
		t.Errorf("the first one: %d are there, %v", n, err)
	}
	if n, err := standing(second); !errors.Is(err, watch.ErrNotLeading) || n != 0 {
		t.Errorf("the second one: %d are there, %v", n, err)
	}
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- first.Leading(context.Background(), func(ctx context.Context) error {
			close(begun)
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}()
	<-begun
	first.stop()
	if err := <-ended; !errors.Is(err, watch.ErrNotLeading) {
		t.Errorf("what was under way: %v", err)
	}
	if _, err := standing(first); !errors.Is(err, watch.ErrNotLeading) {
		t.Errorf("the first one, stopped: %v", err)
	}
	w.complete(2)
	second.awaitState(2, checkpoint.Copied)
	if n, err := standing(second); err != nil || n != 2 {
		t.Errorf("the second one: %d are there, %v", n, err)
	}
}

// What was known in an earlier time, before another sidecar watched or Flink was away, says nothing about now.
func TestStandingOfAnEarlierTime(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	if all, err := r.Standing(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	w.jm.Kill()
	r.await("Flink is away", func() bool { return r.Status().Error != "" })
	if all, err := r.Standing(t.Context()); err == nil {
		t.Errorf("while Flink is away: %+v", all)
	}
	r.stop()
	w.jm.Revive()
	later := make(chan struct{})
	defer close(later)
	w.jm.Script("GET /jobs/"+job+"/checkpoints", flinkresttest.Answer{Wait: later})
	r = w.start()
	r.await("Flink has told of its jobs", func() bool { return !r.Status().Polled.IsZero() })
	if all, err := r.Standing(t.Context()); err == nil {
		t.Errorf("before Flink has told of its checkpoints: %+v", all)
	}
}
