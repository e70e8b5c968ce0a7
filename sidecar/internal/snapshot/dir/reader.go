package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// reader reads a part, and notices at its end if somebody wrote into the file meanwhile. Somebody who renamed another file
// over it is no matter: the open file is the one that was described.
type reader struct {
	ctx      context.Context //nolint:containedctx // that of Open, which ends the reading
	store    *Store
	key      string
	file     *os.File
	opened   fs.FileInfo
	at, left int64
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	if r.left == 0 {
		return 0, r.end()
	}
	n, err := r.file.ReadAt(p[:min(int64(len(p)), r.left)], r.at)
	r.at, r.left = r.at+int64(n), r.left-int64(n)
	switch {
	case errors.Is(err, io.EOF) && n > 0, err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, r.store.fail("read", r.key, snapshot.ErrChanged) // it was cut
	}
	return n, r.store.fail("read", r.key, err)
}

func (r *reader) end() error {
	info, err := r.file.Stat()
	if err != nil {
		return r.store.fail("read", r.key, err)
	}
	if version(info) != version(r.opened) {
		return r.store.fail("read", r.key, snapshot.ErrChanged)
	}
	return io.EOF
}

func (r *reader) Close() error { return r.file.Close() }

// classify says what an error of the file system means.
func classify(op, where, key string, err error) error {
	e := snapshot.FileError(op, where, key, err)
	switch {
	case errors.Is(err, errLink), errors.Is(err, errSpecial), errors.Is(err, syscall.ELOOP):
		e.Kind, e.Hint = snapshot.ErrDenied, "only plain files inside the folder are read; name the file's real folder"
	case errors.Is(err, fs.ErrNotExist) && key == "":
		e.Kind, e.Hint = snapshot.ErrNoStore, "check that the folder exists and is mounted"
	}
	return e
}
