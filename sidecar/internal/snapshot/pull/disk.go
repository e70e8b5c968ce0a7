package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// errBusy: another process makes the same copy.
var errBusy = errors.New("another process is making this copy; let it end, then run this again")

// lock takes folder.lock. Who unlocks after a success removes it, while it is locked: one that opened it before has a file of
// another name then, and must look again.
func lock(folder string) (unlock func(remove bool) error, err error) {
	name := folder + ".lock"
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && !isNamed(f, name) {
		err = &snapshot.Error{Op: "pull", Where: "file:" + folder, Kind: snapshot.ErrUnavailable, Retryable: true, Err: errBusy}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func(remove bool) error {
		var err error
		if remove {
			err = os.Remove(name)
		}
		return errors.Join(err, f.Close())
	}, nil
}

func isNamed(f *os.File, name string) bool {
	opened, err := f.Stat()
	named, nameErr := os.Lstat(name)
	return err == nil && nameErr == nil && os.SameFile(opened, named)
}

// slot waits for a request's turn.
func (p *pull) slot(ctx context.Context) ([]byte, error) {
	select {
	case buffer := <-p.slots:
		return buffer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *pull) release(buffer []byte) { p.slots <- buffer }

func (p *pull) count(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.downloaded += n
}

// allocated is how much room a file takes already, without its holes.
func (p *pull) allocated(name string) int64 {
	info, err := p.root.Lstat(name)
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}

// freeSpace is how many bytes this user may write more.
func freeSpace(folder string) (int64, bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil || stat.Blocks == 0 {
		return 0, false // some network file systems do not know
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true //nolint:gosec,unconvert // their types differ between systems
}

// copyContext copies until ctx ends.
func copyContext(ctx context.Context, to io.Writer, from io.Reader) (int64, error) {
	buffer := make([]byte, 128<<10)
	var n int64
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		got, err := from.Read(buffer)
		if got > 0 {
			if _, err := to.Write(buffer[:got]); err != nil {
				return n, fmt.Errorf("write: %w", err)
			}
			n += int64(got)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
