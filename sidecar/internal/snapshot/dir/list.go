package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// List goes through the plain files. Links and other things are no objects.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error] {
	return func(yield func(snapshot.Object, error) bool) {
		if err := snapshot.CheckPrefix(prefix); err != nil {
			yield(snapshot.Object{}, s.fail("list", prefix, fmt.Errorf("%w: %w", snapshot.ErrInvalid, err)))
			return
		}
		if err := s.gone("list"); err != nil {
			yield(snapshot.Object{}, err)
			return
		}
		folder := path.Dir(prefix + "x") // not of prefix alone, which may end with a slash
		if err := s.check(ctx, "list", path.Join(folder, "x")); err != nil {
			if !errors.Is(err, snapshot.ErrNotFound) {
				yield(snapshot.Object{}, err)
			}
			return
		}
		s.walk(ctx, folder, prefix, yield)
	}
}

// walk yields what is below a folder, and says whether to go on.
func (s *Store) walk(ctx context.Context, folder, prefix string, yield func(snapshot.Object, error) bool) bool {
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if err != nil {
		if err = s.fail("list", prefix, err); errors.Is(err, snapshot.ErrNotFound) {
			return true
		}
		yield(snapshot.Object{}, err)
		return false
	}
	// A folder counts as the beginning of the keys below it: a-b stands before a/b.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	for _, entry := range entries {
		if ctx.Err() != nil {
			yield(snapshot.Object{}, context.Cause(ctx))
			return false
		}
		key := path.Join(folder, entry.Name())
		switch {
		case key == tempDir:
		case entry.IsDir():
			below := key + "/"
			if (strings.HasPrefix(below, prefix) || strings.HasPrefix(prefix, below)) && !s.walk(ctx, key, prefix, yield) {
				return false
			}
		case entry.Type().IsRegular() && strings.HasPrefix(key, prefix):
			info, err := entry.Info()
			if err != nil {
				continue // deleted meanwhile
			}
			if !yield(snapshot.Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return false
			}
		}
	}
	return true
}

func sortName(entry fs.DirEntry) string {
	if entry.IsDir() {
		return entry.Name() + "/"
	}
	return entry.Name()
}
