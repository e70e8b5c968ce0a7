package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// An object of a completed checkpoint is deleted, cut off, or replaced by a longer one: Flink goes on showing COMPLETED, and the
// program says which object it is. So it does of a copy in which one bit is another.
func TestDamagedCheckpointsAreNamed(t *testing.T) {
	t.Parallel() // mostly it waits
	c := up(t)
	r := newReader(t, c)
	k := known{events: 500, keys: 100, large: 30_000}
	j := submitState(t, c, k, map[string]string{"execution.checkpointing.data-inline-threshold": nothing})
	defer j.cancel()
	made := r.allRecords(j)
	opened, err := r.open(made.ExternalPath)
	if err != nil {
		t.Fatal(err)
	}
	d, err := opened.Describe()
	if err != nil {
		t.Fatal(err)
	}
	victim := d.Files[len(d.Files)/2]
	file := r.local(victim.Path)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	asLatest := r.onStore("--flink", c.Flink)
	listed := func() string {
		t.Helper()
		var list struct {
			Checkpoints []struct {
				ID         int64 `json:"checkpoint_id"`
				Status     string
				Restorable string
			}
		}
		out := r.must(append([]string{"checkpoints", "list", "--verify", "-o", "json"}, asLatest...)...)
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Checkpoints {
			if one.ID == made.ID && one.Status == "COMPLETED" {
				return one.Restorable
			}
		}
		t.Fatalf("no completed checkpoint %d in %s", made.ID, out)
		return ""
	}
	verify := append([]string{"checkpoints", "verify", "latest"}, asLatest...)
	r.must(verify...)
	if listed() != "yes" {
		t.Errorf("a whole checkpoint is listed as restorable: %s", listed())
	}
	for _, damage := range []struct {
		name string
		do   func() error
		says string
	}{
		{"deleted", func() error { return os.Remove(file) }, "it does not exist"},
		{"cut off", func() error { return os.WriteFile(file, whole[:len(whole)-1], 0o644) }, fmt.Sprintf("it has %d bytes, and %d are needed", len(whole)-1, len(whole))},
		{"longer", func() error { return os.WriteFile(file, append(whole, 0), 0o644) }, fmt.Sprintf("it has %d bytes, and had %d", len(whole)+1, len(whole))},
	} {
		t.Run(damage.name, func(t *testing.T) {
			if err := damage.do(); err != nil {
				t.Fatal(err)
			}
			_, err := r.drey(verify...)
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 1 || !strings.Contains(err.Error(), victim.Path+": "+damage.says) {
				t.Errorf("verify: %v; wanted exit 1 and %s: %s", err, victim.Path, damage.says)
			}
			if got := listed(); got != "no" {
				t.Errorf("listed as restorable: %s", got)
			}
			out, err := r.drey("watch", "--once", "-o", "json", "--watch-flink", c.Flink, "--watch-dir", t.TempDir(),
				"--watch-s3-endpoint", c.S3, "--watch-s3-path-style")
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(out, victim.Path) {
				t.Errorf("watch --once: %v\n%s", err, out)
			}
			if err := os.WriteFile(file, whole, 0o644); err != nil {
				t.Fatal(err)
			}
			r.with(t).must(verify...)
		})
	}
	t.Run("copy", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "copy")
		r.with(t).must(append([]string{"checkpoints", "pull", "latest", "--to", folder}, asLatest...)...)
		r.with(t).must("checkpoints", "verify", folder)
		copied := filepath.Join(folder, filepath.Base(victim.Path))
		bit := bytes.Clone(whole)
		bit[len(bit)/2] ^= 1
		if err := os.WriteFile(copied, bit, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := r.drey("checkpoints", "verify", folder)
		if err == nil || !strings.Contains(err.Error(), filepath.Base(victim.Path)) {
			t.Errorf("one bit of %s is another: %v", copied, err)
		}
	})
	if err := os.Remove(filepath.Join(r.local(made.ExternalPath), contents.MetadataName)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.drey(verify...); err == nil || !strings.Contains(err.Error(), made.ExternalPath) {
		t.Errorf("without _metadata: %v", err)
	}
}

// served is a checkpoint as the sidecar answers.
type served struct {
	checkpoint.Record
	Restorable *bool
	Folder     string
}

// watcher is a sidecar that watches the cluster, and the events that it told of.
type watcher struct {
	*reader
	http   string
	mu     sync.Mutex
	events []checkpoint.Event
}

