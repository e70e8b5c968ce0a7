package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Source is what is read of a store.
type Source interface {
	Stat(ctx context.Context, key string) (snapshot.Object, error)
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
}

// Item is one object, or some ranges of it.
type Item struct {
	// Name is the local file, slash-separated and relative to the folder.
	Name   string
	Source Source
	Key    string
	// URL is what the object is called in the manifest and in errors.
	URL string
	// Size is what the whole object must have, or -1 if any will do.
	Size int64
	// Ranges are in order and do not overlap. None: the whole object.
	Ranges []Range
}

// Range is Size bytes from Offset on.
type Range struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
}

func (r Range) end() int64 { return r.Offset + r.Size }

const (
	manifestName = "manifest.json"
	journalName  = "journal.part"
	maxElement   = 255 // bytes of a file name on the usual file systems
)

// checkItems refuses names that would lead out of the folder or into one another's way, and ranges that make no sense.
func checkItems(items []Item) error {
	names := make([]string, len(items))
	for i := range items {
		names[i] = items[i].Name
		if err := checkRanges(items[i].Ranges, items[i].Size); err != nil {
			return fmt.Errorf("%s: %w", items[i].URL, err)
		}
	}
	return checkNames(names)
}

func checkNames(names []string) error {
	names = slices.Clone(names)
	for _, name := range names {
		if err := checkName(name); err != nil {
			return fmt.Errorf("local name %q: %w", name, err)
		}
	}
	// Behind "a", in the order of elements, stands what would be in its way: another "a", or "a/b".
	key := func(name string) string { return strings.ReplaceAll(name, "/", "\x00") }
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	for i := range names[:max(0, len(names)-1)] {
		if a, b := names[i], names[i+1]; a == b || strings.HasPrefix(b, a+"/") {
			return fmt.Errorf("local names %q and %q are in each other's way: %w", a, b, snapshot.ErrInvalid)
		}
	}
	return nil
}

func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("it leads out of the folder: %w", snapshot.ErrInvalid)
	}
	if first, _, _ := strings.Cut(name, "/"); first == manifestName || first == journalName {
		return fmt.Errorf("%s belongs to the copy itself: %w", first, snapshot.ErrInvalid)
	}
	for element := range strings.SplitSeq(name, "/") {
		if len(element) > maxElement {
			return fmt.Errorf("an element has more than %d bytes: %w", maxElement, snapshot.ErrInvalid)
		}
	}
	return nil
}

func checkRanges(ranges []Range, size int64) error {
	end := int64(0)
	for _, r := range ranges {
		switch {
		case r.Offset < end, r.Size <= 0, r.end() < 0:
			return fmt.Errorf("%d bytes at offset %d: empty, out of order or too large: %w", r.Size, r.Offset, snapshot.ErrInvalid)
		case size >= 0 && r.end() > size:
			return fmt.Errorf("%d bytes at offset %d do not fit into %d: %w", r.Size, r.Offset, size, snapshot.ErrInvalid)
		}
		end = r.end()
	}
	return nil
}

// compare says whether an object is the one that is wanted.
func (i *Item) compare(o snapshot.Object) error {
	need := i.Size
	if need < 0 && len(i.Ranges) > 0 {
		need = i.Ranges[len(i.Ranges)-1].end()
	}
	switch {
	case o.Size < need:
		return wrong(i.URL, snapshot.ErrShort, fmt.Errorf("it has %d bytes, and %d are needed", o.Size, need))
	case i.Size >= 0 && o.Size > i.Size:
		return wrong(i.URL, snapshot.ErrChanged, fmt.Errorf("it has %d bytes, and had %d", o.Size, i.Size))
	}
	return nil
}

func wrong(url string, kind, err error) error {
	return &snapshot.Error{Op: "pull", Where: url, Kind: kind, Err: err}
}

// ranges are those to fetch, once the object's size is known.
func (i *Item) ranges(size int64) []Range {
	if len(i.Ranges) > 0 {
		return i.Ranges
	}
	if size == 0 {
		return nil
	}
	return []Range{{Offset: 0, Size: size}}
}

// isMissing: the object is not there as the checkpoint needs it, which no later attempt will change.
func isMissing(err error) bool {
	return errors.Is(err, snapshot.ErrNotFound) || errors.Is(err, snapshot.ErrShort)
}
