package dir_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestConformance(t *testing.T) {
	Conformance(t, func(t *testing.T) Store { return open(t, t.TempDir()) })
}

func open(t *testing.T, folder string) *dir.Store {
	t.Helper()
	s, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Links are not followed, wherever they lead; nor is anything opened that is no plain file.
func TestLinks(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	s := open(t, folder)
	Put(t, s, "in/real", []byte("inside"))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(folder, "file")),
		os.Symlink(outside, filepath.Join(folder, "folder")),
		os.Symlink("../../"+filepath.Base(outside), filepath.Join(folder, "in", "up")),
		os.Symlink("real", filepath.Join(folder, "in", "same")),
		os.Symlink("in", filepath.Join(folder, "also")),
		os.Symlink("nowhere", filepath.Join(folder, "dangling")),
		os.Symlink("loop", filepath.Join(folder, "loop")),
		syscall.Mkfifo(filepath.Join(folder, "fifo"), 0o600))
	for _, key := range []string{"file", "folder/secret", "in/up/secret", "in/same", "also/real", "dangling", "loop", "loop/x", "fifo"} {
		_, err := s.Stat(t.Context(), key)
		_, readErr := Read(t.Context(), s, key, snapshot.Whole())
		_, replaceErr := s.Replace(t.Context(), key, []byte("x"), "x")
		for _, err := range []error{err, readErr, replaceErr, s.Delete(t.Context(), key)} {
			if !errors.Is(err, snapshot.ErrDenied) {
				t.Errorf("%s: got %v", key, err)
			}
		}
		if _, err := s.Create(t.Context(), key, strings.NewReader("x"), 1); !errors.Is(err, snapshot.ErrDenied) && !errors.Is(err, snapshot.ErrExists) {
			t.Errorf("%s: created: %v", key, err)
		}
	}
	for o, err := range s.List(t.Context(), "") {
		if err != nil || o.Key != "in/real" {
			t.Errorf("listed: %q, %v", o.Key, err)
		}
	}
	for _, prefix := range []string{"folder/", "also/", "in/up/"} {
		found := 0
		for o, err := range s.List(t.Context(), prefix) {
			found++
			if !errors.Is(err, snapshot.ErrDenied) {
				t.Errorf("%s: listed %q, %v", prefix, o.Key, err)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d answers", prefix, found)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("outside there is %v, %v", left, err)
	}
}

// A link in the place of the folder for temporary files would lead writes elsewhere.
func TestTempDirIsLink(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(folder, ".drey.tmp")))
	if _, err := open(t, folder).Create(t.Context(), "k", strings.NewReader("x"), 1); !errors.Is(err, snapshot.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestTemporaryFiles(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Mkdir(filepath.Join(folder, ".drey.tmp"), 0o700))
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "new": time.Hour, "lock": 25 * time.Hour} {
		file := filepath.Join(folder, ".drey.tmp", name)
		then := time.Now().Add(-age)
		must(t, os.WriteFile(file, []byte("left"), 0o600), os.Chtimes(file, then, then))
	}
	s := open(t, folder)
	Put(t, s, "k", []byte("x"))
	var left []string
	entries, err := os.ReadDir(filepath.Join(folder, ".drey.tmp"))
	must(t, err)
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if fmt.Sprint(left) != "[lock new]" {
		t.Errorf("left: %v; want what may be in use", left)
	}
	if _, err := s.Stat(t.Context(), ".drey.tmp/new"); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("a temporary file is an object: %v", err)
	}
}

// A file that is written into while it is read, which no Flink does.
func TestChangedWhileRead(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	for name, change := range map[string]func(string) error{
		"other bytes": func(file string) error {
			then := time.Now().Add(time.Hour) // the clock of the file system may not have ticked since
			return errors.Join(os.WriteFile(file, bytes.Repeat([]byte("b"), 100_000), 0o600), os.Chtimes(file, then, then))
		},
		"cut": func(file string) error { return os.Truncate(file, 50_000) },
	} {
		key := strings.ReplaceAll(name, " ", "-")
		Put(t, s, key, bytes.Repeat([]byte("a"), 100_000))
		r, _, err := s.Open(t.Context(), key, snapshot.Whole())
		must(t, err)
		_, err = io.CopyN(io.Discard, r, 1000)
		must(t, err, change(filepath.Join(folder, key)))
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, snapshot.ErrChanged) {
			t.Errorf("%s: got %v", name, err)
		}
		must(t, r.Close())
	}
}

