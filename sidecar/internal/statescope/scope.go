// Package statescope is what a function sees of its state during one call: the values of one key, read and written through a
// transaction that is committed only if the call succeeds. The public package state is its face; here is what those who call
// functions need as well.
package statescope

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// Guarantee says what a state is worth after a fault.
type Guarantee string

// The guarantees.
const (
	// Checkpointed: as old as the checkpoint of Flink that the job was restored from.
	Checkpointed Guarantee = "checkpointed"
	// AtLeastOnce: there is no barrier. A repeated call may count twice, and a sidecar that ends takes the state with it.
	AtLeastOnce Guarantee = "at-least-once"
)

// NoWatermark is the event time of one who has heard of none.
const NoWatermark int64 = math.MinInt64

// Call is what a scope is of.
type Call struct {
	ID  string // of the request
	Key string
	// Watermark that the state has reached, in ms since 1970.
	Watermark int64
	Guarantee Guarantee
}

// Read is a value that a call has looked at.
type Read struct {
	Name    string
	Version uint64 // 0: there was none
}

// readsKept is how many reads are remembered by name: for the record of one decision.
const readsKept = 64

// Scope is the state of one key during one call of a function. It is safe for concurrent use, and of no use after End: a function
// whose deadline has passed may still hold it.
type Scope struct {
	Call

	mu      sync.Mutex
	tx      *statestore.Tx // nil after End
	prefix  string
	reads   []Read
	more    map[string]struct{} // names of reads beyond those
	version uint64
}

// New returns a scope on a transaction of the key's group.
func New(tx *statestore.Tx, c Call) *Scope {
	prefix := binary.AppendUvarint(nil, uint64(len(c.Key)))
	return &Scope{Call: c, tx: tx, prefix: string(append(prefix, c.Key...))}
}

var errKey = errors.New("is no key of a state")

// KeyOf is the key of which a value in the store is.
func KeyOf(stored string) (string, error) {
	length, n := binary.Uvarint([]byte(stored[:min(len(stored), binary.MaxVarintLen64)]))
	if n <= 0 || length > uint64(len(stored)-n) {
		return "", fmt.Errorf("%q %w", stored, errKey)
	}
	return stored[n : n+int(length)], nil
}

// End takes the transaction away from the function, and waits for a call of it that is at work.
func (s *Scope) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx = nil
}

// Ended says whether the call is over, and nothing that is written counts any more.
func (s *Scope) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx == nil
}

// Get returns a value, which must not be modified.
func (s *Scope) Get(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx == nil {
		return nil, false
	}
	return s.get(name)
}

func (s *Scope) get(name string) ([]byte, bool) {
	v, ok := s.tx.Get(s.prefix + name)
	for i := range s.reads {
		if s.reads[i].Name == name {
			return v.Data, ok // its version is that of the first time: what this call has written has none yet
		}
	}
	if len(s.reads) < readsKept {
		s.reads = append(s.reads, Read{name, v.Version})
	} else {
		if s.more == nil {
			s.more = map[string]struct{}{}
		}
		s.more[name] = struct{}{}
	}
	s.version = max(s.version, v.Version)
	return v.Data, ok
}

// Change changes a value if the call succeeds.
func (s *Scope) Change(name string, c statestore.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx == nil {
		return
	}
	s.get(name) // so that the answer knows the version that it replaces
	s.tx.Change(s.prefix+name, c)
}

// Seen is what the call has looked at, how many names more it looked at, and the highest version of all.
func (s *Scope) Seen() (reads []Read, more int, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, len(s.more), s.version
}

type contextKey struct{}

// With returns a context in which a function finds its scope.
func With(ctx context.Context, s *Scope) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// From finds the scope of a call.
func From(ctx context.Context) (*Scope, bool) {
	s, ok := ctx.Value(contextKey{}).(*Scope)
	return s, ok
}
