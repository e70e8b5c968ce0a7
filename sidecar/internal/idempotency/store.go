// Package idempotency remembers the answers to calls that carry an id, so that a call that Flink sends again after a
// timeout, a lost connection or a restore is answered from memory and has no second effect.
//
// All answers live equally long, so the order of arrival is the order of expiry and of eviction: a map and a queue
// suffice. A cache with a cleverer admission policy would be wrong here, since it may refuse what came last, which is
// just what is asked for again.
package idempotency

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Config bounds what is remembered.
type Config struct {
	MaxEntries int           `yaml:"max_entries" doc:"answers kept for repeated ids; 0 = none"`
	MaxBytes   int64         `yaml:"max_bytes" doc:"memory for these answers and their ids, in bytes"`
	TTL        time.Duration `yaml:"ttl" doc:"how long an answer is kept"`
}

// DefaultConfig keeps 100,000 answers in 64 MiB for 10 minutes.
func DefaultConfig() Config {
	return Config{MaxEntries: 100_000, MaxBytes: 64 << 20, TTL: 10 * time.Minute}
}

// Validate names what cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxEntries < 0:
		return fmt.Errorf("max_entries: %d, must not be negative", c.MaxEntries)
	case c.MaxEntries > 0 && c.MaxBytes <= 0:
		return fmt.Errorf("max_bytes: %d, must be positive", c.MaxBytes)
	case c.MaxEntries > 0 && c.TTL <= 0:
		return fmt.Errorf("ttl: %s, must be positive", c.TTL)
	}
	return nil
}

// ErrReused says that an id came again with another payload.
var ErrReused = errors.New("id was used with another payload")

// Fingerprint identifies a payload.
type Fingerprint [sha256.Size]byte

// FingerprintOf is equal for JSON events that mean the same: space outside strings, the order of names and the way a
// string is escaped do not count. Numbers count as they are written, so that large integers stay apart.
func FingerprintOf(function string, event []byte) (Fingerprint, error) {
	canonical := jsontext.Value(append([]byte(nil), event...))
	err := canonical.Format(
		jsontext.ReorderRawObjects(true), jsontext.PreserveRawStrings(false),
		jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false),
	)
	if err != nil {
		return Fingerprint{}, fmt.Errorf("canonical form of the event: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(function))
	h.Write([]byte{0})
	h.Write(canonical)
	return Fingerprint(h.Sum(nil)), nil
}

// Outcome is what is remembered of a call: an answer, or an error that would be the same again.
type Outcome[A any] struct {
	Answer A
	Err    error
}

type entry[A any] struct {
	id      string
	print   Fingerprint
	done    chan struct{} // closed when outcome is known, or the call was given up
	kept    bool
	outcome Outcome[A]
	size    int64
	expires time.Time
	element *list.Element // place in the queue; nil while the call runs
}

// Store remembers outcomes by id. It is safe for concurrent use.
type Store[A any] struct {
	cfg   Config
	sizer func(Outcome[A]) int64

	mu    sync.Mutex
	byID  map[string]*entry[A]
	queue *list.List // finished entries, oldest first
	bytes int64
}

// New returns an empty store; sizer says how many bytes an outcome takes.
func New[A any](cfg Config, sizer func(Outcome[A]) int64) *Store[A] {
	return &Store[A]{cfg: cfg, sizer: sizer, byID: map[string]*entry[A]{}, queue: list.New()}
}

// entryOverhead is about what an entry takes besides its id and outcome: map bucket, list element, channel, fields.
const entryOverhead = 320

// Do returns the outcome remembered for the id (replayed is true), or that of the same call that is still running, or
// calls fn. fn says whether its outcome is worth keeping; if not, the next call with the id runs again. With an empty id
// or a store of no entries, fn is simply called. The error ErrReused means that the id came with another payload.
func (s *Store[A]) Do(ctx context.Context, id string, print Fingerprint, fn func() (o Outcome[A], keep bool)) (o Outcome[A], replayed bool, err error) {
	if id == "" || s.cfg.MaxEntries == 0 {
		o, _ := fn()
		return o, false, nil
	}
	for {
		e, mine, err := s.claim(id, print)
		if err != nil {
			return Outcome[A]{}, false, err
		}
		if mine {
			return s.run(e, fn), false, nil
		}
		select {
		case <-e.done:
			if e.kept {
				return e.outcome, true, nil
			}
			// The call that ran came to nothing worth keeping: this one is on its own.
		case <-ctx.Done():
			return Outcome[A]{}, false, ctx.Err()
		}
	}
}

func (s *Store[A]) claim(id string, print Fingerprint) (e *entry[A], mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(time.Now())
	if e, ok := s.byID[id]; ok {
		if e.print != print {
			return nil, false, ErrReused
		}
		return e, false, nil
	}
	e = &entry[A]{id: id, print: print, done: make(chan struct{})}
	s.byID[id] = e
	return e, true, nil
}

// run calls fn for the entry's owner. A panic in fn gives the id free and goes on upwards.
func (s *Store[A]) run(e *entry[A], fn func() (Outcome[A], bool)) Outcome[A] {
	keep := false
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if keep {
			s.keep(e)
		} else {
			delete(s.byID, e.id)
		}
		close(e.done)
	}()
	e.outcome, keep = fn()
	return e.outcome
}

func (s *Store[A]) keep(e *entry[A]) {
	e.kept = true
	e.size = s.sizer(e.outcome) + int64(len(e.id)) + entryOverhead
	e.expires = time.Now().Add(s.cfg.TTL)
	e.element = s.queue.PushBack(e)
	s.bytes += e.size
	for s.queue.Len() > s.cfg.MaxEntries || s.bytes > s.cfg.MaxBytes {
		s.dropOldest()
	}
}

func (s *Store[A]) expire(now time.Time) {
	for oldest := s.queue.Front(); oldest != nil && !oldest.Value.(*entry[A]).expires.After(now); oldest = s.queue.Front() {
		s.dropOldest()
	}
}

func (s *Store[A]) dropOldest() {
	e := s.queue.Remove(s.queue.Front()).(*entry[A])
	delete(s.byID, e.id)
	s.bytes -= e.size
}

// Size returns how many outcomes are remembered and the memory they take.
func (s *Store[A]) Size() (entries int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(time.Now())
	return s.queue.Len(), s.bytes
}