func (r *reader) watch() *watcher {
	r.t.Helper()
	w := &watcher{reader: r, http: freeAddr(r.t)}
	w.start()
	cmd := exec.Command(r.program, "checkpoints", "watch", "--server", w.http, "--after", "0", "-o", "json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := json.NewDecoder(out); ; {
			var e checkpoint.Event
			if lines.Decode(&e) != nil {
				return
			}
			w.mu.Lock()
			w.events = append(w.events, e)
			w.mu.Unlock()
		}
	}()
	r.t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			r.t.Error(err)
		}
		<-ended
		if err := cmd.Wait(); err != nil {
			r.t.Errorf("drey checkpoints watch: %v", err)
		}
	})
	return w
}

func (w *watcher) start() {
	w.t.Helper()
	if _, err := w.c.StartSidecar(context.Background(), w.program, append(w.c.WatchFlags(), "--watch-retain", "4", "--http-addr", w.http)...); err != nil {
		w.t.Fatal(err)
	}
}

// told says whether there was an event of a kind about a job, for which so is true.
func (w *watcher) told(job string, kind checkpoint.Kind, so func(checkpoint.Event) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Job == job && e.Kind == kind && so(e) {
			return true
		}
	}
	return false
}

func (w *watcher) checkpoints(job string) ([]served, error) {
	resp, err := http.Get("http://" + w.http + "/v1/checkpoints?limit=0&job=" + job)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var document struct{ Checkpoints []served }
	return document.Checkpoints, json.NewDecoder(resp.Body).Decode(&document)
}

// copied waits for a restorable copy of a checkpoint after a number, and answers with the newest.
func (w *watcher) copied(job string, after int64) (newest served) {
	w.t.Helper()
	await(w.t, fmt.Sprintf("a copy of a checkpoint after %d", after), time.Minute, func() (bool, error) {
		all, err := w.checkpoints(job)
		for _, newest = range all {
			if newest.State == checkpoint.Copied && newest.ID > after && newest.Restorable != nil && *newest.Restorable {
				return true, nil
			}
		}
		return false, err
	})
	return newest
}

// checkCopies looks at every copy that is said to be restorable: byte by byte, and at the state in it. In every checkpoint what
// the keys were visited is what lists has seen: no record is there once and not twice.
func (w *watcher) checkCopies(k known, job string) {
	w.t.Helper()
	all, err := w.checkpoints(job)
	if err != nil {
		w.t.Fatal(err)
	}
	looked := 0
	for _, one := range all {
		if one.State != checkpoint.Copied || one.Restorable == nil || !*one.Restorable {
			continue
		}
		out, err := w.drey("checkpoints", "verify", one.Folder)
		if _, gone := os.Stat(one.Folder); gone != nil {
			continue // a newer copy took its place just now
		}
		if err != nil {
			w.t.Errorf("%s: %v", out, err)
			continue
		}
		copied, err := contents.Open(w.t.Context(), w.files.WithMap(contents.CopiedBuckets(one.Folder)), metadata.Location{Path: one.Folder})
		if err != nil {
			w.t.Error(err)
			continue
		}
		if copied.Meta.CheckpointID != one.ID {
			w.t.Errorf("the copy of checkpoint %d is checkpoint %d", one.ID, copied.Meta.CheckpointID)
		}
		k.checkLists(w.t, copied, "lists", true, 0, 1)
		visits := int64(0)
		for _, e := range dump(w.t, copied, "by-number", "visits") {
			visits += int64(binary.BigEndian.Uint64(e.Value))
		}
		if seen := k.seen(w.t, copied, "lists", knownSubtasks); visits != seen {
			w.t.Errorf("checkpoint %d: the keys were visited %d times by %d records", one.ID, visits, seen)
		}
		looked++
	}
	if looked == 0 {
		w.t.Errorf("of %d checkpoints none has a copy", len(all))
	}
}

