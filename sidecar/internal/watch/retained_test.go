package watch_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
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
