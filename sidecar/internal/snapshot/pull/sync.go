package pull

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// unsynced are complete files that are not yet durable. The disk is told at once to write them, and asked only later whether it
// has: a sync of each by itself would cost a commit of the file system's journal each, for which the others' writes wait.
type unsynced struct {
	mu    sync.Mutex
	files []*os.File
}

// maxUnsynced bounds how many files are open.
const maxUnsynced = 64

// add takes over a file, which it closes sooner or later. The error may be that of a file that was added before.
func (u *unsynced) add(f *os.File) error {
	if err := startWriting(f); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.Name(), err), f.Close())
	}
	u.mu.Lock()
	u.files = append(u.files, f)
	if len(u.files) < maxUnsynced {
		u.mu.Unlock()
		return nil
	}
	full := u.files
	u.files = nil
	u.mu.Unlock()
	return syncAll(full)
}

// sync makes what was added durable.
func (u *unsynced) sync() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	files := u.files
	u.files = nil
	return syncAll(files)
}

func syncAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			errs = append(errs, fmt.Errorf("sync %s: %w", f.Name(), err))
		}
	}
	return errors.Join(errs...)
}
