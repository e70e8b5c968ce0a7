package decisions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// walk goes through the log by the numbers of records: q.After is always the last one that is done with. Segments may be
// sealed, dropped and begun meanwhile; a file that is open stays readable.
type walk struct {
	r      *Reader
	ctx    context.Context
	q      Query
	yield  func(Entry, error) bool
	follow bool

	stopped bool // the consumer has enough
	names   bool // files may have come or gone since after looked
	like    *Decision
	watch   *fsnotify.Watcher
	poll    *time.Ticker
}

// pollEvery is how often a follower looks by itself: not every file system tells of changes.
const pollEvery = time.Second

func (w *walk) run() {
	defer w.close()
	for tries := 0; !w.stopped; {
		if err := w.ctx.Err(); err != nil {
			if !w.follow {
				w.fail(err) // the end of a follower is its context's
			}
			return
		}
		file, next, err := w.find()
		if err != nil {
			w.fail(err)
			return
		}
		if file.path == "" { // no segment yet
			if !w.wait() {
				return
			}
			continue
		}
		more, err := w.segment(file, next)
		switch {
		case segment.Gone(err) && tries < maxTries:
			tries++
			continue
		case err != nil:
			w.fail(err)
			return
		case !more:
			return
		}
		tries = 0
	}
}

// find returns the segment with the next record, and the number of the first record of the one after it, 0 if it is the last.
func (w *walk) find() (file segmentFile, next uint64, err error) {
	files, err := listSegments(w.r.dir)
	if err != nil || len(files) == 0 {
		return segmentFile{}, 0, err
	}
	if oldest := files[0].first; w.q.After > 0 && oldest > w.q.After+1 {
		w.fail(fmt.Errorf("records %d to %d are no longer there: they were dropped", w.q.After+1, oldest-1))
		w.q.After = oldest - 1
	}
	i := 0
	for i+1 < len(files) && files[i+1].first <= w.q.After+1 {
		i++
	}
	if i+1 < len(files) {
		next = files[i+1].first
	}
	return files[i], next, nil
}

// segment goes through one segment, and returns when there is a next one to go to. It reports false at the end of the log.
func (w *walk) segment(file segmentFile, next uint64) (more bool, err error) {
	f, err := w.r.reader.Open(file.path)
	if err != nil {
		if errors.Is(err, segment.ErrUnfinished) { // is being made
			return w.wait(), nil
		}
		if errors.Is(err, segment.ErrDamaged) && next > 0 {
			w.leave(file, next)
			return true, nil
		}
		return false, err
	}
	defer f.Close()
	if f.Sealed() {
		dir, err := f.Directory()
		if err == nil {
			return w.sealed(f, dir, file, next)
		}
		if !errors.Is(err, segment.ErrDamaged) {
			return false, err
		}
	}
	w.names = true
	for scan := f.Scan(); ; {
		if err := w.scan(file, scan); err != nil || w.stopped {
			return false, err
		}
		if next > 0 {
			// The writer begins a segment after its last write to the one before: this was all.
			w.leave(file, next)
			return true, nil
		}
		if !w.names { // only more was written: what segments there are need not be looked at for each write
			if !w.wait() {
				return false, nil
			}
			continue
		}
		present, following, err := w.after(file)
		if err != nil {
			return false, err
		}
		if !present && following > 0 { // dropped, though it was the last one a moment ago: find says so
			return true, w.scan(file, scan)
		}
		w.names = false
		if next = following; next == 0 && !w.wait() {
			return false, nil
		}
	}
}

// after looks whether a segment is still there, and for the number of the first record of the one behind it, 0 if there is none.
func (w *walk) after(file segmentFile) (present bool, next uint64, err error) {
	files, err := listSegments(w.r.dir)
	for _, f := range files {
		present = present || f.first == file.first
		if f.first > file.first {
			return present, f.first, nil
		}
	}
	return present, 0, err
}

