package source

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/metadata"
)

const (
	at       = "s3://flink/ck/chk-7"
	saved    = "s3://flink/sp/savepoint-1"
	copiedTo = "/copies/chk-7"
)

// world is a watcher, Flink, and what is at which path.
type world struct {
	records map[int64]checkpoint.Record
	broken  error // the ledger
	there   map[string]metadata.Metadata
	flink   flinkrest.Checkpoints
	away    error // Flink
}

func (w *world) Checkpoint(_ string, id int64) (checkpoint.Record, error) {
	if r, ok := w.records[id]; ok {
		return r, w.broken
	}
	if w.broken != nil {
		return checkpoint.Record{}, w.broken
	}
	return checkpoint.Record{}, problem.New(problem.NotFound, "no checkpoint %d", id)
}

func (w *world) Folder(r checkpoint.Record) string {
	if r.State != checkpoint.Copied {
		return ""
	}
	return copiedTo
}

func (w *world) Contents(_ context.Context, path string) (*contents.Checkpoint, error) {
	meta, ok := w.there[path]
	if !ok {
		return nil, errors.New("no such object")
	}
	return &contents.Checkpoint{Meta: &meta}, nil
}

func (w *world) Checkpoints(context.Context, string) (flinkrest.Checkpoints, error) {
	return w.flink, w.away
}

func TestFind(t *testing.T) {
	triggered := time.UnixMilli(1_700_000_000_000)
	seven := metadata.Metadata{CheckpointID: 7}
	known := map[int64]checkpoint.Record{7: {Key: checkpoint.Key{ID: 7, Path: at, Triggered: triggered.UnixMilli()}, State: checkpoint.Copied}}
	shown := flinkrest.Checkpoints{History: []flinkrest.Checkpoint{
		{ID: 8, Status: "COMPLETED", ExternalPath: "s3://flink/ck/chk-8"},
		{ID: 7, Status: "COMPLETED", ExternalPath: at, Triggered: flinkrest.Millis(triggered.UnixMilli())},
		{ID: 6, Status: "FAILED"},
	}}
	shown.Latest.Savepoint = &flinkrest.Checkpoint{ID: 5, Status: "COMPLETED", ExternalPath: saved, IsSavepoint: true}
	for name, c := range map[string]struct {
		world world
		id    int64
		path  string
		want  replay.Checkpoint
		says  string // of the error
	}{
		"the watcher knows it": {
			world: world{records: known, there: map[string]metadata.Metadata{at: seven}},
			id:    7, want: replay.Checkpoint{Path: at, Triggered: triggered},
		},
		"only its copy is there": {
			world: world{records: known, there: map[string]metadata.Metadata{"file://" + copiedTo: seven}},
			id:    7, want: replay.Checkpoint{Path: at, Triggered: triggered, Lost: at + ": no such object"},
		},
		"nothing of it is there": {world: world{records: known}, id: 7, says: "no such object"},
		"another sidecar watches": {
			world: world{flink: shown, there: map[string]metadata.Metadata{at: seven}},
			id:    7, want: replay.Checkpoint{Path: at, Triggered: triggered},
		},
		"a savepoint that Flink knows": {
			world: world{flink: shown, there: map[string]metadata.Metadata{saved: {CheckpointID: 5}}},
			id:    5, want: replay.Checkpoint{Path: saved, Triggered: time.Time{}, Savepoint: true},
		},
		"its path was given": {
			world: world{away: errors.New("not to be asked"), there: map[string]metadata.Metadata{"s3://x/y": {CheckpointID: 7, Snapshot: metadata.Snapshot{Savepoint: true}}}},
			id:    7, path: "s3://x/y", want: replay.Checkpoint{Path: "s3://x/y", Savepoint: true},
		},
		"another one is at the path": {
			world: world{there: map[string]metadata.Metadata{"s3://x/y": {CheckpointID: 9}}}, id: 7, path: "s3://x/y", says: "is checkpoint 9, not 7",
		},
		"a savepoint that failed": {
			world: world{records: map[int64]checkpoint.Record{6: {Key: checkpoint.Key{ID: 6}, State: checkpoint.Gone, Savepoint: true}}}, id: 6, says: "--path",
		},
		"it failed":              {world: world{flink: shown}, id: 6, says: "--path"},
		"nobody knows it":        {world: world{flink: shown}, id: 4, says: "--path"},
		"Flink forgot the job":   {world: world{away: &flinkrest.Error{Status: 404}}, id: 4, says: "--path"},
		"Flink is away":          {world: world{away: errors.New("connection refused")}, id: 4, says: "connection refused"},
		"the ledger is unusable": {world: world{flink: shown, broken: errors.New("disk full")}, id: 7, says: "disk full"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Finder{Watch: &c.world, Flink: &c.world}.Find(t.Context(), replay.Request{Job: "job", CheckpointID: c.id, Path: c.path})
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%+v, %v", found, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
