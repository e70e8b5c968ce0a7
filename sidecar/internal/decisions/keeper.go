package decisions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// keeper seals segments that are complete and drops the oldest.
type keeper struct {
	l      *Log
	codec  segment.Codec
	reader segment.Reader
	kicked chan struct{}
	mu     sync.Mutex      // one round at a time
	broken map[uint64]bool // segments that cannot be sealed since they are damaged
	// crash is called between two steps; tests end the process there.
	crash func(step string)
}

// keepEvery is how often the keeper looks for what has become too old.
const keepEvery = time.Minute

func newKeeper(l *Log, codec segment.Codec) *keeper {
	return &keeper{l: l, codec: codec, kicked: make(chan struct{}, 1), broken: map[uint64]bool{}, crash: func(string) {}}
}

// kick tells that a segment is complete.
func (k *keeper) kick() { signal(k.kicked) }

func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := k.round(ctx)
		if ctx.Err() == nil {
			k.report(err)
		}
		select {
		case <-k.kicked:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (k *keeper) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	if text != "" && text != k.l.status.KeeperError {
		k.l.log.Error("decision log: segments are not kept in order", "dir", k.l.cfg.Dir, "error", text)
	}
	k.l.status.KeeperError = text
}

// round does what there is to do. What fails is tried again in the next round.
func (k *keeper) round(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	files, err := listSegments(k.l.cfg.Dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		if file.first >= k.l.w.active.Load() {
			break
		}
		if file.sealed {
			errs = append(errs, removeIfThere(filepath.Join(k.l.cfg.Dir, segmentName(file.first, suffixOpen))))
		} else if !k.broken[file.first] {
			errs = append(errs, k.seal(ctx, file))
		}
	}
	errs = append(errs, k.drop(ctx))
	return errors.Join(errs...)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// seal makes a sealed segment of an open one. Its name comes last, then the open one goes: a reader finds one or the other.
func (k *keeper) seal(ctx context.Context, file segmentFile) (err error) {
	from, err := k.reader.Open(file.path)
	if err != nil {
		return err
	}
	defer from.Close()
	dir := k.l.cfg.Dir
	part := filepath.Join(dir, segmentName(file.first, suffixSealing))
	to, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = segment.Seal(ctx, from, to, k.codec, keyOf)
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		if errors.Is(err, segment.ErrDamaged) {
			// It is kept as it is, where Verify shows the place, until it is dropped in its turn.
			k.broken[file.first] = true
			err = fmt.Errorf("%s: %w; see: drey decisions verify", filepath.Base(file.path), err)
		}
		return errors.Join(err, os.Remove(part))
	}
	k.crash("sealed")
	if err := os.Rename(part, filepath.Join(dir, segmentName(file.first, suffixSealed))); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	k.crash("renamed")
	return os.Remove(file.path)
}

// drop removes the oldest segments if there are too many or they are too old. The note comes first: were it the other way
// round, a crash between would look like somebody had removed them.
func (k *keeper) drop(ctx context.Context) error {
	files, err := listSegments(k.l.cfg.Dir)
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.size
	}
	k.l.mu.Lock()
	k.l.status.Segments, k.l.status.Bytes = len(files), total
	k.l.mu.Unlock()
	active := k.l.w.active.Load()
	n := 0
	var bytes int64
	for ; n < len(files) && files[n].first < active; n++ {
		if total-bytes <= k.l.cfg.MaxBytes {
			latest, err := k.latest(files[n])
			if err != nil {
				return err
			}
			if time.Since(latest) <= k.l.cfg.MaxAge {
				break
			}
		}
		bytes += files[n].size
	}
	if n == 0 {
		return nil
	}
	keep, err := k.reader.Open(files[n].path)
	if err != nil {
		return err
	}
	upTo := keep.Header.Before
	if err := keep.Close(); err != nil {
		return err
	}
	select {
	case err := <-k.l.q.note(Note{Kind: NoteDropped, Time: time.Now(), Bytes: uint64(bytes), Head: upTo}):
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	k.crash("noted")
	for _, f := range files[:n] {
		if err := removeIfThere(f.path); err != nil {
			return err
		}
		k.crash("dropped")
	}
	k.l.mu.Lock()
	k.l.status.Segments, k.l.status.Bytes = len(files)-n, total-bytes
	k.l.mu.Unlock()
	return syncDir(k.l.cfg.Dir)
}

// latest is the time of a segment's newest record.
func (k *keeper) latest(file segmentFile) (time.Time, error) {
	f, err := k.reader.Open(file.path)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	var ns int64
	if d, err := f.Directory(); err == nil {
		for _, b := range d.Blocks {
			ns = max(ns, b.Latest)
		}
		return time.Unix(0, ns), nil
	}
	info, err := os.Stat(file.path) // not sealed, or damaged: not later than its last write
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
