package statestore

import (
	"iter"
	"slices"
)

// Frozen is a state as it was when Freeze was called. It keeps the versions of that time until Release, however much changes;
// those who do not release it lose memory with each change. Its methods are safe for concurrent use, also beside writers,
// whom they hold up for some microseconds at a time.
type Frozen struct {
	p         *Partitions
	interval  uint64 // the last one that belongs to it
	watermark int64
	versions  []uint64 // of each key group
	// floors are event times that key groups had reached when they were loaded, of those that watermark has not reached; nil if there are none.
	floors map[uint16]int64
	// upto is, for each key group, how many of its changed entries belong to the state: guarded by the group's lock.
	upto []int
	// answers of each key group, set by Mark before anybody reads them.
	answers map[uint16][]Answer
}

// Freeze fixes the present state for a barrier, whose Mark will say which answers belong to it. It takes a time that depends on
// the number of key groups alone. Each key group is frozen at one moment, but not all at the same: who needs that keeps
// writers away meanwhile.
func (p *Partitions) Freeze() *Frozen { return p.freeze(true) }

// FreezeAhead does so for changes that are stored before the next barrier comes. There is no Mark, and there are no Answers.
func (p *Partitions) FreezeAhead() *Frozen { return p.freeze(false) }

func (p *Partitions) freeze(barrier bool) *Frozen {
	p.freezing.Lock()
	defer p.freezing.Unlock()
	f := &Frozen{
		p: p, interval: p.interval, watermark: p.Watermark(),
		versions: make([]uint64, len(p.groups)), upto: make([]int, len(p.groups)),
	}
	p.interval++
	p.held = append(p.held, f)
	since, _ := p.since()
	for i := range p.groups {
		g := &p.groups[i]
		g.mu.Lock()
		f.versions[i], f.upto[i] = g.version, len(g.changed)
		if g.floor > f.watermark {
			if f.floors == nil {
				f.floors = map[uint16]int64{}
			}
			f.floors[p.keyGroups.From+uint16(i)] = g.floor //nolint:gosec // below MaxParallelism
		}
		g.interval, g.newest = p.interval, f.interval
		if !g.tracking {
			g.since, g.tracking = since, true
		}
		if barrier {
			g.answers.awaiting = f.interval
		}
		g.mu.Unlock()
	}
	return f
}

// since is the interval after which changes have to be listed, if they have to: the one that is durable, or else the first of
// those that may become so.
func (p *Partitions) since() (interval uint64, tracking bool) {
	switch {
	case p.base != 0:
		return p.base, true
	case len(p.held) > 0:
		return p.held[0].interval, true
	}
	return 0, false
}

// Durable says that the state is stored: from now on Changed of later states tells what changed since this one. The state
// stays held. Of two states, the older one says so first.
func (f *Frozen) Durable() {
	f.p.settle(func() {
		if f.interval > f.p.base {
			f.p.base = f.interval
		}
	})
}

// Release gives back the memory that the state needs. Nobody may use it afterwards. A second call changes nothing.
func (f *Frozen) Release() {
	f.p.settle(func() {
		f.p.held = slices.DeleteFunc(slices.Clone(f.p.held), func(other *Frozen) bool { return other == f })
	})
}

// settle makes a change of what is held or durable, and has all key groups follow it: one after another, so that a Freeze need
// not wait for all of them.
func (p *Partitions) settle(change func()) {
	p.freezing.Lock()
	change()
	p.freezing.Unlock()
	for i := range p.groups {
		g := &p.groups[i]
		p.freezing.Lock()
		since, tracking := p.since()
		g.mu.Lock()
		g.settle(i, p.held, since, tracking)
		g.mu.Unlock()
		p.freezing.Unlock()
	}
}

// Loaded says that the state as it is now is stored already, since it was loaded from there: Changed tells what changed since.
// It is called once, before anything else changes.
func (p *Partitions) Loaded() {
	f := p.FreezeAhead()
	f.Durable()
	f.Release()
}

// Incremental says whether Changed has a meaning: whether an older state is durable, and no newer one.
func (f *Frozen) Incremental() bool {
	f.p.freezing.Lock()
	defer f.p.freezing.Unlock()
	return f.p.base != 0 && f.p.base < f.interval
}

