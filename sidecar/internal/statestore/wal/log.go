package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// ErrClosed: the log was closed.
var ErrClosed = errors.New("the log is closed")

// Log is a log that is written to. All methods are safe for concurrent use. One process uses a folder at a time: that is for
// the caller to see to.
type Log struct {
	folder string

	mu         sync.Mutex
	flushed    sync.Cond // the end of a write
	pending    []chunk   // not written yet
	generation uint64    // of what is appended
	last       uint64    // the generation of the last record: no file is left out
	appended   uint64    // records so far
	written    uint64    // of those, in the file
	writing    bool      // somebody is
	stalled    error     // why the last write did not succeed
	closed     bool
	spare      []byte  // memory for the next chunk
	spares     []chunk // and for the next pending

	// Of the one who writes.
	file     *os.File
	fileOf   uint64
	position int64
}

// chunk is a number of records of one generation.
type chunk struct {
	generation uint64
	data       []byte
	upto       uint64 // its last record
}

// Open goes on with the log of a folder, which was read to its end. What was not finished there is removed.
func Open(folder string, end End) (*Log, error) {
	l := &Log{folder: folder, generation: max(1, end.Generation), last: end.Generation}
	l.flushed.L = &l.mu
	if end.Generation == 0 {
		return l, nil
	}
	if end.offset < headerBytes {
		// Its process was killed while it made the file. A generation that is followed by another one has to have a header:
		// this one has no record yet, so that Rotate does not end it.
		l.last--
	}
	if err := l.open(end.Generation, end.offset); err != nil {
		return nil, err
	}
	return l, nil
}

// open makes the file of a generation the one that is written to, from an offset on.
func (l *Log) open(generation uint64, offset int64) error {
	f, err := os.OpenFile(filepath.Join(l.folder, fileName(generation)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(offset); err != nil {
		return errors.Join(err, f.Close())
	}
	if l.file != nil {
		err = l.file.Close()
	}
	l.file, l.fileOf, l.position = f, generation, offset
	return err
}

// Generation is that of the records that are appended now.
func (l *Log) Generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generation
}

// Append appends a record, which is copied, and returns what Wait needs. It does not write: it is quick, and may be called with
// locks held that fix the order of records.
func (l *Log) Append(record []byte) (position uint64, err error) {
	if len(record) > MaxRecord {
		return 0, fmt.Errorf("a record of %d bytes, at most %d are written", len(record), MaxRecord)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrClosed
	}
	n := len(l.pending)
	if n == 0 || l.pending[n-1].generation != l.generation {
		l.pending = append(l.pending, chunk{generation: l.generation, data: l.spare[:0]})
		l.spare = nil
		n++
	}
	l.appended++
	l.last = l.generation
	last := &l.pending[n-1]
	last.data, last.upto = appendRecord(last.data, record), l.appended
	return l.appended, nil
}

// Rotate ends the present generation: what is appended from now on goes to the next file, even if what was appended before has
// not been written yet. A generation without a record is not ended.
func (l *Log) Rotate() (generation uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == l.generation {
		l.generation++
	}
	return l.generation
}

// Appended is the position of the last record.
func (l *Log) Appended() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended
}

// Wait returns when the record at a position, and all before it, are in the file: a process that is killed does not lose them
// any more. One of those who wait writes for all.
//
// If the file cannot be written to the error says so. The records are kept, and written as soon as that is possible: nothing
// is lost if a later Wait or Ready succeeds.
func (l *Log) Wait(position uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.writing && l.written < position {
			l.flushed.Wait()
		}
		switch {
		case l.written >= position:
			return nil
		case l.closed:
			return ErrClosed
		}
		if err := l.write(); err != nil && l.written < position {
			return err
		}
	}
}

// Ready says whether the file can be written to, as far as is known: if the last attempt did not succeed it makes another one.
// Who asks it before each record does not pile them up in memory.
func (l *Log) Ready() error {
	l.mu.Lock()
	for l.writing && l.stalled != nil {
		l.flushed.Wait()
	}
	stalled, position, closed := l.stalled != nil, l.appended, l.closed
	l.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case stalled:
		return l.Wait(position)
	}
	return nil
}

// write writes what is pending. It is called with mu held, which it gives away meanwhile.
func (l *Log) write() error {
	chunks := l.pending
	l.pending, l.spares, l.writing = l.spares[:0], nil, true
	l.mu.Unlock()
	done := 0
	var err error
	for done < len(chunks) {
		if err = l.writeChunk(&chunks[done]); err != nil {
			break
		}
		done++
	}
	l.mu.Lock()
	l.writing = false
	if done > 0 {
		l.written = chunks[done-1].upto
		l.spare = keepable(chunks[done-1].data)
	}
	if done == len(chunks) {
		clear(chunks)
		l.spares = chunks
	} else {
		l.pending = append(chunks[done:], l.pending...)
	}
	if l.stalled = nil; err != nil {
		err = fmt.Errorf("write the log: %w; requests are refused until there is room and it can be written in %s: nothing that was answered is lost", err, l.folder)
		l.stalled = err
	}
	l.flushed.Broadcast()
	return err
}

// keepable is a buffer to be used again, unless it became large once.
func keepable(data []byte) []byte {
	if cap(data) > 1<<20 {
		return nil
	}
	return data[:0]
}

// writeChunk writes at the end of what was written as a whole: an attempt that wrote a part is written over.
func (l *Log) writeChunk(c *chunk) error {
	if l.file == nil || l.fileOf != c.generation {
		if err := l.open(c.generation, 0); err != nil {
			return err
		}
	}
	if l.position == 0 {
		head := header(c.generation)
		if _, err := l.file.WriteAt(head, 0); err != nil {
			return err
		}
		l.position = int64(len(head))
	}
	if _, err := l.file.WriteAt(c.data, l.position); err != nil {
		return err
	}
	l.position += int64(len(c.data))
	return nil
}

// Trim removes the files of generations before the given one, oldest first, so that what is left has no gap whenever it stops.
// The present generation stays.
func (l *Log) Trim(before uint64) error {
	generations, err := list(l.folder)
	if err != nil {
		return err
	}
	before = min(before, l.Generation())
	for _, generation := range generations {
		if generation >= before {
			break
		}
		if err := os.Remove(filepath.Join(l.folder, fileName(generation))); err != nil {
			return fmt.Errorf("trim the log: %w", err)
		}
	}
	return nil
}

// Close writes what is pending and closes the file. Others get ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for l.writing {
		l.flushed.Wait()
	}
	var err error
	if len(l.pending) > 0 {
		err = l.write()
	}
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
		l.file = nil
	}
	l.flushed.Broadcast()
	return err
}
