package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/lease"
)

// hold lets a disturbance last.
func (w *counts) hold(atMost time.Duration) {
	select {
	case <-time.After(atMost/2 + time.Duration(w.random.Int64N(int64(atMost/2)))):
	case <-w.t.Context().Done():
	}
}

// pause stops a process, and lets it go on.
func (w *counts) pause(name string) {
	w.t.Helper()
	pids, err := w.c.PIDs()
	w.must(err)
	for _, pid := range pids[name] {
		w.must(syscall.Kill(pid, syscall.SIGSTOP))
	}
	if w.long {
		w.hold(60 * time.Second) // at least 30 s
	} else {
		w.hold(6 * time.Second)
	}
	for _, pid := range pids[name] {
		w.must(syscall.Kill(pid, syscall.SIGCONT))
	}
}

// restartSidecar kills one and starts it again.
func (w *counts) restartSidecar(keepDisk bool) {
	s := w.anySidecar()
	w.must(w.c.Kill(s.name))
	if !keepDisk {
		w.must(os.RemoveAll(s.folder))
	}
	w.startSidecar(s)
}

// heal makes all links what they usually are.
func (w *counts) heal() {
	for _, s := range w.sidecars {
		s.way.set(false, usual)
		s.store.set(false, 0)
	}
}

// holder is the sidecar that has the lease, as it says itself.
func (w *counts) holder() (holder countsSidecar, found bool) {
	for _, s := range w.sidecars {
		var status struct {
			Watch struct{ Lease lease.Status }
		}
		if w.status(s, &status) == nil && status.Watch.Lease.Held {
			return s, true
		}
	}
	return holder, false
}

// status asks a sidecar how it is.
func (w *counts) status(s countsSidecar, into any) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/v1/status", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

// takeOver kills the sidecar that has the lease, sees the other one take it, and starts the first one again.
func (w *counts) takeOver() {
	w.t.Helper()
	var before countsSidecar
	await(w.t, "a sidecar has the lease", time.Minute, func() (found bool, err error) {
		before, found = w.holder()
		return found, nil
	})
	w.must(w.c.Kill(before.name))
	await(w.t, "the other sidecar has the lease", time.Minute, func() (bool, error) {
		now, found := w.holder()
		return found && now.name != before.name, nil
	})
	w.startSidecar(before)
}

// next is the parallelism after this one: 2, 3, 1, 2...
func (w *counts) next() int { return w.parallelism%3 + 1 }

// disturbances are all that happens to the job.
var disturbances = []struct {
	name    string
	disturb func(w *counts)
}{
	{"the TaskManager is killed", func(w *counts) {
		w.must(w.c.Kill(cluster.NameTaskManager))
		w.must(w.c.StartTaskManager(w.t.Context()))
	}},
	{"a sidecar is killed", func(w *counts) { w.restartSidecar(true) }},
	{"a sidecar is killed and its disk is lost", func(w *counts) { w.restartSidecar(false) }},
	{"the sidecars are cut off from S3", func(w *counts) {
		for _, s := range w.sidecars {
			s.store.set(true, 0)
		}
		w.hold(6 * time.Second)
		w.heal()
	}},
	{"one sidecar is cut off from S3 in silence", func(w *counts) {
		w.anySidecar().store.silence()
		w.hold(10 * time.Second)
		w.heal()
	}},
	{"the TaskManager is cut off from a sidecar in silence", func(w *counts) {
		w.anySidecar().way.silence()
		w.hold(6 * time.Second)
		w.heal()
	}},
	{"the holder of the lease is killed", func(w *counts) { w.takeOver() }},
	{"the TaskManager is cut off from a sidecar", func(w *counts) {
		w.anySidecar().way.set(true, 0)
		w.hold(6 * time.Second)
		w.heal()
	}},
	{"the job is rescaled", func(w *counts) {
		w.completed()
		w.cancel()
		w.begin(w.newest.ExternalPath, w.next(), w.claimMode())
	}},
	{"S3 is slow", func(w *counts) {
		for _, s := range w.sidecars {
			s.store.set(false, 300*time.Millisecond)
		}
		w.hold(6 * time.Second)
		w.heal()
	}},
	{"the job goes back to an older checkpoint", func(w *counts) {
		older := w.completed()
		w.progress()
		w.cancel()
		w.begin(older.ExternalPath, w.parallelism, w.claimMode())
	}},
	{"S3 is killed", func(w *counts) {
		w.must(w.c.Kill(cluster.NameS3))
		w.hold(4 * time.Second)
		w.must(w.c.StartS3(w.t.Context()))
	}},
	{"a sidecar is stopped for a while", func(w *counts) { w.pause(w.anySidecar().name) }},
	{"the JobManager is killed", func(w *counts) {
		w.completed()
		w.must(w.c.Kill(cluster.NameJobManager))
		w.must(w.c.StartJobManager(w.t.Context()))
		if !w.ha { // nobody remembers the job
			w.begin(w.newest.ExternalPath, w.parallelism, "NO_CLAIM")
		}
	}},
	{"the TaskManager is stopped for a while", func(w *counts) { w.pause(cluster.NameTaskManager) }},
	{"the job is stopped with a native savepoint and rescaled", func(w *counts) { w.savepoint(w.next(), flinkrest.Native) }},
	{"the job is stopped with a canonical savepoint", func(w *counts) { w.savepoint(w.parallelism, flinkrest.Canonical) }},
}
