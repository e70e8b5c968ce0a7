//go:build unix

package wal

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// limitedChild writes until a limit of the process lets its files grow no more, then until it has more room, and says what it
// has answered for.
func limitedChild(folder, _ string) error {
	limit := func(bytes uint64) error {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r); err != nil {
			return err
		}
		r.Cur = bytes
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &r)
	}
	if err := limit(100_000); err != nil {
		return err
	}
	l, err := Open(folder, End{})
	if err != nil {
		return err
	}
	try := func(i int) error {
		position, err := l.Append(fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 999)))
		if err == nil {
			err = l.Wait(position)
		}
		if err == nil {
			fmt.Println(i) //nolint:forbidigo // that is how it answers
		}
		return err
	}
	i := 0
	for ; err == nil; i++ {
		err = try(i)
	}
	if !strings.Contains(err.Error(), "file too large") {
		return err
	}
	if err := l.Ready(); err == nil {
		return fmt.Errorf("it is ready although it cannot write %d", i)
	}
	// The tail that was torn is on the disk now; all that was answered for is before it.
	n := 0
	if _, err := Read(folder, func(uint64, []byte) error { n++; return nil }); err != nil || n != i-1 {
		return fmt.Errorf("%d records are there, %d were answered: %w", n, i-1, err)
	}
	if err := limit(200_000); err != nil {
		return err
	}
	if err := l.Ready(); err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	for range 20 {
		if err := try(i); err != nil {
			return err
		}
		i++
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// TestFileSizeLimit needs no rights: a file that may not grow is torn in the middle of a record, written on over the torn end,
// and its process killed. What was refused is there, too, since it was kept until there was room.
func TestFileSizeLimit(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder, childFrom+"="+childLimited)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child came to another end: %v", err)
	}
	answered := strings.Fields(string(out))
	records, _ := all(t, folder)
	if len(records) != len(answered)+1 || len(answered) < 100 {
		t.Fatalf("%d records are there, %d were answered", len(records), len(answered))
	}
	for i, r := range records {
		if !strings.HasPrefix(r, fmt.Sprintf("1:%d x", i)) {
			t.Fatalf("record %d is %.20q", i, r)
		}
	}
}
