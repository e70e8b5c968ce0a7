package server

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/gofrs/flock"
)

// Crash is how an earlier run of the process ended.
type Crash struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
	Report  string    `json:"report"` // the file with the stacks
}

// dataDir is the folder for what outlives the process. What kills a Go process outright (a panic in a goroutine of the
// user's, concurrent map writes, stack exhaustion) leaves its report here, and the next run shows it: else the first
// thing known of a crash would be that something restarted.
type dataDir struct {
	lock   *flock.Flock
	report *os.File
	last   *Crash
}

// openDataDir makes the folder if need be. An empty path is no folder, nil.
func openDataDir(path string) (*dataDir, error) {
	if path == "" {
		return nil, nil
	}
	unusable := func(err error) error {
		return fmt.Errorf("data_dir %s: %w: give a folder that this user may write to with --data-dir", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unusable(errors.Unwrap(err))
	}
	d := &dataDir{lock: flock.New(filepath.Join(path, "lock"))}
	held, err := d.lock.TryLock()
	if err != nil {
		return nil, unusable(err)
	}
	if !held {
		return nil, fmt.Errorf("data_dir %s: another sidecar uses it: give each its own with --data-dir", path)
	}
	if err := d.openReport(path); err != nil {
		_ = d.lock.Unlock()
		return nil, unusable(err)
	}
	return d, nil
}

func (d *dataDir) openReport(dir string) error {
	path := filepath.Join(dir, "crash.log")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Size() > 0:
		kept := filepath.Join(dir, "crash-"+info.ModTime().UTC().Format("20060102T150405Z")+".log")
		if err := os.Rename(path, kept); err != nil {
			return err
		}
		d.last = &Crash{Time: info.ModTime(), Message: firstLine(kept), Report: kept}
	}
	if d.report, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	return debug.SetCrashOutput(d.report, debug.CrashOptions{})
}

func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	return lines.Text()
}

func (d *dataDir) lastCrash() *Crash {
	if d == nil {
		return nil
	}
	return d.last
}

func (d *dataDir) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), os.Remove(d.report.Name()), d.report.Close(), d.lock.Unlock())
}
