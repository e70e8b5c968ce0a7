// Package dir is a snapshot store in a folder: a key is the path of a plain file below it.
//
// No symbolic link below the folder is followed, and nothing outside it can be reached (os.Root). Writes go to a temporary
// file in .drey.tmp, are synced and appear under their name in one step, and the folder is synced too: what is there is
// whole, also after power was lost. Two processes, and two machines on a shared file system with hard links and flock
// (NFS 4), exclude each other: Create is a link, which fails if the name is taken; Replace and Delete hold a lock.
package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// tempDir holds what is not finished, and the lock. Keys in it do not exist.
const tempDir = ".drey.tmp"

// Store is one folder. Close frees it.
type Store struct {
	root *os.Root
	// slot is held besides the lock file, which excludes other processes only.
	slot  chan struct{}
	sweep sync.Once
}

// Open opens a folder, which must exist. It may be read-only as long as nothing is written.
func Open(folder string) (*Store, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, classify("open", "file:"+folder, "", err)
	}
	root, err := os.OpenRoot(absolute)
	if err != nil {
		return nil, classify("open", "file:"+absolute, "", err)
	}
	return &Store{root: root, slot: make(chan struct{}, 1)}, nil
}

// Close frees the folder. Readers that are open stay so.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) where() string { return "file:" + s.root.Name() }

// fail describes an error. A file that is not there means nothing if the folder is not there.
func (s *Store) fail(op, key string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if goneErr := s.gone(op); goneErr != nil {
			return goneErr
		}
	}
	return classify(op, s.where(), key, err)
}

// gone is an error if the folder was removed or unmounted since it was opened: then it seems to be empty.
func (s *Store) gone(op string) error {
	now, nowErr := os.Stat(s.root.Name())
	opened, openedErr := s.root.Stat(".")
	if nowErr != nil || openedErr != nil || !os.SameFile(now, opened) {
		return classify(op, s.where(), "", fs.ErrNotExist)
	}
	return nil
}

var (
	errLink    = errors.New("a symbolic link is on the way")
	errSpecial = errors.New("not a plain file")
)

// check refuses keys that lead elsewhere. The elements before the last must be folders and no links: os.Root alone would
// follow links that stay inside.
func (s *Store) check(ctx context.Context, op, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := snapshot.CheckKey(key); err != nil {
		return s.fail(op, key, fmt.Errorf("%w: %w", snapshot.ErrInvalid, err))
	}
	if key == tempDir || strings.HasPrefix(key, tempDir+"/") {
		return s.fail(op, key, fmt.Errorf("%w: %s is for temporary files", snapshot.ErrInvalid, tempDir))
	}
	if !filepath.IsLocal(filepath.FromSlash(key)) {
		return s.fail(op, key, fmt.Errorf("%w: not a file name here", snapshot.ErrInvalid))
	}
	for i, c := range key {
		if c != '/' {
			continue
		}
		info, err := s.root.Lstat(key[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // then the file is not there either, or is about to be made
		case err != nil:
			return s.fail(op, key, err)
		case info.Mode()&fs.ModeSymlink != 0:
			return s.fail(op, key, errLink)
		case !info.IsDir() && op == "create":
			return s.fail(op, key, fmt.Errorf("%s is a file: %w", key[:i], fs.ErrExist))
		case !info.IsDir():
			return s.fail(op, key, fs.ErrNotExist)
		}
	}
	return nil
}

// plain says of anything but a plain file why it is not read.
func (s *Store) plain(key string) error {
	info, err := s.root.Lstat(key)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return errLink
	case info.IsDir():
		return fs.ErrNotExist
	case !info.Mode().IsRegular():
		return errSpecial
	}
	return nil
}

// open opens a plain file, and none that it would hang on.
func (s *Store) open(ctx context.Context, op, key string) (*os.File, snapshot.Object, error) {
	if err := s.check(ctx, op, key); err != nil {
		return nil, snapshot.Object{}, err
	}
	if err := s.plain(key); err != nil {
		return nil, snapshot.Object{}, s.fail(op, key, err)
	}
	f, err := s.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, snapshot.Object{}, s.fail(op, key, err)
	}
	o, err := describe(f, key)
	if err != nil {
		f.Close() //nolint:errcheck // only read
		return nil, snapshot.Object{}, s.fail(op, key, err)
	}
	return f, o, nil
}

// smallFile is up to which size the content goes into the ETag. What Replace is used for is far smaller.
const smallFile = 16 << 10

// describe makes the ETag. Inode, size and time tell immutable files apart that were renamed into place. They do not if two
// writes fall into one tick of the file system's clock and an inode is used again, so that of a small file, which may be a
// lease, the content counts too.
func describe(f *os.File, key string) (snapshot.Object, error) {
	info, err := f.Stat()
	if err != nil {
		return snapshot.Object{}, err
	}
	if !info.Mode().IsRegular() {
		return snapshot.Object{}, errSpecial
	}
	o := snapshot.Object{Key: key, Size: info.Size(), Modified: info.ModTime(), ETag: version(info)}
	if o.Size <= smallFile {
		data := make([]byte, o.Size)
		if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
			return snapshot.Object{}, err
		}
		sum := sha256.Sum256(data)
		o.ETag += fmt.Sprintf("-%x", sum[:16])
	}
	return o, nil
}

func version(info fs.FileInfo) string {
	inode := uint64(0)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return fmt.Sprintf("%x-%x-%x", inode, info.Size(), info.ModTime().UnixNano())
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (snapshot.Object, error) {
	f, o, err := s.open(ctx, "stat", key)
	if err != nil {
		return snapshot.Object{}, err
	}
	return o, f.Close()
}

// Open reads a part of an object.
func (s *Store) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	f, o, err := s.open(ctx, "open", key)
	if err != nil {
		return nil, snapshot.Object{}, err
	}
	r := &reader{ctx: ctx, store: s, key: key, file: f, at: part.Offset}
	if r.left, err = part.Within(o.Size); err == nil && part.ETag != "" && part.ETag != o.ETag {
		err = snapshot.ErrChanged
	}
	if err == nil {
		r.opened, err = f.Stat()
	}
	if err != nil {
		f.Close() //nolint:errcheck // only read
		return nil, snapshot.Object{}, s.fail("open", key, err)
	}
	return r, o, nil
}
