package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// TestFullDisk: a log on a file system without room refuses, loses nothing that was answered, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	folder := snapshottest.SmallFS(t, 256<<10)
	ballast := filepath.Join(folder, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 150<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	l := reopen(t, folder)
	var answered []string
	var full error
	unanswered := 0
	for i := 0; full == nil; i++ {
		record := fmt.Sprint(i, strings.Repeat(".", 5000))
		if i%7 == 6 {
			l.Rotate() // a file that cannot be made is another case than one that cannot grow
		}
		position, err := l.Append([]byte(record))
		if err != nil {
			t.Fatal(err)
		}
		if full = l.Wait(position); full == nil {
			answered = append(answered, record)
		} else {
			unanswered = i
		}
	}
	if !strings.Contains(full.Error(), "no space left") || !strings.Contains(full.Error(), "until there is room") {
		t.Errorf("the error is %v", full)
	}
	if err := l.Ready(); err == nil {
		t.Error("it is ready on a full disk")
	}
	bodies := func() []string {
		var got []string
		if _, err := Read(folder, func(_ uint64, record []byte) error {
			got = append(got, string(record))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	// A process killed now has lost nothing that was answered.
	if got := bodies(); !slices.Equal(got, answered) {
		t.Fatalf("%d records are there, %d were answered", len(got), len(answered))
	}
	// With room it goes on, and what had not been written is.
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	write(t, l, "after")
	got := bodies()
	if len(got) != len(answered)+2 || !strings.HasPrefix(got[len(answered)], fmt.Sprint(unanswered)) || got[len(got)-1] != "after" {
		t.Errorf("%d records, %d were answered", len(got), len(answered))
	}
	closeLog(t, l)
}

// TestTrimLeavesNoGap: a file that cannot be removed keeps those after it, since a gap would be taken for damage; and the
// present file is never removed.
func TestTrimLeavesNoGap(t *testing.T) {
	folder := t.TempDir()
	l := reopen(t, folder)
	for _, r := range []string{"a", "b", "c", "d"} {
		write(t, l, r)
		l.Rotate()
	}
	write(t, l, "e")
	// A folder that is not empty cannot be removed, by nobody.
	second := filepath.Join(folder, fileName(2))
	data, err := os.ReadFile(second)
	if err == nil {
		err = errors.Join(os.Remove(second), os.MkdirAll(filepath.Join(second, "x"), 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Trim(4); err == nil {
		t.Error("a folder was removed")
	}
	if err := errors.Join(os.RemoveAll(second), os.WriteFile(second, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, _ := all(t, folder); !slices.Equal(got, []string{"2:b", "3:c", "4:d", "5:e"}) {
		t.Errorf("after a trim that came to grief: %q", got)
	}
	if err := l.Trim(100); err != nil {
		t.Error(err)
	}
	write(t, l, "f")
	if got, _ := all(t, folder); !slices.Equal(got, []string{"5:e", "5:f"}) {
		t.Errorf("after a trim of everything: %q", got)
	}
	closeLog(t, l)
}

func TestFolderThatIsGone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l := reopen(t, folder)
	write(t, l, "a")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	l.Rotate()
	position, err := l.Append([]byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(position); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("written to a folder that is gone: %v", err)
	}
	if err := l.Close(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("closed: %v", err)
	}
}

// TestOrderOutlivesFailures: while the file cannot be made many append and try to write at the same time. Once it can, all is
// there, in order: those who wait are told so.
func TestOrderOutlivesFailures(t *testing.T) {
	const writers, each = 8, 300
	folder := filepath.Join(t.TempDir(), "log")
	away := folder + ".away"
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l := reopen(t, folder)
	write(t, l, "0 0")
	l.Rotate()
	if err := os.Rename(folder, away); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				position, err := l.Append(fmt.Appendf(nil, "%d %d", w+1, i))
				if err != nil {
					t.Error(err)
					return
				}
				if err := l.Wait(position); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("written to a folder that is away: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := os.Rename(away, folder); err != nil {
		t.Fatal(err)
	}
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	next := make([]int, writers+1)
	if _, err := Read(folder, func(_ uint64, record []byte) error {
		var w, i int
		if _, err := fmt.Sscan(string(record), &w, &i); err != nil {
			return err
		}
		if next[w] != i {
			return fmt.Errorf("%d wrote %d, want %d", w, i, next[w])
		}
		next[w]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for w, n := range next[1:] {
		if n != each {
			t.Errorf("%d wrote %d records, want %d", w+1, n, each)
		}
	}
}
