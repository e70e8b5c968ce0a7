package statestore

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// What can be wrong, to be tested with errors.Is.
var (
	// ErrKeyGroup: the key group is not one of these partitions.
	ErrKeyGroup = errors.New("another key group")
	// ErrVersion: the value has another version by now.
	ErrVersion = errors.New("another version")
	// ErrLimit: a limit does not let the state grow. Nothing was changed.
	ErrLimit = errors.New("limit reached")
	// ErrAnswers: so many answers are stored that there is no room for another one, before a mark says which are of no use any more. Nothing
	// was changed.
	ErrAnswers = errors.New("no room for answers")
	// ErrStale: a copy of a request whose answer was used and forgotten long ago. It must not be applied again.
	ErrStale = errors.New("a late copy of a request that was answered")
)

// Value is what a key stands for.
type Value struct {
	// Data must not be modified.
	Data []byte
	// Version is the number of the change that wrote the value: see the package. 0 if there is none.
	Version uint64
	// Expires is the event time, in ms since 1970, at which the value is gone; 0 is never.
	Expires int64
}

// Change is what shall become of a key. The zero value leaves it as it is.
type Change struct {
	op      op
	data    []byte
	expires int64
}

type op uint8

const (
	opKeep op = iota
	opSet
	opDelete
)

// Set is the change to a new value, which is not touched again by the caller. It expires at that event time, 0 is never.
func Set(data []byte, expires int64) Change { return Change{op: opSet, data: data, expires: expires} }

// Delete is the change to no value.
func Delete() Change { return Change{op: opDelete} }

// idle: the change changes nothing.
func (c Change) idle(old Value) bool { return c.op == opKeep || c.op == opDelete && old.Version == 0 }

// Limits keep one operator from taking all memory. 0 is no limit.
type Limits struct {
	// Bytes of all keys and values that are live; versions that frozen states need come on top.
	Bytes int64
	// ValueBytes is the longest value, KeyBytes the longest key.
	ValueBytes, KeyBytes int
	// AnswerBytes of all stored answers and their ids.
	AnswerBytes int64
}

// Hooks are told what happens. They are called while the key group is locked: they must be quick, must not call back, and
// must not keep the values' bytes if they change them.
type Hooks struct {
	// Changed: a key has another value. The old one is the zero Value if there was none, the new one if it was deleted or has
	// expired.
	Changed func(keyGroup uint16, key string, old, now Value)
}

// Partitions is the state of a range of key groups. All methods are safe for concurrent use; each key group has a lock of
// its own.
type Partitions struct {
	keyGroups Range
	limits    Limits
	hooks     Hooks
	groups    []group

	watermark   atomic.Int64
	bytes       atomic.Int64
	keys        atomic.Int64
	answerBytes atomic.Int64
	roomAt      atomic.Int64 // the last watermark at which all key groups were swept to make room

	// freezing is held by what changes the following, whose copies in each group are what writers look at.
	freezing sync.Mutex
	interval uint64    // the time between two freezes: the present one
	base     uint64    // the last interval of which all changes are durable, 0 if there is none
	held     []*Frozen // oldest first
}

// New returns empty partitions.
func New(keyGroups Range, limits Limits, hooks Hooks) *Partitions {
	p := &Partitions{keyGroups: keyGroups, limits: limits, hooks: hooks, groups: make([]group, keyGroups.Len()), interval: 1}
	for i := range p.groups {
		p.groups[i].interval, p.groups[i].floor = 1, math.MinInt64
	}
	p.watermark.Store(math.MinInt64)
	p.roomAt.Store(math.MinInt64)
	return p
}

// KeyGroups is the range.
func (p *Partitions) KeyGroups() Range { return p.keyGroups }

func (p *Partitions) group(keyGroup uint16) (*group, error) {
	if !p.keyGroups.Contains(keyGroup) {
		return nil, fmt.Errorf("key group %d, here are %s: %w", keyGroup, p.keyGroups, ErrKeyGroup)
	}
	return &p.groups[keyGroup-p.keyGroups.From], nil
}

// Watermark is the event time that was reached, math.MinInt64 if none was: everything that may still happen happens at it or later. A key
// group that was loaded may have reached a later one before.
func (p *Partitions) Watermark() int64 { return p.watermark.Load() }

// Advance says that nothing happens any more at an event time before the watermark, so that what has expired at it is of no use. It never
// goes back.
func (p *Partitions) Advance(watermark int64) {
	for {
		old := p.watermark.Load()
		if watermark <= old || p.watermark.CompareAndSwap(old, watermark) {
			return
		}
	}
}