// The TaskManager, S3, the sidecar and the JobManager are killed (-9) one after the other while a job makes checkpoints. What the
// watcher says stays true, and in the end, with the job and its bucket gone, Flink restores the job from a copy.
func TestWatcherStaysTruthful(t *testing.T) {
	t.Parallel() // mostly it waits
	c := up(t)
	r := newReader(t, c)
	w := r.watch()
	k := known{keys: 100, large: 30_000} // records for ever
	config := map[string]string{
		"execution.checkpointing.interval":              "500 ms",
		"execution.checkpointing.timeout":               "10 s",
		"execution.checkpointing.data-inline-threshold": nothing,
	}
	j := submitState(t, c, k, config, "--rate", "1000")
	last := w.copied(j.id, 0)

	if err := c.Kill(cluster.NameTaskManager); err != nil {
		t.Fatal(err)
	}
	if err := c.StartTaskManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	restored := int64(0)
	await(t, "the watcher tells of the restore", time.Minute, func() (bool, error) {
		return w.told(j.id, checkpoint.EventRestored, func(e checkpoint.Event) bool {
			restored = e.Checkpoint
			return e.Checkpoint >= last.ID
		}), nil
	})
	last = w.copied(j.id, restored)
	w.checkCopies(k, j.id)

	// Without S3 nothing is known, which is neither good nor bad.
	if err := c.Kill(cluster.NameS3); err != nil {
		t.Fatal(err)
	}
	var failed int64
	await(t, "a checkpoint fails", time.Minute, func() (bool, error) {
		all, err := j.flink.Checkpoints(t.Context(), j.id)
		if err == nil && all.Latest.Failed != nil {
			failed = all.Latest.Failed.ID
		}
		return failed > last.ID, err
	})
	impatient := *r
	impatient.files = store(t, c, 1)
	if _, err := impatient.open(last.Path); err == nil || errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("%s while S3 is away: %v", last.Path, err)
	}
	if err := c.StartS3(t.Context()); err != nil {
		t.Fatal(err)
	}
	last = w.copied(j.id, failed)
	w.checkCopies(k, j.id)

	if err := c.Kill(cluster.NameSidecar); err != nil {
		t.Fatal(err)
	}
	w.start()
	last = w.copied(j.id, last.ID)
	w.checkCopies(k, j.id)

	// Without high availability the job is gone with its JobManager.
	if err := c.Kill(cluster.NameJobManager); err != nil {
		t.Fatal(err)
	}
	if err := c.StartJobManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the watcher tells of the job's end", time.Minute, func() (bool, error) {
		return w.told(j.id, checkpoint.EventEnded, func(checkpoint.Event) bool { return true }), nil
	})
	w.checkCopies(k, j.id)
	all, err := w.checkpoints(j.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Restorable != nil && !*one.Restorable {
			t.Errorf("checkpoint %d is said to lack %v", one.ID, one.Missing)
		}
	}
	w.fromCopy(k, last, config)
}

// fromCopy loses the bucket and restores the job from the copy of a checkpoint.
func (w *watcher) fromCopy(k known, lost served, config map[string]string) {
	t := w.t
	t.Helper()
	if err := os.RemoveAll(filepath.Dir(w.local(lost.Path))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.drey(w.onStore("checkpoints", "verify", lost.Path)...); err == nil {
		t.Errorf("%s is gone and was verified", lost.Path)
	}
	w.must("checkpoints", "verify", lost.Folder)
	j := w.restore(k, "file://"+lost.Folder, "NO_CLAIM", config)
	from := w.copied(j.id, lost.ID)
	w.checkCopies(k, j.id)
	if !w.told(j.id, checkpoint.EventRestored, func(e checkpoint.Event) bool { return e.Checkpoint == lost.ID }) {
		t.Errorf("the watcher does not tell that job %s was restored from checkpoint %d", j.id, lost.ID)
	}
	all, err := j.flink.Checkpoints(t.Context(), j.id)
	if err != nil || all.Latest.Restored == nil || all.Latest.Restored.ID != lost.ID {
		t.Errorf("Flink says that it restored %+v, %v; want checkpoint %d", all.Latest.Restored, err, lost.ID)
	}
	j.cancel()
	w.claim(k, from, config)
}

// restore submits the job from a checkpoint.
func (w *watcher) restore(k known, path, mode string, config map[string]string) *job {
	w.t.Helper()
	again := map[string]string{"execution.state-recovery.path": path, "execution.state-recovery.claim-mode": mode}
	maps.Copy(again, config)
	await(w.t, "all slots are free", time.Minute, func() (bool, error) {
		o, err := flinkrest.New(w.c.Flink).Overview(w.t.Context())
		return o.SlotsAvailable >= knownSubtasks, err
	})
	return submitState(w.t, w.c, k, again, "--rate", "1000")
}

// claim gives a checkpoint to a job of its own, which deletes it when it has newer ones; the copy stays.
func (w *watcher) claim(k known, from served, config map[string]string) {
	w.t.Helper()
	claiming := w.restore(k, from.Path, "CLAIM", config)
	defer claiming.cancel()
	w.copied(claiming.id, from.ID)
	await(w.t, "Flink deletes the checkpoint that it was given", time.Minute, func() (bool, error) {
		_, err := os.Stat(filepath.Join(w.local(from.Path), "_metadata"))
		return errors.Is(err, fs.ErrNotExist), err
	})
	w.must("checkpoints", "verify", from.Folder)
	w.checkCopies(k, claiming.id)
}
