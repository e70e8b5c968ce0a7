package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// The test binary is also the child that copies, and the S3 server.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		if err := runChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	snapshottest.Main(m)
}

// poll waits for what only the operating system can tell.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[99-i] = float64(i)
	}
	for q, want := range map[float64]float64{0: 0, 0.5: 50, 0.99: 99, 1: 99} {
		if got := quantile(hundred, q); got != want {
			t.Errorf("%g: %g, want %g", q, got, want)
		}
	}
	if hundred[0] != 99 {
		t.Error("the values were sorted in place")
	}
}

func TestPeakOf(t *testing.T) {
	if got, err := peakOf([]byte("VmPeak:\t  9000 kB\nVmHWM:\t    12 kB\nVmRSS:\t 1 kB\n")); err != nil || got != 12<<10 {
		t.Errorf("%d, %v", got, err)
	}
	for _, text := range []string{"", "VmPeak:\t12 kB\n", "VmHWM:\t12 MB\n", "VmHWM:\t12\n", "VmHWM:\tx kB\n"} {
		if got, err := peakOf([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got, err := peakMemory("self"); err != nil || got < 1<<20 {
		t.Errorf("this process: %d, %v", got, err)
	}
}

// Ratios are of the same round, and the allocations are those of the worst.
func TestMetadataReport(t *testing.T) {
	c := metadataCase{
		name: "files", flink: contents{Subtasks: 10_000},
		ours: []float64{300, 500, 400}, theirs: []float64{100, 250, 100}, allocs: []float64{60, 20_000, 61},
	}
	var r Report
	c.report(&r)
	if len(r.Cases) != 3 {
		t.Fatalf("%+v", r.Cases)
	}
	if c := r.Cases[0]; c.Ours != 400 || c.Theirs != 100 || c.Ratio != 3 || c.Goal != 1 {
		t.Errorf("%+v", c)
	}
	if c := r.Cases[1]; c.Ours != 400 || c.Ratio != 2 || c.Goal != 1 {
		t.Errorf("%+v", c)
	}
	if c := r.Cases[2]; c.Ratio != 0.5 || r.missed() != 1 {
		t.Errorf("%+v", c)
	}
}

// A reader that finds something else in the file than Flink is no measure.
func TestParseForCompares(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "metadata", "testdata", "files", "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := metadata.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	right, err := contentsOf(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if right.Operators == 0 || right.Subtasks < right.Operators || right.StateBytes < int64(right.Subtasks) {
		t.Errorf("found %+v", right)
	}
	perSecond, allocs, err := parseFor(t.Context(), &metadataCase{data: data, flink: right}, 0.01)
	if err != nil || !(perSecond > 0) || !(allocs > 0) || math.IsInf(perSecond, 0) {
		t.Errorf("%g MB/s, %g allocations, %v", perSecond, allocs, err)
	}
	wrong := right
	wrong.StateBytes++
	if _, _, err := parseFor(t.Context(), &metadataCase{data: data, flink: wrong}, 0.01); err == nil {
		t.Error("a difference is not noticed")
	}
}

// What the Java side says is taken only if it is of the case that was asked for, and finds what was written.
func TestFlinkReader(t *testing.T) {
	for said, fault := range map[string]string{
		`{"case":"files","loads":10,"seconds":2,"operators":1,"subtasks":2,"state_bytes":3}`:       "",
		`{"case":"incremental","loads":10,"seconds":2,"operators":1,"subtasks":2,"state_bytes":3}`: "read",
		`{"case":"files","loads":10,"seconds":2,"operators":1,"subtasks":2,"state_bytes":4}`:       "read",
		`{"case":"files","loads":0,"seconds":2,"operators":1,"subtasks":2,"state_bytes":3}`:        "read",
		`{"case":`: "MetadataBench said",
	} {
		child, err := ask(t.TempDir(), exec.CommandContext(t.Context(), "sh", "-c", `read -r line; [ "$line" = "files 0.5" ] && echo "$0"`, said))
		if err != nil {
			t.Fatal(err)
		}
		reader := flinkReader{child}
		got, err := reader.read(t.Context(), &metadataCase{name: "files", data: make([]byte, 2e6), flink: contents{1, 2, 3}}, 0.5)
		if fault == "" && (err != nil || got != 10) || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%s: %g, %v", said, got, err)
		}
		child.end()
	}
}

// A pull that goes on may fetch again what was in flight, and not more; less than was missing cannot be.
func TestResumed(t *testing.T) {
	const total, there = 1_000_000_000, 400_000_000
	for fetched, reached := range map[int64]bool{
		600_000_000:                             true,
		600_000_000 + pullParallel*pullBlock:    true,
		600_000_000 + pullParallel*pullBlock*2:  false,
		1_000_000_000:                           false,
		600_000_000 + pullParallel*pullBlock/10: true,
	} {
		c, err := resumed(total, there, fetched)
		if err != nil || (c.Ratio >= c.Goal) != reached {
			t.Errorf("%d: %+v, %v", fetched, c, err)
		}
	}
	if _, err := resumed(total, there, 599_999_999); err == nil {
		t.Error("less than was missing will do")
	}
}

// Ratios are of the same round.
func TestCompareCopiesByRound(t *testing.T) {
	ours := []copyDone{{Seconds: 2, CPU: 1}, {Seconds: 1, CPU: 2}, {Seconds: 4, CPU: 3}}
	theirs := []copyDone{{Seconds: 1, CPU: 0.5, PeakBytes: 7e6}, {Seconds: 1, CPU: 0.25, PeakBytes: 9e6}, {Seconds: 3, CPU: 1, PeakBytes: 8e6}}
	c := compareCopies(ours, theirs, 12e6)
	if c.Ours != 6 || c.Theirs != 12 || c.Ratio != 0.75 {
		t.Errorf("%+v", c)
	}
	if want := "processor time of a copy 2.00 s against 0.50 s; the loop's process takes up to 9 MB"; c.Note != want {
		t.Errorf("%q", c.Note)
	}
}

// newPullBench has its objects in a real S3 server; the script breaks what lies between it and the children.
func newPullBench(t *testing.T, objects int, size int64, script snapshottest.Script) *pullBench {
	server := snapshottest.StartS3(t)
	b := &pullBench{
		store: &objectStore{config: snapshottest.StartProxy(t, server, script).Config(), bucket: server.Bucket(t, benchBucket)},
		dir:   t.TempDir(), binary: os.Args[0], total: int64(objects) * size,
	}
	b.task = copyTask{S3: b.store.config, Bucket: benchBucket, Size: size, Parallel: pullParallel}
	for i := range objects {
		b.task.Keys = append(b.task.Keys, fmt.Sprintf(pullKeys, i))
	}
	if err := b.upload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// Both ways of copying make the same copy, and what was fetched is counted.
func TestBothCopies(t *testing.T) {
	b := newPullBench(t, 20, 300_000, nil)
	var r Report
	if err := b.compare(t.Context(), &r, 1); err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) != 2 || r.Cases[0].Goal != 0.8 || r.Cases[1].Goal != 0 || b.peak < 1<<20 {
		t.Errorf("%+v, peak %d", r.Cases, b.peak)
	}
	for _, c := range r.Cases {
		if !(c.Ours > 0) || !(c.Theirs > 0) || math.Abs(c.Ratio-c.Ours/c.Theirs) > 1e-9 {
			t.Errorf("%+v", c)
		}
	}
	if left, err := filepath.Glob(filepath.Join(b.dir, "copy*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	// A copy that is not what was uploaded is noticed; so is one that cannot be made.
	key := b.task.Keys[7]
	if err := b.store.bucket.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := b.once(t.Context(), taskGet, false); err == nil || !strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("get: %v", err)
	}
	if _, err := b.once(t.Context(), taskPull, false); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("pull: %v", err)
	}
	if _, err := b.store.bucket.Create(t.Context(), key, bytes.NewReader(make([]byte, 300_000)), 300_000); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{taskGet, taskSynced, taskPull} {
		if _, err := b.once(t.Context(), mode, true); err == nil || !strings.Contains(err.Error(), key+" is not what was uploaded") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// A pull is killed when half is there; the next one fetches the rest. The objects of the second half come only after that.
func TestResume(t *testing.T) {
	const objects = 20
	killed := make(chan struct{})
	var once sync.Once
	b := newPullBench(t, objects, 1_500_000, func(_ int, r *http.Request) snapshottest.Fault {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "9") { // two of twenty: as many go on
			return nil
		}
		return func(p *snapshottest.Proxy, w http.ResponseWriter, r *http.Request) {
			select {
			case <-killed:
				snapshottest.Pass(p, w, r)
			case <-r.Context().Done():
				once.Do(func() { close(killed) })
			}
		}
	})
	var r Report
	if err := b.resume(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if c := r.Cases[0]; c.Ratio < c.Goal || c.Ours < 3 || c.Ours > 25 {
		t.Errorf("%+v", c)
	}
	<-killed
	if left, err := filepath.Glob(filepath.Join(b.dir, "resumed*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// Nothing holds it up now, and it may well end before half of it is seen; it must not be said to have been killed then.
	b.total *= 10
	if _, err := b.interrupt(t.Context(), filepath.Join(b.dir, "fast")); err == nil || !strings.Contains(err.Error(), "before it could be killed") {
		t.Errorf("got %v", err)
	}
}

func TestContent(t *testing.T) {
	a, b := content(0, 1000), content(1, 1000)
	if bytes.Equal(a, b) || !bytes.Equal(a, content(0, 1000)) || bytes.Equal(a[:500], a[500:]) {
		t.Error("contents are alike, or not the same twice")
	}
}

func sent(t *testing.T, kind checkpoint.Kind, id int64, message string) string {
	t.Helper()
	text, err := json.Marshal(checkpoint.Event{Kind: kind, Job: "a", Checkpoint: id, Message: message})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, kind, text)
}

// Events are read as drey writes them; one that should not be ends the measurement.
func TestHeard(t *testing.T) {
	h := newHeard()
	begin := time.Now()
	err := h.read(strings.NewReader(": events of drey\nretry: 1000\n\nid: 0\n\n" + sent(t, checkpoint.EventNewRun, 0, "") +
		sent(t, checkpoint.EventCompleted, 7, "") + ":\nid: 2\n\n" + sent(t, checkpoint.EventCopied, 7, "") + sent(t, checkpoint.EventCompleted, 8, "")))
	if err == nil || !strings.Contains(err.Error(), "EOF") || h.bad != nil {
		t.Errorf("got %v, bad %v", err, h.bad)
	}
	for _, kind := range []checkpoint.Kind{checkpoint.EventCompleted, checkpoint.EventCopied} {
		if at := h.at(kind, checkpointID{"a", 7}); at.Before(begin) || at.After(time.Now()) {
			t.Errorf("%s at %v", kind, at)
		}
	}
	if !h.at(checkpoint.EventCopied, checkpointID{"a", 8}).IsZero() {
		t.Error("checkpoint 8 is not copied")
	}
	if err := h.read(strings.NewReader("data: {\n")); err == nil || !strings.Contains(err.Error(), "data") && !strings.Contains(err.Error(), "JSON") {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{
		sent(t, checkpoint.EventGone, 9, ""), sent(t, checkpoint.EventFailed, 9, ""), sent(t, checkpoint.EventMissed, 9, ""),
		sent(t, checkpoint.EventCopied, 9, "not restorable: 1 objects are missing"), sent(t, checkpoint.EventCopied, 7, ""),
		"event: events.lost\ndata: {\"after\":0,\"oldest\":5}\n\n",
	} {
		h.bad = nil
		_ = h.read(strings.NewReader(text)) // it ends
		if h.bad == nil {
			t.Errorf("all is well after %q", text)
		}
	}
}

func TestHeardAwait(t *testing.T) {
	child, err := tie(t.TempDir(), exec.CommandContext(t.Context(), "sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	h, lost := newHeard(), make(chan error, 1)
	waited := make(chan error, 1)
	go func() { waited <- h.await(t.Context(), lost, child, "copies", 2) }()
	for id := range int64(2) {
		h.take(checkpoint.Event{Kind: checkpoint.EventCopied, Job: "a", Checkpoint: id}, time.Now())
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
	lost <- errors.New("connection reset")
	if err := h.await(t.Context(), lost, child, "copies", 3); err == nil || !strings.Contains(err.Error(), "connection reset") {
		t.Errorf("got %v", err)
	}
	if err := child.kill(); err != nil {
		t.Error(err)
	}
	if err := h.await(t.Context(), lost, child, "copies", 3); err == nil || !strings.Contains(err.Error(), "sleep: signal: killed") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	child.ended = make(chan struct{})
	if err := h.await(ctx, lost, child, "copies", 3); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Delays are from the moment of the completion to that at which a client knew of the copy.
func TestHeardReport(t *testing.T) {
	h, completed, begin := newHeard(), map[checkpointID]time.Time{}, time.Now()
	for id := range int64(100) {
		completed[checkpointID{"a", id}] = begin
		h.take(checkpoint.Event{Kind: checkpoint.EventCompleted, Job: "a", Checkpoint: id}, begin.Add(time.Duration(id)*40*time.Millisecond))
		h.take(checkpoint.Event{Kind: checkpoint.EventCopied, Job: "a", Checkpoint: id}, begin.Add(time.Duration(id)*50*time.Millisecond))
	}
	var r Report
	if err := h.report(&r, completed, 5*time.Second, 0.05); err != nil {
		t.Fatal(err)
	}
	c := r.Cases[0]
	if math.Abs(c.Ours-4.95) > 1e-9 || math.Abs(c.Theirs-5.05) > 1e-9 || c.Ratio < c.Goal {
		t.Errorf("%+v", c)
	}
	for _, want := range []string{"p50 2.50 s", "p90 4.50 s", "slowest 4.95 s", "0 above", "saw it p50 2.00 s", "takes 50 ms"} {
		if !strings.Contains(c.Note, want) {
			t.Errorf("no %q in %q", want, c.Note)
		}
	}
	if err := h.report(&r, nil, time.Second, 0); err == nil {
		t.Error("nothing was measured, and that is no error")
	}
}

// The jobs look as Flink's do, and their checkpoints can be copied.
func TestWatchedJobs(t *testing.T) {
	server := snapshottest.StartS3(t)
	store := &objectStore{config: server.Config(), bucket: server.Bucket(t, benchBucket)}
	j, err := newWatchedJobs(filepath.Join("..", "..", ".."), store, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.end)
	for job := range j.jobs {
		if err := j.begin(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if seconds, err := j.copyAlone(t.Context(), t.TempDir(), 2); err != nil || !(seconds > 0) {
		t.Errorf("%g, %v", seconds, err)
	}
	completed := map[checkpointID]time.Time{}
	sizes := checkpointSizes{jobs: 3, watched: 60 * time.Millisecond, pace: 30 * time.Millisecond}
	if err := j.complete(t.Context(), sizes, completed); err != nil {
		t.Fatal(err)
	}
	if len(completed) != 6 {
		t.Errorf("%d checkpoints completed", len(completed))
	}
	shown := 0
	for i, job := range j.jobs {
		all, err := flinkrest.New(j.jm.URL).Checkpoints(t.Context(), job.ID)
		if err != nil {
			t.Fatal(err)
		}
		newest := all.Latest.Completed
		if newest == nil || newest.ID != j.last[i] || newest.Discarded || newest.ExternalPath != j.path(i, newest.ID) {
			t.Errorf("newest of job %d: %+v, want %d", i, newest, j.last[i])
			continue
		}
		for _, c := range all.History {
			if c.Discarded == (c.ID == newest.ID) {
				t.Errorf("job %d: %+v, and %d is the newest", i, c, newest.ID)
			}
			if !completed[checkpointID{job.ID, c.ID}].IsZero() {
				shown++
			}
		}
		reader, object, err := store.bucket.Open(t.Context(), j.folder(i, newest.ID)+"/_metadata", snapshot.Whole())
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := metadata.Read(reader, object.Size)
		if err := errors.Join(err, reader.Close()); err != nil || parsed.CheckpointID != newest.ID {
			t.Errorf("%+v, %v", parsed, err)
		}
	}
	if shown != len(completed) {
		t.Errorf("%d checkpoints completed, %d are shown", len(completed), shown)
	}
}
