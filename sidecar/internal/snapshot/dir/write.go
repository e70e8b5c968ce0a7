package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Create makes an object. It becomes visible in one step, when all of it is on the disk.
func (s *Store) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if err := s.check(ctx, "create", key); err != nil {
		return snapshot.Object{}, err
	}
	if _, err := s.root.Lstat(key); err == nil {
		return snapshot.Object{}, s.fail("create", key, fs.ErrExist) // spares the writing; the link below is what decides
	}
	temp, o, err := s.writeTemp(ctx, key, body, size)
	if err != nil {
		return snapshot.Object{}, s.fail("create", key, err)
	}
	defer s.root.Remove(temp) //nolint:errcheck // removed later if not now
	if err := s.makeFolders(path.Dir(key)); err != nil {
		return snapshot.Object{}, s.fail("create", key, err)
	}
	if err := s.root.Link(temp, key); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) {
			err = fmt.Errorf("%w: the file system has no hard links, without which two writers cannot be told apart", err)
		}
		return snapshot.Object{}, s.fail("create", key, err)
	}
	return o, s.published("create", key)
}

// Replace swaps an object, under the lock.
func (s *Store) Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error) {
	if err := s.compare(ctx, key, etag); err != nil {
		return snapshot.Object{}, err
	}
	temp, o, err := s.writeTemp(ctx, key, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return snapshot.Object{}, s.fail("replace", key, err)
	}
	defer s.root.Remove(temp) //nolint:errcheck // it has another name by now, mostly
	unlock, err := s.lock(ctx)
	if err != nil {
		return snapshot.Object{}, s.fail("replace", key, err)
	}
	defer unlock()
	if err := s.compare(ctx, key, etag); err != nil {
		return snapshot.Object{}, err
	}
	if err := s.root.Rename(temp, key); err != nil {
		return snapshot.Object{}, s.fail("replace", key, err)
	}
	return o, s.published("replace", key)
}

func (s *Store) compare(ctx context.Context, key, etag string) error {
	f, o, err := s.open(ctx, "replace", key)
	if err != nil {
		return err
	}
	f.Close() //nolint:errcheck // only read
	if o.ETag != etag {
		return s.fail("replace", key, snapshot.ErrChanged)
	}
	return nil
}

// published makes the name durable. If that fails the object is there all the same, until power is lost perhaps.
func (s *Store) published(op, key string) error {
	err := s.sync(path.Dir(key))
	if err == nil {
		return nil
	}
	err = s.fail(op, key, err)
	var e *snapshot.Error
	if errors.As(err, &e) {
		e.Unsure = true
	}
	return err
}

// Delete removes an object. Folders stay.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.check(ctx, "delete", key); err != nil {
		if errors.Is(err, snapshot.ErrNotFound) {
			return nil
		}
		return err
	}
	switch err := s.plain(key); {
	case errors.Is(err, fs.ErrNotExist):
		if err = s.fail("delete", key, err); errors.Is(err, snapshot.ErrNotFound) {
			return nil
		}
		return err
	case err != nil:
		return s.fail("delete", key, err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return s.fail("delete", key, err)
	}
	defer unlock()
	if err := s.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.fail("delete", key, err)
	}
	return s.published("delete", key)
}

// writeTemp writes a synced temporary file. It is removed again if that does not succeed.
func (s *Store) writeTemp(ctx context.Context, key string, body io.Reader, size int64) (_ string, o snapshot.Object, err error) {
	if err := s.makeTempDir(); err != nil {
		return "", o, err
	}
	temp := path.Join(tempDir, rand.Text())
	f, err := s.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", o, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), s.root.Remove(temp))
		}
	}()
	n, err := io.Copy(f, io.LimitReader(&interruptible{ctx, body}, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%w: the body has not the %d bytes that were announced", snapshot.ErrInvalid, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		o, err = describe(f, key)
	}
	if err != nil {
		return "", o, err
	}
	return temp, o, f.Close()
}

type interruptible struct {
	ctx  context.Context //nolint:containedctx // of one copy
	body io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.body.Read(p)
}

// makeFolders makes a key's folders durably.
func (s *Store) makeFolders(folder string) error {
	if info, err := s.root.Lstat(folder); err == nil && info.IsDir() {
		return nil
	}
	if err := s.makeFolders(path.Dir(folder)); err != nil {
		return err
	}
	switch err := s.root.Mkdir(folder, 0o755); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return s.sync(path.Dir(folder))
}

func (s *Store) sync(folder string) error {
	f, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
