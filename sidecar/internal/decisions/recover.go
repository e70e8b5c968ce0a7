package decisions

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// resume prepares the folder and goes on after the last record. The notes tell what it had to do for that.
func (w *writer) resume() ([]Note, error) {
	if err := removeUnfinished(w.cfg.Dir); err != nil {
		return nil, err
	}
	files, err := listSegments(w.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var notes []Note
	var reader segment.Reader
	for i := len(files) - 1; i >= 0; i-- {
		end, err := endOf(&reader, files[i])
		switch {
		case errors.Is(err, segment.ErrUnfinished): // died while it made the file: no record is in it
			if err := os.Remove(files[i].path); err != nil {
				return nil, err
			}
			continue
		case errors.Is(err, segment.ErrDamaged):
			aside := strings.TrimSuffix(files[i].path, filepath.Ext(files[i].path)) + suffixDamaged
			if err := os.Rename(files[i].path, aside); err != nil {
				return nil, err
			}
			notes = append(notes, Note{Kind: NoteCut, Bytes: uint64(files[i].size), Reason: fmt.Sprintf("%v; moved to %s", err, filepath.Base(aside))})
			continue
		case err != nil:
			return nil, err
		}
		w.chain = segment.NewChain(end.head)
		if files[i].sealed {
			return notes, w.begin()
		}
		if end.tail > 0 {
			notes = append(notes, Note{Kind: NoteCut, Bytes: uint64(end.tail)})
		}
		return notes, w.reopen(files[i], end)
	}
	genesis := segment.Head{}
	if _, err := rand.Read(genesis.Hash[:]); err != nil {
		return nil, err
	}
	if len(files) > 0 { // all of them unusable: their numbers are not used again
		genesis.Seq = files[len(files)-1].first - 1
	}
	w.chain = segment.NewChain(genesis)
	return notes, w.begin()
}

// removeUnfinished removes what a crash left of sealing.
func removeUnfinished(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffixSealing))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// end is where the last segment ends.
type end struct {
	head    segment.Head
	offset  int64 // after its last whole block
	tail    int64 // bytes behind that
	created time.Time
}

// endOf finds the last whole block of a segment, past any damage: what is in the middle of a file is never cut, it is for
// Verify to find.
func endOf(r *segment.Reader, file segmentFile) (end, error) {
	f, err := r.Open(file.path)
	if err != nil {
		return end{}, err
	}
	defer f.Close()
	e := end{head: f.Header.Before, offset: segment.HeaderSize, created: f.Header.Created}
	if last, ok := f.Last(); ok {
		e.head = last
		return e, nil
	}
	for scan := f.Scan().Borrow(); ; {
		b, err := scan.Next()
		switch {
		case err == nil:
			e.head, e.offset = b.After, scan.Offset()
		case errors.Is(err, io.EOF), errors.Is(err, segment.ErrUnfinished):
			e.tail = max(0, file.size-e.offset)
			return e, nil
		case errors.Is(err, segment.ErrDamaged):
			if more, err := scan.Resync(); err != nil || !more {
				return e, err
			}
		default:
			return end{}, err
		}
	}
}

// reopen goes on in an open segment, after its last whole block.
func (w *writer) reopen(file segmentFile, e end) error {
	f, err := os.OpenFile(file.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if e.tail > 0 {
		if err := errors.Join(f.Truncate(e.offset), f.Sync()); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	w.file, w.path, w.size, w.created = f, file.path, e.offset, e.created
	w.empty = e.offset == segment.HeaderSize
	w.active.Store(file.first)
	return nil
}