func TestETagsDiffer(t *testing.T) {
	s := open(t, t.TempDir())
	o := Put(t, s, "lease", []byte("0"))
	seen := map[string]bool{o.ETag: true}
	for i := range 50 { // within a few ticks of the clock, and with inodes used again
		var err error
		if o, err = s.Replace(t.Context(), "lease", fmt.Append(nil, i%10+1), o.ETag); err != nil {
			t.Fatal(err)
		}
		if i < 9 && seen[o.ETag] {
			t.Fatalf("the ETag %s came twice", o.ETag)
		}
		seen[o.ETag] = true
	}
}

func TestFolderGone(t *testing.T) {
	parent := t.TempDir()
	folder := filepath.Join(parent, "store")
	if _, err := dir.Open(folder); !errors.Is(err, snapshot.ErrNoStore) || !strings.Contains(err.Error(), "mounted") {
		t.Errorf("got %v", err)
	}
	must(t, os.Mkdir(folder, 0o700))
	s := open(t, folder)
	Put(t, s, "k", []byte("x"))
	must(t, os.RemoveAll(folder))
	for _, again := range []bool{false, true} {
		if again { // as after an unmount: the folder is there, and another one
			must(t, os.Mkdir(folder, 0o700))
		}
		_, err := s.Stat(t.Context(), "k")
		_, readErr := Read(t.Context(), s, "k", snapshot.Whole())
		_, createErr := s.Create(t.Context(), "n", strings.NewReader("x"), 1)
		var listErr error
		for _, err := range s.List(t.Context(), "") {
			listErr = err
		}
		for _, err := range []error{err, readErr, createErr, listErr, s.Delete(t.Context(), "k")} {
			if !errors.Is(err, snapshot.ErrNoStore) || errors.Is(err, snapshot.ErrNotFound) {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestDiskFull(t *testing.T) {
	folder := SmallFS(t, 1<<20)
	s := open(t, folder)
	if _, err := s.Create(t.Context(), "large", bytes.NewReader(Bytes(2<<20, 1)), 2<<20); !errors.Is(err, snapshot.ErrFull) || !strings.Contains(err.Error(), "free some space") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Stat(t.Context(), "large"); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("half of it is there: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(folder, ".drey.tmp")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	Put(t, s, "small", Bytes(500_000, 1))
}

func TestReadOnly(t *testing.T) {
	folder := SmallFS(t, 1<<20)
	s := open(t, folder)
	o := Put(t, s, "k", []byte("x"))
	ReadOnly(t, folder)
	if _, err := Read(t.Context(), s, "k", snapshot.Whole()); err != nil {
		t.Error(err)
	}
	_, err := s.Create(t.Context(), "n", strings.NewReader("x"), 1)
	_, replaceErr := s.Replace(t.Context(), "k", []byte("x"), o.ETag)
	for _, err := range []error{err, replaceErr, s.Delete(t.Context(), "k")} {
		if !errors.Is(err, snapshot.ErrDenied) || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("got %v", err)
		}
	}
}

// The contender of TestProcesses is this test binary, told by its environment to be that.
const contender = "DREY_TEST_CONTENDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(contender); folder != "" {
		if err := contend(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const rounds = 200

// contend adds one to a number, many times, as all processes do at once.
func contend(folder string) error {
	s, err := dir.Open(folder)
	if err != nil {
		return err
	}
	ctx := context.Background()
	for done := 0; done < rounds; {
		r, o, err := s.Open(ctx, "number", snapshot.Whole())
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscan(string(text), &n); err != nil {
			return err
		}
		_, err = s.Replace(ctx, "number", fmt.Append(nil, n+1), o.ETag)
		if err == nil {
			done++
		} else if !errors.Is(err, snapshot.ErrChanged) {
			return err
		}
	}
	return s.Close()
}

// Processes that replace the same object lose no update.
func TestProcesses(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	Put(t, s, "number", []byte("0"))
	const processes = 3
	var commands []*exec.Cmd
	for range processes {
		cmd := exec.Command(os.Args[0]) //nolint:gosec // this test binary
		cmd.Env, cmd.Stderr = append(os.Environ(), contender+"="+folder), os.Stderr
		must(t, cmd.Start())
		commands = append(commands, cmd)
	}
	for _, cmd := range commands {
		must(t, cmd.Wait())
	}
	got, err := Read(t.Context(), s, "number", snapshot.Whole())
	if err != nil || string(got) != fmt.Sprint(processes*rounds) {
		t.Errorf("got %s, %v, want %d", got, err, processes*rounds)
	}
}