// Get returns the value of a key, the zero Value if there is none.
func (p *Partitions) Get(keyGroup uint16, key string) (Value, error) {
	g, err := p.group(keyGroup)
	if err != nil {
		return Value{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.get(key, g.reached(p)), nil
}

// Update changes one key, atomically: fn is given the value, or the zero Value, and says what shall become of it. It is
// called while the key group is locked. The answer is the value afterwards.
func (p *Partitions) Update(keyGroup uint16, key string, fn func(old Value) (Change, error)) (Value, error) {
	g, err := p.group(keyGroup)
	if err != nil {
		return Value{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	watermark := g.reached(p)
	g.expire(p, keyGroup, sweepPerWrite, watermark)
	old := g.get(key, watermark)
	c, err := fn(old)
	if err != nil {
		return old, err
	}
	if c.idle(old) {
		return old, nil
	}
	if err := p.check(key, c); err != nil {
		return old, err
	}
	if err := p.reserve(g, keyGroup, c.growth(key, old), watermark); err != nil {
		return old, err
	}
	return g.change(p, keyGroup, key, c, g.version+1, watermark), nil
}

// CompareAndSet changes a key if its value has that version, 0 for none. Otherwise the error is ErrVersion, and the answer the
// present value.
func (p *Partitions) CompareAndSet(keyGroup uint16, key string, version uint64, c Change) (Value, error) {
	return p.Update(keyGroup, key, func(old Value) (Change, error) {
		if old.Version != version {
			return Change{}, fmt.Errorf("%q has version %d, not %d: %w", key, old.Version, version, ErrVersion)
		}
		return c, nil
	})
}

// growth is what a change adds to the bytes of the state.
func (c Change) growth(key string, old Value) int64 {
	var grown int64
	if old.Version != 0 {
		grown = -int64(len(key) + len(old.Data))
	}
	if c.op == opSet {
		grown += int64(len(key) + len(c.data))
	}
	return grown
}

// check refuses a change that is too large by itself.
func (p *Partitions) check(key string, c Change) error {
	switch {
	case c.op != opSet:
		return nil
	case p.limits.KeyBytes > 0 && len(key) > p.limits.KeyBytes:
		return fmt.Errorf("a key of %d bytes, at most %d are allowed: %w", len(key), p.limits.KeyBytes, ErrLimit)
	case p.limits.ValueBytes > 0 && len(c.data) > p.limits.ValueBytes:
		return fmt.Errorf("the value of %q has %d bytes, at most %d are allowed: %w", key, len(c.data), p.limits.ValueBytes, ErrLimit)
	}
	return nil
}

// reserve books bytes that are about to be added by a writer, who holds the lock of a key group. What only shrinks the state is
// let through at any size.
func (p *Partitions) reserve(g *group, keyGroup uint16, grown, watermark int64) error {
	limit := p.limits.Bytes
	now := p.bytes.Add(grown)
	if grown <= 0 || limit <= 0 || now <= limit {
		return nil
	}
	g.expire(p, keyGroup, math.MaxInt, watermark)
	p.sweepOthers(g)
	if now = p.bytes.Load(); now <= limit {
		return nil
	}
	p.bytes.Add(-grown)
	return fmt.Errorf("the state of key groups %s would have %d bytes, at most %d are allowed; raise the limit, let values expire, or raise the parallelism: %w",
		p.keyGroups, now, limit, ErrLimit)
}

// Stats is the size of a state.
type Stats struct {
	Keys        int64
	Bytes       int64 // of keys and values
	Answers     int64 // that are stored
	AnswerBytes int64
	Kept        int64 // keys of which an old version is kept for a frozen state
	Frozen      int   // states that are held
	Watermark   int64
}

// Version is that of the last change in a key group.
func (p *Partitions) Version(keyGroup uint16) (uint64, error) {
	g, err := p.group(keyGroup)
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.version, nil
}

// Stats goes through the key groups, not through the keys.
func (p *Partitions) Stats() Stats {
	s := Stats{Keys: p.keys.Load(), Bytes: p.bytes.Load(), AnswerBytes: p.answerBytes.Load(), Watermark: p.Watermark()}
	p.freezing.Lock()
	s.Frozen = len(p.held)
	p.freezing.Unlock()
	for i := range p.groups {
		g := &p.groups[i]
		g.mu.Lock()
		s.Kept += int64(len(g.kept))
		for _, t := range g.answers.tables {
			s.Answers += int64(len(t.known))
		}
		g.mu.Unlock()
	}
	return s
}
