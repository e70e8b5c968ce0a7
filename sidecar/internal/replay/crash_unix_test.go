//go:build unix

package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// onDisk is what a process needs that works off a replay of the world.
type onDisk struct {
	Folder     string // of everything
	References []segment.Reference
	Decisions  []*decisions.Decision
	KillAt     string // STATE, or STATE+untold for the end itself
}

// TestMain is also the process that is killed.
func TestMain(m *testing.M) {
	if file := os.Getenv("REPLAY_CRASH_TEST"); file != "" {
		if err := child(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child works off what there is, and prints the ends that it tells of.
func child(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d onDisk
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	store, err := dir.Open(filepath.Join(d.Folder, "store"))
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // only read
	ended := make(chan struct{})
	m, err := New(Config{Folder: filepath.Join(d.Folder, "replays"), KeepFinished: 3, MaxDifferences: 10, Modes: []Mode{Audit}}, Deps{
		Checkpoints: &found{asked: make(chan struct{}, 100), checkpoint: Checkpoint{
			Path: "s3://x/chk-1", Operators: []OperatorState{{Operator: operator, MaxParallelism: keyGroups, References: d.References}},
		}},
		Snapshots: store, Decisions: decisionLog(d.Decisions), Functions: functions{limit: 1}, Build: "now",
		Ended: func(r Replay, told func()) {
			fmt.Println("told of", r.ID)
			told()
			close(ended)
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	m.store.wrote = func(r Replay) {
		at := string(r.State)
		if r.Untold {
			at += "+untold"
		}
		if at == d.KillAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until it comes
		}
	}
	if _, _, err := m.Start(Request{Job: theJob, CheckpointID: 1, Ignore: []string{"version"}}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-ended
		cancel()
	}()
	m.Run(ctx)
	return m.Close()
}

// A process is killed (-9) right after each step was written; the next one comes to the same end, and tells of it.
func TestKilledAtEachStep(t *testing.T) {
	for _, step := range []State{Pending, Pulling, Verifying, Applying, Completed + "+untold"} {
		t.Run(string(step), func(t *testing.T) {
			folder := t.TempDir()
			w := newWorld(t)
			w.call("add", 1)
			w.checkpoint()
			for range 5 {
				w.call("add", 1)
			}
			w.saveStore(filepath.Join(folder, "store"))
			d := onDisk{Folder: folder, References: w.marks[0].refs, Decisions: w.log}
			run := func(killAt string) (string, error) {
				d.KillAt = killAt
				file := filepath.Join(folder, "task.json")
				text, err := json.Marshal(d)
				w.must(err)
				w.must(os.WriteFile(file, text, 0o600))
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "REPLAY_CRASH_TEST="+file)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			out, err := run(string(step))
			var killed *exec.ExitError
			if !errors.As(err, &killed) || killed.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v %s", err, out)
			}
			if out, err = run(""); err != nil || strings.Count(out, "told of") != 1 {
				t.Fatalf("%v: %s", err, out)
			}
			s, err := openStore(filepath.Join(folder, "replays"))
			w.must(err)
			defer s.db.Close() //nolint:errcheck // only read
			all, err := s.list()
			w.must(err)
			if len(all) != 1 || all[0].State != Completed || all[0].Untold || all[0].Summary == nil || all[0].Summary.Decisions != 5 || all[0].Summary.Different != 2 {
				t.Errorf("%+v", all)
			}
			if r, err := s.report(all[0].ID); err != nil || r.Different != 2 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// saveStore copies the snapshots into a folder.
func (w *world) saveStore(folder string) {
	w.t.Helper()
	w.must(os.MkdirAll(folder, 0o700))
	to, err := dir.Open(folder)
	w.must(err)
	for o, err := range w.store.List(w.t.Context(), "") {
		w.must(err)
		body, _, err := w.store.Open(w.t.Context(), o.Key, snapshot.Whole())
		w.must(err)
		_, err = to.Create(w.t.Context(), o.Key, body, o.Size)
		w.must(errors.Join(err, body.Close()))
	}
	w.must(to.Close())
}
