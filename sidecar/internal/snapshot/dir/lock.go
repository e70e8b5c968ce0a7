package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

const lockName = "lock"

// The pauses between two looks at a lock that another process holds. It holds it for one rename.
const (
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// abandoned is the age from which a temporary file belongs to nobody: its writer was killed.
const abandoned = 24 * time.Hour

// lock excludes all other writers of this folder that compare before they write.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() {
		if err != nil {
			<-s.slot
		}
	}()
	if err := s.makeTempDir(); err != nil {
		return nil, err
	}
	f, err := s.root.OpenFile(path.Join(tempDir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
	return func() {
		f.Close() //nolint:errcheck // closing unlocks
		<-s.slot
	}, nil
}

// makeTempDir also removes, once, what writers left that were killed.
func (s *Store) makeTempDir() error {
	err := s.root.Mkdir(tempDir, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := s.root.Lstat(tempDir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: %w", tempDir, errLink)
	}
	s.sweep.Do(func() { err = s.removeAbandoned() })
	return err
}

func (s *Store) removeAbandoned() error {
	entries, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || entry.Name() == lockName || time.Since(info.ModTime()) < abandoned {
			continue // or gone already
		}
		if err := s.root.Remove(path.Join(tempDir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
