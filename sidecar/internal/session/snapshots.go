package session

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// work sees to it that somebody writes the snapshots that are wanted: one at a time, oldest first, since each may build on the
// one before. It is called with mu held for writing.
func (s *session) work() {
	if s.working || s.wanted() == nil {
		return
	}
	s.working = true
	s.m.running.Go(func() {
		for {
			s.mu.Lock()
			b := s.wanted()
			if b == nil || s.ended != nil {
				s.working = false
				s.mu.Unlock()
				return
			}
			chain := s.chain
			s.mu.Unlock()
			s.write(b, chain)
		}
	})
}

// wanted is the barrier whose snapshot is written next.
func (s *session) wanted() *barrier {
	for _, b := range s.barriers {
		if b.marked {
			return b
		}
	}
	return nil
}

// write writes a snapshot, and tries again until it is in the store or nobody wants it any more. It ends with the barrier
// finished.
func (s *session) write(b *barrier, chain segment.Chain) {
	select {
	case s.m.uploads <- struct{}{}:
		defer func() { <-s.m.uploads }()
	case <-b.ctx.Done():
		return // whoever ended it has finished it
	}
	d, err := s.put(b, chain)
	if b.ctx.Err() != nil {
		return
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.giveUp(b, refuse(CodeNoSnapshot, "the snapshot of checkpoint %d: %w", b.epoch, err))
		return
	}
	s.written(b, d)
}

// put writes the segment and the manifest of a snapshot.
func (s *session) put(b *barrier, chain segment.Chain) (*durable, error) {
	kind := segment.Increment
	if b.full || len(chain.Segments) == 0 || len(chain.Segments) >= s.m.config.MaxChain || chain.Increments > chain.Bases || !b.frozen.Incremental() {
		kind = segment.Base
	}
	written, body, err := s.spool(b, kind)
	if err != nil {
		return nil, err
	}
	defer body.close()
	prefix := fmt.Sprintf("%sstate/%s/%s/%s/%d-", s.m.config.Prefix, pathElement(s.spec.Job), pathElement(s.spec.Operator), s.token, b.epoch)
	if err := s.persist(b.ctx, func(ctx context.Context) error {
		// Each attempt has a key of its own: of one whose answer was lost nobody knows whether the object is there.
		written.Key = prefix + s.m.config.NewID() + ".segment"
		r, err := body.open()
		if err != nil {
			return err
		}
		_, err = s.m.store.Create(ctx, written.Key, r, written.Bytes)
		return errors.Join(err, r.Close())
	}); err != nil {
		return nil, err
	}
	d := &durable{Epoch: b.epoch, Generation: b.generation, Manifest: segment.Manifest{
		Version: 1, Job: s.spec.Job, Operator: s.spec.Operator, Subtask: s.spec.Subtask, Checkpoint: b.epoch, Savepoint: b.savepoint,
		MaxParallelism: s.spec.MaxParallelism, KeyGroups: s.spec.KeyGroups, Watermark: b.frozen.Watermark(), Reached: segment.ReachedBy(b.frozen),
		Segments: chain.Add(written).Segments,
	}}
	if err := s.persist(b.ctx, func(ctx context.Context) (err error) {
		d.Reference, err = segment.PutManifest(ctx, s.m.store, prefix+s.m.config.NewID()+".manifest", &d.Manifest)
		return err
	}); err != nil {
		return nil, err
	}
	return d, body.keep(path.Base(written.Key))
}

