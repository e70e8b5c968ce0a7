package watch_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
	"github.com/drey-flink/drey/sidecar/internal/watch"
	"github.com/drey-flink/drey/sidecar/metadata"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

const (
	job    = "14ab15ac1452e671ba95b9cfcafa7c47"
	token  = "0123456789abcdef0123456789abcdef"
	bucket = "flink"
	// patience is a limit for what should happen soon, not a duration that anything is measured by.
	patience = time.Minute
)

// world is what is around a watcher: a scripted JobManager and a real S3 server with the objects of a real job
// (sidecar/metadata/testdata/files).
type world struct {
	t      *testing.T
	jm     *flinkresttest.JobManager
	job    *flinkresttest.Job
	s3     *snapshottest.S3
	store  *s3.Store
	config watch.Config
	files  map[string][]byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, jm: flinkresttest.New(t), s3: snapshottest.StartS3(t), files: map[string][]byte{}}
	w.store = w.s3.Bucket(t, bucket)
	w.job = w.jm.AddJob(job, "fraud")
	w.read(filepath.Join("..", "..", "metadata", "testdata", "files"))
	w.config = watch.DefaultConfig()
	w.config.Flink, w.config.Interval, w.config.Dir = []string{w.jm.URL}, 50*time.Millisecond, filepath.Join(t.TempDir(), "watch")
	w.config.S3 = w.s3.Config()
	w.config.S3.Attempts = 2
	w.config.NotifyTokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(w.config.NotifyTokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// read takes a checkpoint of a real job. Of its files of state one is there; the others are zeros of the same size.
func (w *world) read(folder string) {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, "_metadata"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.files["_metadata"] = content
	meta, err := metadata.Parse(content)
	if err != nil {
		w.t.Fatal(err)
	}
	files, err := meta.Files(metadata.Location{Scheme: "s3", Authority: bucket, Path: "/x"})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range files {
		name := strings.TrimPrefix(files[i].Location.Path, "/x/")
		if w.files[name], err = os.ReadFile(filepath.Join(folder, name)); err != nil {
			w.files[name] = make([]byte, files[i].Offset()+files[i].Size())
		}
	}
}

func path(id int64) string { return fmt.Sprintf("s3://%s/ck/%s/chk-%d", bucket, job, id) }

func key(id int64, name string) string { return fmt.Sprintf("ck/%s/chk-%d/%s", job, id, name) }

// upload puts the objects of a checkpoint into the bucket, but for those that are left out.
func (w *world) upload(id int64, without ...string) {
	w.t.Helper()
	for name, content := range w.files {
		if strings.Contains(strings.Join(without, " "), name) {
			continue
		}
		if name == "_metadata" {
			content = bytes.Clone(content)
			binary.BigEndian.PutUint64(content[8:], uint64(id)) // magic, version, id
		}
		if _, err := w.store.Create(w.t.Context(), key(id, name), bytes.NewReader(content), int64(len(content))); err != nil {
			w.t.Fatal(err)
		}
	}
}

// complete is Flink completing a checkpoint.
func (w *world) complete(id int64, without ...string) {
	w.t.Helper()
	w.upload(id, without...)
	w.job.Complete(id, path(id), time.Now().UnixMilli())
}

// remove is Flink deleting a checkpoint, or somebody else an object of it.
func (w *world) remove(id int64, names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := w.store.Delete(w.t.Context(), key(id, name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// state is the name of an object beside _metadata.
func (w *world) state() string {
	names := slices.Sorted(maps.Keys(w.files))
	return names[0] // a digit; _ comes after those
}

type observer struct {
	mu       sync.Mutex
	finished map[checkpoint.State]int
	partial  int
	bytes    int64
	restored int
}

func (o *observer) FlinkAsked(bool) {}

func (o *observer) CheckpointFinished(state checkpoint.State, complete bool, bytes int64, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finished[state]++
	if state == checkpoint.Copied && !complete {
		o.partial++
	}
	o.bytes += bytes
}

func (o *observer) CheckpointsMissed(int) {}

func (o *observer) JobRestored() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.restored++
}

// running is a watcher at work.
type running struct {
	*watch.Watch
	t       *testing.T
	counted *observer
	stop    func()
}

// open makes a watcher that does nothing yet.
func (w *world) open() *running {
	w.t.Helper()
	r := &running{t: w.t, counted: &observer{finished: map[checkpoint.State]int{}}}
	var err error
	if r.Watch, err = watch.New(w.t.Context(), w.config, "", r.counted, slog.New(slog.NewTextHandler(w.t.Output(), nil))); err != nil {
		w.t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() {
		if err := r.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(r.stop)
	return r
}

// start runs a watcher until stop, or the end of the test.
func (w *world) start() *running {
	w.t.Helper()
	r := w.open()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	last := r.stop
	r.stop = func() {
		cancel()
		<-ended
		last()
	}
	w.t.Cleanup(r.stop)
	return r
}

// await waits until something is so; it looks whenever an event comes, and now and then, since not everything is one.
func (r *running) await(what string, so func() bool) {
	r.t.Helper()
	limit := time.After(patience)
	for {
		changed := r.Changed()
		if so() {
			return
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond):
		case <-limit:
			records, err := r.Checkpoints("", 0)
			r.t.Fatalf("not in time: %s; status %+v, checkpoints %+v, %v", what, r.Status(), records, err)
		}
	}
}

// awaitState waits until a checkpoint is in a state, and returns it.
func (r *running) awaitState(id int64, state checkpoint.State) checkpoint.Record {
	r.t.Helper()
	var found checkpoint.Record
	r.await(fmt.Sprintf("checkpoint %d is %s", id, state), func() bool {
		record, err := r.Checkpoint(job, id)
		found = record
		return err == nil && record.State == state
	})
	return found
}

// kinds are those of the events so far.
func (r *running) kinds() []string {
	r.t.Helper()
	events, err := r.Events(0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		text := string(e.Kind)
		if e.Checkpoint > 0 {
			text += fmt.Sprint(" ", e.Checkpoint)
		}
		all = append(all, text)
	}
	return all
}
