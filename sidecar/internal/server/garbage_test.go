package server

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/statestore/garbage"
	"github.com/drey-flink/drey/sidecar/internal/watch"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// The collector is told which of the checkpoints that are there are savepoints, and which savepoints are known and gone.
func TestCollected(t *testing.T) {
	there := func(id int64, savepoint bool) watch.Retained {
		return watch.Retained{Checkpoint: &contents.Checkpoint{Meta: &metadata.Metadata{CheckpointID: id}}, Savepoint: savepoint}
	}
	triggered := time.UnixMilli(1_700_000_000_000)
	got, err := collected(t.Context(), watch.Standing{
		Job: "job", Retained: []watch.Retained{there(7, false), there(5, true)},
		Gone: []checkpoint.Record{{Key: checkpoint.Key{ID: 6, Triggered: triggered.UnixMilli()}, SeenAt: triggered.Add(time.Second)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(garbage.Job{
		ID: "job", Retained: []garbage.Checkpoint{{ID: 7}, {ID: 5, Savepoint: true}},
		Gone: []garbage.Gone{{ID: 6, Begun: triggered, Known: triggered.Add(time.Second)}},
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