// KeyGroups are those of the partitions.
func (f *Frozen) KeyGroups() Range { return f.p.keyGroups }

// Watermark is the one at that time.
func (f *Frozen) Watermark() int64 { return f.watermark }

// Reached is the one that a key group had reached, which is that or later.
func (f *Frozen) Reached(keyGroup uint16) int64 {
	if floor, ok := f.floors[keyGroup]; ok {
		return floor
	}
	return f.watermark
}

// Version is the number of the last change of the key group, which is one of KeyGroups.
func (f *Frozen) Version(keyGroup uint16) uint64 { return f.versions[keyGroup-f.p.keyGroups.From] }

// Get is the value at that time, the zero Value if there was none.
func (f *Frozen) Get(keyGroup uint16, key string) (Value, error) {
	g, err := f.p.group(keyGroup)
	if err != nil {
		return Value{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.entries[key]; e != nil {
		if o := e.at(f.interval); o != nil && o.visible(f.Reached(keyGroup)) {
			return o.asValue(), nil
		}
	}
	return Value{}, nil
}

// batch is how many entries are looked at while a key group is locked: some ten microseconds.
const batch = 256

// keyValue is an entry of a batch.
type keyValue struct {
	key   string
	value Value
}

// All gives the keys of a key group, in no order, with their values at that time. It is one of KeyGroups.
func (f *Frozen) All(keyGroup uint16) iter.Seq2[string, Value] {
	g := &f.p.groups[keyGroup-f.p.keyGroups.From]
	watermark := f.Reached(keyGroup)
	return func(yield func(string, Value) bool) {
		found := make([]keyValue, 0, batch)
		flush := func() bool {
			g.mu.Unlock()
			defer g.mu.Lock()
			for _, kv := range found {
				if !yield(kv.key, kv.value) {
					return false
				}
			}
			found = found[:0]
			return true
		}
		looked := 0
		g.mu.Lock()
		defer g.mu.Unlock()
		// A range over a map tolerates what writers do between two of its steps, while the lock is given away: what it has not
		// come to and is not removed it will come to, once. Of the entries that this state has, none is removed.
		for key, e := range g.entries {
			if o := e.at(f.interval); o != nil && o.visible(watermark) {
				found = append(found, keyValue{key, o.asValue()})
			}
			if looked++; looked%batch == 0 && !flush() {
				return
			}
		}
		flush()
	}
}

// Changed gives those keys of a key group that may differ from what is durable, in no order, with their values at that time;
// the zero Value stands for a key that was not there. It needs Incremental, and that nobody calls Durable meanwhile.
func (f *Frozen) Changed(keyGroup uint16) iter.Seq2[string, Value] {
	i := int(keyGroup - f.p.keyGroups.From)
	g := &f.p.groups[i]
	watermark := f.Reached(keyGroup)
	return func(yield func(string, Value) bool) {
		found := make([]keyValue, 0, batch)
		for from := 0; ; from += batch {
			found = found[:0]
			g.mu.Lock()
			// One that was released while it is read gives nonsense, but does not panic: its marks are not kept up any more.
			to := min(f.upto[i], len(g.changed), from+batch)
			for j := from; j < to; j++ {
				e := g.changed[j]
				kv := keyValue{key: e.key}
				if o := e.at(f.interval); o != nil && o.visible(watermark) {
					kv.value = o.asValue()
				}
				found = append(found, kv)
			}
			g.mu.Unlock()
			if len(found) == 0 {
				return
			}
			for _, kv := range found {
				if !yield(kv.key, kv.value) {
					return
				}
			}
		}
	}
}

// Changes is how many keys Changed gives, of all key groups.
func (f *Frozen) Changes() int {
	n := 0
	for i := range f.p.groups {
		g := &f.p.groups[i]
		g.mu.Lock()
		n += f.upto[i]
		g.mu.Unlock()
	}
	return n
}

// Answers are the stored answers that belong to the state: see Partitions.Mark.
func (f *Frozen) Answers(keyGroup uint16) []Answer { return f.answers[keyGroup] }
