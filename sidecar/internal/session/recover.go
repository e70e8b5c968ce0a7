package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/sidecar/internal/statestore/wal"
)

// recover brings back the sessions of these fences. A session that cannot be brought back becomes unknown: its task fails, and
// Flink restores it.
func (m *Manager) recover(fences []uint64) {
	for _, fence := range fences {
		token := Token{m.instance, fence}
		spec, err := peek(m.disk.sessionFolder(fence))
		if err != nil {
			m.lose(token, err)
			continue
		}
		m.sessions[fence] = newSession(m, token, spec)
	}
	for fence, s := range m.sessions {
		for other, newer := range m.sessions {
			if other > fence && newer.spec.takesOver(&s.spec) {
				// The process was killed while it fenced s.
				delete(m.sessions, fence)
				m.gone = append(m.gone, fence)
				m.lose(s.token, fmt.Errorf("session %s took it over", newer.token))
				break
			}
		}
	}
	for _, s := range m.all() {
		m.running.Go(func() {
			err := s.comeBack()
			close(s.recovered)
			if err != nil && m.ctx.Err() == nil {
				m.mu.Lock()
				if m.sessions[s.token.Fence] == s {
					delete(m.sessions, s.token.Fence)
				}
				m.mu.Unlock()
				s.end(unknown(s.token), true)
				m.log.Warn("a session cannot be brought back; Flink restores it", "session", s.token.String(), "error", err)
			}
		})
	}
}

func (m *Manager) lose(t Token, why error) {
	m.log.Warn("a session is not brought back", "session", t.String(), "error", why)
	if err := m.disk.remove(t.Fence); err != nil {
		m.log.Warn("the log of a session stays", "session", t.String(), "error", err)
	}
}

var errEnough = errors.New("enough was read")

// peek reads what a log is of.
func peek(folder string) (spec Spec, err error) {
	var b begin
	_, err = wal.Read(folder, func(_ uint64, record []byte) error {
		if len(record) == 0 || record[0] != recordBegin {
			return errRecord
		}
		if err := readJSON(record, &b); err != nil {
			return err
		}
		return errEnough
	})
	switch {
	case err == nil:
		return spec, errors.New("the log is empty")
	case !errors.Is(err, errEnough):
		return spec, err
	case b.Version != logVersion:
		return spec, fmt.Errorf("a log of version %d", b.Version)
	}
	return b.Spec, b.Spec.check()
}

// comeBack reads the log: the last state that is in the store, and what came after it.
func (s *session) comeBack() error {
	var last *durable
	var from *restored
	first := uint64(0)
	if _, err := wal.Read(s.folder, func(generation uint64, record []byte) error {
		if first == 0 {
			first = generation
		}
		if len(record) == 0 {
			return errRecord
		}
		switch record[0] {
		case recordDurable:
			last = new(durable)
			return readJSON(record, last)
		case recordRestore:
			from = new(restored)
			return readJSON(record, from)
		}
		return s.ctx.Err()
	}); err != nil {
		return err
	}
	start, err := s.base(first, last, from)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end, err := wal.Read(s.folder, func(generation uint64, record []byte) error {
		if generation < start {
			return nil
		}
		if err := s.again(generation, record, last); err != nil {
			return err
		}
		return s.ctx.Err()
	})
	if err != nil {
		return err
	}
	if s.log, err = wal.Open(s.folder, end); err != nil {
		return err
	}
	s.tidy()
	s.work()
	return nil
}

