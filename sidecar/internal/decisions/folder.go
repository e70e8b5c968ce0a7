package decisions

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The names in the folder: a segment's is the number of its first record.
const (
	suffixOpen    = ".open"
	suffixSealed  = ".sealed"
	suffixSealing = ".sealing" // a sealed segment that is being written
	suffixDamaged = ".damaged" // an open segment without a header that can be read
	lockName      = "lock"
)

func segmentName(first uint64, suffix string) string { return fmt.Sprintf("%020d%s", first, suffix) }

// segmentFile is a segment in the folder.
type segmentFile struct {
	first  uint64
	path   string
	sealed bool
	size   int64
}

// listSegments returns the segments of a folder in order. A folder is not read at one moment: the one name of a segment that is
// being sealed may come to where the reading has been already, and the other go before it gets there. So it is read until it has
// the same segments twice.
func listSegments(dir string) ([]segmentFile, error) {
	before, err := readFolder(dir)
	for err == nil {
		var files []segmentFile
		if files, err = readFolder(dir); err == nil && slices.EqualFunc(before, files, func(a, b segmentFile) bool { return a.first == b.first }) {
			return files, nil
		}
		before = files
	}
	return nil, err
}

// readFolder reads the folder once. If there are two segments of one number, sealing is between its last two steps: the sealed
// one counts.
func readFolder(dir string) ([]segmentFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("decision log %s: %w", dir, cause(err))
	}
	var files []segmentFile
	for _, entry := range entries {
		name, suffix := entry.Name(), filepath.Ext(entry.Name())
		if suffix != suffixOpen && suffix != suffixSealed {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(name, suffix), 10, 64)
		if err != nil || name != segmentName(first, suffix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, segmentFile{first: first, path: filepath.Join(dir, name), sealed: suffix == suffixSealed, size: info.Size()})
	}
	slices.SortFunc(files, func(a, b segmentFile) int {
		if a.first == b.first && a.sealed != b.sealed {
			if a.sealed {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.first, b.first)
	})
	return slices.CompactFunc(files, func(a, b segmentFile) bool { return a.first == b.first }), nil
}

// syncDir makes names durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// cause is an error without the path, which the caller names.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// hint says what to do about an error of the folder.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space, or lower decisions.max_bytes"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "give a folder that this user may write to (decisions.dir)"
	case errors.Is(err, fs.ErrNotExist):
		return "the folder or a file in it is gone; restart drey, which begins a new segment"
	default:
		return "check the disk"
	}
}