// persist tries until it succeeds, until the error is one that stays, or until ctx ends.
func (s *session) persist(ctx context.Context, try func(context.Context) error) error {
	wait := s.m.config.RetryMin
	for {
		err := try(ctx)
		if err == nil || !retryable(err) || ctx.Err() != nil {
			return err
		}
		s.m.log.Warn("the snapshot store does not take a snapshot; trying again", "session", s.token.String(), "wait", wait, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		wait = min(2*wait, s.m.config.RetryMax)
	}
}

// written notes that a snapshot is in the store.
func (s *session) written(b *barrier, d *durable) {
	s.mu.Lock()
	at := -1
	for i, other := range s.barriers {
		if other == b {
			at = i
		}
	}
	if at < 0 { // it was aborted at the last moment
		s.mu.Unlock()
		return
	}
	logged := s.append(recordDurable, d) == nil
	older := s.barriers[:at:at]
	s.barriers = append([]*barrier(nil), s.barriers[at+1:]...)
	s.chain = segment.ChainOf(d.Manifest.Segments)
	s.results = append(s.results, b)
	s.results = s.results[max(0, len(s.results)-s.m.config.MaxPending):]
	b.finish(d.Reference, nil)
	if wrote := s.m.config.Observe.Written; wrote != nil {
		segments := d.Manifest.Segments
		wrote(segments[len(segments)-1].Bytes+d.Reference.Bytes, time.Since(b.markedAt))
	}
	for _, other := range older {
		other.finish(segment.Reference{}, refuse(CodeNoSnapshot, "the mark of checkpoint %d did not come before the snapshot of %d was there", other.epoch, b.epoch))
	}
	s.mu.Unlock()
	b.frozen.Durable()
	b.frozen.Release()
	for _, other := range older {
		other.frozen.Release()
	}
	if logged {
		s.trim(d)
	}
}

// trim removes what the log needs no more, once the log itself says so.
func (s *session) trim(d *durable) {
	if s.log == nil || s.synced() != nil {
		return // the next snapshot does it
	}
	keep := map[string]bool{}
	for i := range d.Manifest.Segments {
		keep[path.Base(d.Manifest.Segments[i].Key)] = true
	}
	err := s.log.Trim(d.Generation)
	files, readErr := filepath.Glob(filepath.Join(s.folder, "*.segment"))
	err = errors.Join(err, readErr)
	for _, name := range files {
		if !keep[filepath.Base(name)] {
			err = errors.Join(err, os.Remove(name))
		}
	}
	if err != nil && s.ctx.Err() == nil {
		s.m.log.Warn("old files of a session stay", "session", s.token.String(), "error", err)
	}
}

// pathElement makes a name an element of a key, whatever is in it.
func pathElement(name string) string {
	escaped := url.PathEscape(name)
	switch {
	case escaped == ".", escaped == "..":
		return "%2E" + escaped[1:]
	case len(escaped) > 200:
		sum := sha256.Sum256([]byte(name))
		return hex.EncodeToString(sum[:])
	}
	return escaped
}

// spooled is a segment before it is in the store: in the folder of the session, where it stays as a copy from which the session
// comes back without the store, or in memory if there is none.
type spooled struct {
	memory []byte
	file   string
	kept   bool
}

// spool writes the segment of a snapshot.
func (s *session) spool(b *barrier, kind segment.Kind) (segment.Segment, *spooled, error) {
	options := segment.Options{MaxParallelism: s.spec.MaxParallelism, Answers: true, Compress: s.m.config.Compress}
	if s.log == nil {
		var memory bytes.Buffer
		written, err := segment.Write(newGentle(&memory), b.frozen, kind, options)
		return written, &spooled{memory: memory.Bytes()}, err
	}
	f, err := os.CreateTemp(s.folder, "spool-*")
	if err != nil {
		return segment.Segment{}, nil, err
	}
	body := &spooled{file: f.Name()}
	buffered := bufio.NewWriterSize(f, 1<<18)
	written, err := segment.Write(newGentle(buffered), b.frozen, kind, options)
	if err = errors.Join(err, buffered.Flush(), f.Close()); err != nil {
		body.close()
		return segment.Segment{}, nil, err
	}
	return written, body, nil
}

func (b *spooled) open() (io.ReadCloser, error) {
	if b.file == "" {
		return io.NopCloser(bytes.NewReader(b.memory)), nil
	}
	return os.Open(b.file)
}

// keep gives the copy the name under which it is looked for.
func (b *spooled) keep(name string) error {
	if b.file == "" {
		return nil
	}
	kept := filepath.Join(filepath.Dir(b.file), name)
	err := os.Rename(b.file, kept)
	b.kept = err == nil
	return err
}

func (b *spooled) close() {
	if b.file != "" && !b.kept {
		os.Remove(b.file) //nolint:errcheck // the next start removes it
	}
}