// base loads the state that the log begins with, and says with which generation it goes on.
func (s *session) base(first uint64, last *durable, from *restored) (start uint64, err error) {
	switch {
	case last != nil:
		loaded, err := segment.Load(s.ctx, localFirst{s.folder, s.m.store}, &last.Manifest, s.want())
		if errors.Is(err, segment.ErrDamaged) {
			loaded, err = segment.Load(s.ctx, s.m.store, &last.Manifest, s.want())
		}
		if err != nil {
			return 0, err
		}
		s.swap(loaded)
		s.epoch = last.Epoch
		b := &barrier{epoch: last.Epoch, marked: true, done: make(chan struct{}), ref: last.Reference}
		close(b.done)
		s.results = []*barrier{b}
		if from != nil {
			s.restore, err = finished(from.References)
		}
		return last.Generation, err
	case first != 1:
		return 0, fmt.Errorf("the log begins with generation %d and without a state: %w", first, wal.ErrDamaged)
	case from != nil:
		loaded, err := segment.Restore(s.ctx, s.m.store, from.References, s.want())
		if err != nil {
			return 0, err
		}
		s.swap(loaded)
		s.restore, err = finished(from.References)
		return 1, err
	}
	return 1, nil
}

// finished is a restore that is done.
func finished(references []segment.Reference) (*restoring, error) {
	digest, err := digestOf(references)
	r := &restoring{digest: digest, done: make(chan struct{})}
	close(r.done)
	return r, err
}

// again does what a record says was done.
func (s *session) again(generation uint64, record []byte, last *durable) error {
	switch record[0] {
	case recordBegin:
		var b begin
		if err := readJSON(record, &b); err != nil {
			return err
		}
		if b.Token != s.token || b.Spec != s.spec || b.Version != logVersion {
			return fmt.Errorf("generation %d is of another session: %w", generation, wal.ErrDamaged)
		}
		if b.Epoch > s.epoch {
			s.frozen(&barrier{epoch: b.Epoch, done: make(chan struct{}), generation: generation})
		}
	case recordApply:
		c, watermark, err := readApply(record[1:])
		if err != nil {
			return err
		}
		s.parts.Advance(watermark)
		return s.parts.Redo(&c)
	case recordMark:
		var mark Mark
		if err := readJSON(record, &mark); err != nil {
			return err
		}
		if last != nil && mark.Epoch == last.Epoch {
			s.marked = mark.Epoch
			return s.parts.Mark(nil, mark.Epoch, mark.InFlight)
		}
		if b := s.find(mark.Epoch); b != nil {
			return s.markAt(b, mark)
		}
		// It was given up when more barriers were allowed to wait, or is now.
		s.marked = max(s.marked, mark.Epoch)
		return s.parts.Mark(nil, mark.Epoch, mark.InFlight)
	case recordAbort:
		var a aborted
		if err := readJSON(record, &a); err != nil {
			return err
		}
		if b := s.find(a.Epoch); b != nil {
			s.giveUp(b, refuse(CodeNoSnapshot, "checkpoint %d: %w", a.Epoch, errAborted))
		}
	case recordRestore, recordDurable: // known already
	default:
		return fmt.Errorf("a record of kind %q: %w", record[0], errRecord)
	}
	return nil
}

// tidy removes what a killed process has left.
func (s *session) tidy() {
	keep := map[string]bool{}
	for i := range s.chain.Segments {
		keep[path.Base(s.chain.Segments[i].Key)] = true
	}
	files, _ := filepath.Glob(filepath.Join(s.folder, "s*")) //nolint:errcheck // the pattern is good
	for _, name := range files {
		if base := filepath.Base(name); !keep[base] && (filepath.Ext(base) == ".segment" || len(base) > 6 && base[:6] == "spool-") {
			os.Remove(name) //nolint:errcheck // the next start removes it
		}
	}
}

// localFirst reads segments from copies in a folder, and from the store if there are none.
type localFirst struct {
	folder string
	store  Store
}

// Open opens an object.
func (l localFirst) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	f, err := os.Open(filepath.Join(l.folder, path.Base(key)))
	if err != nil {
		return l.store.Open(ctx, key, part)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, snapshot.Object{}, errors.Join(err, f.Close())
	}
	length, err := part.Within(info.Size())
	if err != nil {
		return nil, snapshot.Object{}, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, part.Offset, length), f}, snapshot.Object{Key: key, Size: info.Size()}, nil
}

var _ statestore.Log = (*applying)(nil)
