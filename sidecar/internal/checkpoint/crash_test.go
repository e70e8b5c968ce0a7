package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
)

// The watcher of a crash test is a process of its own: this test binary, told by its environment to be that.
const (
	childFolder = "DREY_TEST_WATCH_FOLDER"
	childFlink  = "DREY_TEST_WATCH_FLINK"
	childCrash  = "DREY_TEST_WATCH_CRASH"
	childGone   = "DREY_TEST_WATCH_GONE"  // the checkpoint that Flink deletes while it is copied
	childWants  = "DREY_TEST_WATCH_WANTS" // how many checkpoints there are when nothing is left to do
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		if err := child(folder, os.Getenv(childFlink), os.Getenv(childCrash)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child watches until nothing is left to do, or until the step at which it ends itself as kill -9 would.
func child(folder, flink, crash string) error {
	ledger, err := OpenLedger(filepath.Join(folder, "ledger"), time.Minute, time.Now)
	if err != nil {
		return err
	}
	config := DefaultConfig()
	config.Interval, config.Retain = 20*time.Millisecond, 2
	wanted, err := strconv.Atoi(os.Getenv(childWants))
	if err != nil {
		return err
	}
	w := New(config, flinkrest.New(flink), folderCopier{gone: os.Getenv(childGone)}, ledger, filepath.Join(folder, "copies"), slog.New(slog.DiscardHandler))
	w.crash = func(step string) {
		if step == crash {
			syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // what follows would be the failure
			select {}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for {
		changed := w.Changed()
		records, err := ledger.List("", 0)
		if err != nil {
			return err
		}
		if len(records) == wanted && !slices.ContainsFunc(records, func(r Record) bool { return !r.State.Final() }) && w.Status().Pending == 0 {
			cancel()
			return errors.Join(<-done, ledger.Close())
		}
		select {
		case <-changed:
		case err := <-done:
			return errors.Join(errors.New("the watcher ended by itself"), err)
		}
	}
}

// folderCopier makes a copy in two steps, as a real one does: under another name, then under its own.
type folderCopier struct{ gone string }

func (folderCopier) Discard(folder string) error { return os.RemoveAll(folder + ".part") }

func (c folderCopier) Copy(_ context.Context, key Key, folder string) (Copy, error) {
	content := []byte(key.String())
	if have, err := os.ReadFile(filepath.Join(folder, "_metadata")); err == nil && string(have) == string(content) {
		return Copy{Files: 1, Bytes: int64(len(content))}, nil
	}
	if err := os.MkdirAll(folder+".part", 0o700); err != nil {
		return Copy{}, err
	}
	if err := os.WriteFile(filepath.Join(folder+".part", "_metadata"), content, 0o600); err != nil {
		return Copy{}, err
	}
	if fmt.Sprint(key.ID) == c.gone {
		return Copy{}, ErrGone
	}
	return Copy{Files: 1, Bytes: int64(len(content))}, os.Rename(folder+".part", folder)
}

// crash runs a watcher until it ends itself at a step, then one that goes on.
func crash(t *testing.T, folder, flink, step string, environ ...string) {
	t.Helper()
	run := func(crash string) *exec.Cmd {
		cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary
		cmd.Env = append(append(os.Environ(), childFolder+"="+folder, childFlink+"="+flink, childCrash+"="+crash), environ...)
		cmd.Stderr = os.Stderr
		return cmd
	}
	killed := run(step)
	err := killed.Run()
	if status, ok := killed.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the watcher did not end at step %s: %v", step, err)
	}
	if err := run("").Run(); err != nil {
		t.Fatalf("the next start: %v", err)
	}
}

// TestCrash kills the watcher at each step, then lets it go on: it must end as if nothing had happened, and must have told
// of each thing once.
func TestCrash(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(job, "fraud")
	for id := int64(1); id <= 4; id++ {
		j.Complete(id, fmt.Sprintf("s3://flink/%s/chk-%d", job, id), id*1000)
	}
	for _, step := range []string{"seen", "copying", "copied", "finished", "expired", "removed"} {
		t.Run(step, func(t *testing.T) {
			folder := t.TempDir()
			crash(t, folder, jm.URL, step, childWants+"=4")
			checkCrash(t, folder)
		})
	}
}

// TestCrashWhereFlinkDeleted: of a checkpoint that went away while it was copied nothing stays, and it is told of once.
func TestCrashWhereFlinkDeleted(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(job, "fraud")
	for id := int64(1); id <= 3; id++ {
		j.Complete(id, fmt.Sprintf("s3://flink/%s/chk-%d", job, id), id*1000)
	}
	folder := t.TempDir()
	crash(t, folder, jm.URL, "gone", childWants+"=3", childGone+"=2")
	l := openLedger(t, filepath.Join(folder, "ledger"))
	if r, _, err := l.Find(job, 2); err != nil || r.State != Gone {
		t.Errorf("checkpoint 2 is %s, %v", r.State, err)
	}
	folders, err := os.ReadDir(filepath.Join(folder, "copies", job))
	if err != nil || len(folders) != 2 {
		t.Errorf("folders %v, %v; want the two copies and nothing else", folders, err)
	}
	told := 0
	for _, kind := range kinds(t, l) {
		if kind == EventGone {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// TestCrashWhileAnOldJobIsForgotten: first its copies go, then the ledger forgets it.
func TestCrashWhileAnOldJobIsForgotten(t *testing.T) {
	folder := t.TempDir()
	ledger, err := OpenLedger(filepath.Join(folder, "ledger"), time.Second, func() time.Time { return time.Now().AddDate(-1, 0, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.Observe(Sight{Run: Run{Job: job, Started: 1000, Restored: -1}}); err != nil {
		t.Fatal(err)
	}
	r, _ := see(t, ledger, chk(1, 1000))
	copied(t, ledger, r)
	if err := errors.Join(ledger.End(job, "FINISHED"), ledger.Close(), os.MkdirAll(filepath.Join(folder, "copies", job, r.Folder()), 0o700)); err != nil {
		t.Fatal(err)
	}
	crash(t, folder, flinkresttest.New(t).URL, "retired", childWants+"=0")
	if _, err := os.Stat(filepath.Join(folder, "copies", job)); !os.IsNotExist(err) {
		t.Errorf("the copies: %v", err)
	}
	if runs, err := openLedger(t, filepath.Join(folder, "ledger")).Runs(); err != nil || len(runs) != 0 {
		t.Errorf("runs %+v, %v", runs, err)
	}
}

func checkCrash(t *testing.T, folder string) {
	t.Helper()
	l := openLedger(t, filepath.Join(folder, "ledger"))
	records, err := l.List(job, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[int64]State{1: Expired, 2: Expired, 3: Copied, 4: Copied}
	for _, r := range records {
		if r.State != want[r.ID] {
			t.Errorf("checkpoint %d is %s, want %s", r.ID, r.State, want[r.ID])
		}
		_, err := os.Stat(filepath.Join(folder, "copies", job, r.Folder(), "_metadata"))
		if there := err == nil; there != (want[r.ID] == Copied) {
			t.Errorf("checkpoint %d: its copy is there: %v", r.ID, there)
		}
	}
	folders, err := os.ReadDir(filepath.Join(folder, "copies", job))
	if err != nil || len(folders) != 2 {
		t.Errorf("folders %v, %v; want the two copies and nothing else", folders, err)
	}
	told := map[string]int{}
	events, err := l.Events(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		told[fmt.Sprint(e.Kind, e.Checkpoint)]++
	}
	for what, times := range told {
		if times != 1 {
			t.Errorf("event %s came %d times", what, times)
		}
	}
	if len(told) != 9 { // the job, and each of four checkpoints completed and copied
		t.Errorf("events: %v", told)
	}
}