// leave goes on with the segment that begins with a number. What is missing before it is damage: the segment that it follows is
// there, so this is no question of dropped ones.
func (w *walk) leave(file segmentFile, next uint64) {
	if w.q.After+1 < next {
		w.fail(fmt.Errorf("%s: %w: records %d to %d cannot be read; see: drey decisions verify", file.path, segment.ErrDamaged, w.q.After+1, next-1))
		w.q.After = next - 1
	}
}

// sealed goes through the blocks of a sealed segment that may hold something that is chosen.
func (w *walk) sealed(f *segment.File, dir *segment.Directory, file segmentFile, next uint64) (bool, error) {
	last, _ := f.Last()
	if !w.q.skipsAll(dir) {
		for _, info := range dir.Blocks {
			if w.q.skips(info) {
				continue
			}
			if w.stopped || w.ctx.Err() != nil {
				return true, nil // run looks at both
			}
			b, err := f.Block(info)
			if err != nil {
				w.fail(fmt.Errorf("%s: %w; see: drey decisions verify", file.path, err))
				continue
			}
			w.block(b)
		}
	}
	if w.stopped {
		return false, nil
	}
	w.q.After = max(w.q.After, last.Seq)
	if next == 0 { // a sealed segment is the last one only for a moment, or when somebody removed the open one
		return w.wait(), nil
	}
	w.leave(file, next)
	return true, nil
}

// scan goes through the blocks of an open segment, up to its end for now.
func (w *walk) scan(file segmentFile, scan *segment.Scanner) error {
	for !w.stopped && w.ctx.Err() == nil {
		b, err := scan.Next()
		switch {
		case err == nil:
			w.block(b)
		case errors.Is(err, io.EOF), errors.Is(err, segment.ErrUnfinished):
			return nil
		case errors.Is(err, segment.ErrDamaged):
			w.fail(fmt.Errorf("%s: after record %d: %w; see: drey decisions verify", file.path, w.q.After, err))
			if more, err := scan.Resync(); err != nil || !more {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// block gives what is chosen of a block.
func (w *walk) block(b segment.Block) {
	w.r.blocks.Add(1)
	if b.After.Seq <= w.q.After {
		return
	}
	for seq, body := range b.Records() {
		if w.stopped {
			return
		}
		if seq <= w.q.After {
			continue
		}
		w.q.After = seq
		e, err := decode(seq, body, w.like)
		if err != nil {
			w.fail(fmt.Errorf("%w: record %d: %w", segment.ErrDamaged, seq, err))
			continue
		}
		if e.Decision != nil {
			w.like = e.Decision
		}
		if w.q.matches(e) && !w.yield(e, nil) {
			w.stopped = true
		}
	}
}

// fail tells the consumer of an error, after which it may go on.
func (w *walk) fail(err error) {
	if !w.stopped && !w.yield(Entry{}, fmt.Errorf("decision log: %w", err)) {
		w.stopped = true
	}
}

// wait waits until something may have been written. It reports false if that is not wanted.
func (w *walk) wait() bool {
	if !w.follow || w.stopped {
		return false
	}
	if w.poll == nil {
		w.poll = time.NewTicker(pollEvery)
		if watch, err := fsnotify.NewWatcher(); err == nil {
			if err := watch.Add(w.r.dir); err == nil {
				w.watch, w.names = watch, true
				return true // to what happened before the watch began
			}
			_ = watch.Close() // then the ticker has to do
		}
	}
	var changed <-chan fsnotify.Event
	var wrong <-chan error
	if w.watch != nil {
		changed, wrong = w.watch.Events, w.watch.Errors
	}
	select {
	case event := <-changed:
		w.names = w.names || event.Op != fsnotify.Write
	case <-wrong: // too many events, say: look
		w.names = true
	case <-w.poll.C:
		w.names = true
	case <-w.ctx.Done():
		return false
	}
	return true
}

func (w *walk) close() {
	if w.poll != nil {
		w.poll.Stop()
	}
	if w.watch != nil {
		_ = w.watch.Close() // nothing depends on it any more
	}
}
