package decisions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// file is what the writer needs of one; tests have files that refuse.
type file interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

func createFile(path string) (file, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// writer appends to the last segment. One goroutine uses it.
type writer struct {
	cfg    Config
	create func(path string) (file, error)
	now    func() time.Time

	chain   *segment.Chain
	file    file
	path    string
	active  atomic.Uint64 // number of the first record of the last segment, for the keeper
	size    int64
	empty   bool // no record is in the segment
	created time.Time

	out      []byte
	torn     bool // half a write is behind size
	dirty    bool // something is not durable
	refused  bool // the last attempt to make it durable failed
	lastSync time.Time
	rotated  func()          // told when a segment is complete
	unsynced func(err error) // told when the disk refused to make something durable
}

// writeBytes is about how much is written at once, blockRaw about how long a block is: what a crash cuts off at most.
const (
	writeBytes = 1 << 20
	blockRaw   = 256 << 10
)

// begin makes the next segment and goes on there.
func (w *writer) begin() error {
	before := w.chain.Head()
	path := filepath.Join(w.cfg.Dir, segmentName(before.Seq+1, suffixOpen))
	created := w.now()
	f, err := w.create(path)
	if errors.Is(err, fs.ErrExist) { // an attempt that failed, and could not be removed then; no record is in it
		if info, statErr := os.Stat(path); statErr == nil && info.Size() <= segment.HeaderSize {
			if err = os.Remove(path); err == nil {
				f, err = w.create(path)
			}
		}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(segment.NewHeader(before, created), 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(w.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	old := w.file
	w.file, w.path, w.size, w.empty, w.created = f, path, segment.HeaderSize, true, created
	w.active.Store(before.Seq + 1)
	if old != nil {
		return old.Close()
	}
	return nil
}

// due says when the segment is to be completed though it is short; never if nothing is in it.
func (w *writer) due() (time.Time, bool) { return w.created.Add(w.cfg.SegmentAge), !w.empty }

// rotate completes the segment if it is long or old enough.
func (w *writer) rotate() error {
	due, any := w.due()
	if !any || w.size < w.cfg.SegmentBytes && w.now().Before(due) {
		return nil
	}
	if err := w.sync(); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return fmt.Errorf("begin a segment: %w", cause(err))
	}
	w.rotated()
	return nil
}

// write appends records, which AppendRecord made, and takes from them what is written, even if the rest is not.
func (w *writer) write(records *[]byte) (written int, err error) {
	for len(*records) > 0 {
		if err := w.rotate(); err != nil {
			return written, err
		}
		n, size, err := w.writeBlocks(*records)
		if err != nil {
			return written, err
		}
		written += n
		*records = (*records)[size:]
	}
	return written, nil
}

// writeBlocks writes the front of records in one write, or nothing of it.
func (w *writer) writeBlocks(records []byte) (count, size int, err error) {
	before := w.chain.Head()
	w.out = w.out[:0]
	if w.torn {
		// Were the next write shorter, what is left behind it could look like blocks.
		if err := w.file.Truncate(w.size); err != nil {
			return 0, 0, fmt.Errorf("take back half a write: %w", cause(err))
		}
		w.torn = false
	}
	for size < len(records) && len(w.out) < writeBytes && w.size+int64(len(w.out)) < w.cfg.SegmentBytes {
		n, bytes := w.appendBlock(records[size:])
		count, size = count+n, size+bytes
	}
	if _, err := w.file.WriteAt(w.out, w.size); err != nil {
		w.chain.Set(before)
		w.torn = w.file.Truncate(w.size) != nil
		return 0, 0, fmt.Errorf("write: %w", cause(err))
	}
	w.size += int64(len(w.out))
	w.empty, w.dirty = false, true
	return count, size, nil
}

// appendBlock makes one block of the front of records.
func (w *writer) appendBlock(records []byte) (count, size int) {
	start := len(w.out)
	w.out = append(w.out, make([]byte, segment.BlockHeaderSize)...)
	var earliest, latest int64
	for size < len(records) && (count == 0 || size < blockRaw) {
		body := segment.RecordBody(records[size:])
		_, ns := idAndTime(body)
		if count == 0 {
			earliest, latest = ns, ns
		}
		earliest, latest = min(earliest, ns), max(latest, ns)
		w.chain.Add(body)
		size += segment.RecordSize(records[size:])
		count++
	}
	w.out = append(w.out, records[:size]...)
	segment.PutBlockHeader(w.out[start:], size, count, earliest, latest, w.chain.Head())
	return count, size
}

// sync makes everything durable that was written.
func (w *writer) sync() error {
	if !w.dirty {
		return nil
	}
	w.lastSync = w.now()
	if err := w.file.Sync(); err != nil {
		err = fmt.Errorf("make durable: %w", cause(err))
		w.refused = true
		w.unsynced(err)
		return err
	}
	w.dirty, w.refused = false, false
	return nil
}

// syncDue says when what was written is to be made durable; never if all is.
func (w *writer) syncDue() (time.Time, bool) { return w.lastSync.Add(w.cfg.SyncEvery), w.dirty }

// shut makes the last segment durable and closes it.
func (w *writer) shut() error { return errors.Join(w.sync(), w.file.Close()) }
