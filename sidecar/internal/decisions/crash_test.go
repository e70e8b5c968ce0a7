package decisions

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// The writer of a crash test is a process of its own: this test binary, told by its environment to be that.
const childFolder, childCrash = "DREY_TEST_DECISIONS_FOLDER", "DREY_TEST_DECISIONS_CRASH"

// child writes decisions and says which are in the log for certain, until it is killed: from outside, or by itself at a step of
// the keeper, "step" or "step/n" for the n-th time.
func child(folder, crash string) error {
	cfg := testConfig(folder)
	cfg.MaxBytes = 3 * minSegmentBytes
	l, err := Open(cfg, "child", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	step, times, _ := strings.Cut(crash, "/")
	left, _ := strconv.Atoi(times)
	l.keep.crash = func(at string) {
		if at != step {
			return
		}
		if left--; left <= 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // what follows would be the failure
			select {}
		}
	}
	go func() { _ = l.Run(context.Background()) }()
	for i := 0; ; i++ {
		for j := range 20 {
			if err := l.Append(context.Background(), sample(20*i+j)); err != nil {
				return err
			}
		}
		if err := l.Flush(context.Background()); err != nil {
			return err
		}
		fmt.Println(20*i + 20)
	}
}

// runChild runs a child until it is dead, and returns how many of its decisions it knew to be in the log.
func runChild(t *testing.T, folder, crash string, killAfter int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder, childCrash+"="+crash)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	known := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if known, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if killAfter > 0 && known >= killAfter {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killAfter = 0
		}
	}
	if err := cmd.Wait(); err == nil || !cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("the child was not killed: %v", err)
	}
	return known
}

func TestKilled(t *testing.T) {
	tests := []struct {
		crash     string
		killAfter int
	}{
		{"", 20}, {"", 1500}, {"", 4000},
		{"sealed/1", 0}, {"renamed/1", 0}, {"sealed/5", 0}, {"renamed/5", 0}, {"noted/1", 0}, {"dropped/1", 0}, {"dropped/2", 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s%d", test.crash, test.killAfter), func(t *testing.T) {
			dir := t.TempDir()
			known := runChild(t, dir, test.crash, test.killAfter)
			if test.killAfter == 0 && known == 0 {
				t.Fatal("the child got nowhere")
			}
			// What is there can be read before anybody repairs anything.
			before := verify(t, dir, segment.Head{})
			if len(before.Problems) > 0 {
				t.Fatalf("%+v", before)
			}
			cfg := testConfig(dir)
			cfg.MaxBytes = 3 * minSegmentBytes
			l := start(t, cfg)
			l.append(&Decision{ID: "after", Time: time.Now()})
			l.flush()
			l.settle()
			l.stop()
			report := intact(t, dir)
			all := collect(t, dir, Query{Notes: true})
			if n := notes(all, NoteStarted); n[len(n)-1].Build != "build-1" {
				t.Fatalf("%+v", n)
			}
			have := ids(all)
			if have[len(have)-1] != "after" {
				t.Fatal("the new process did not write")
			}
			// Decisions are there without a gap, from the first one that was not dropped to at least the last one known.
			have = have[:len(have)-1]
			first := 0
			if _, err := fmt.Sscanf(have[0], "tx-%d", &first); err != nil {
				t.Fatal(err)
			}
			if report.Dropped == 0 && first != 0 {
				t.Fatalf("begins with %d, nothing was dropped", first)
			}
			for i, id := range have {
				if want := sample(first + i).ID; id != want {
					t.Fatalf("%s where %s should be", id, want)
				}
			}
			if first+len(have) < known {
				t.Fatalf("decisions up to %d are there, %d were flushed", first+len(have), known)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*"+suffixSealing)); err != nil || len(left) > 0 {
				t.Fatal(left, err)
			}
		})
	}
}

// Every length that a crash may leave: the decisions before are there, the log goes on, and says what it cut.
func TestCutTail(t *testing.T) {
	dir := t.TempDir()
	l := start(t, testConfig(dir))
	for i := range 3 {
		l.append(&Decision{ID: sample(i).ID, Time: noon, Input: []byte("1")})
		l.flush()
	}
	l.stop()
	path := filepath.Join(dir, segmentName(1, suffixOpen))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for length := 0; length <= len(whole); length++ {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), whole[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		had := []Entry{}
		if length >= segment.HeaderSize {
			had = collect(t, dir, Query{Notes: true})
			tail := verify(t, dir, segment.Head{}).Tail
			l, err := Open(testConfig(dir), "", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(length, err)
			}
			if cut := len(l.q.notes) == 2; cut != (tail > 0) || cut && l.q.notes[0].Bytes != uint64(tail) {
				t.Fatalf("at %d: %d bytes too many, notes %+v", length, tail, l.q.notes)
			}
			if err := l.lock.Unlock(); err != nil {
				t.Fatal(err)
			}
			if err := l.w.file.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if length%50 != 0 && length < len(whole)-5 {
			continue // the rest is slow, and the same
		}
		next := start(t, testConfig(dir))
		next.append(sample(99))
		next.stop()
		intact(t, dir)
		want := append(ids(had), sample(99).ID)
		if have := ids(collect(t, dir, Query{})); !slices.Equal(have, want) {
			t.Fatalf("at %d: %v, want %v", length, have, want)
		}
	}
}
