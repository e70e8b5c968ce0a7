package statestore

import "sync"

// group is the state of one key group.
type group struct {
	mu      sync.Mutex
	entries map[string]*entry
	version uint64 // of the last change
	floor   int64  // the event time that it had reached when it was loaded

	// Copies of what the Partitions know, so that a writer needs no other lock.
	interval uint64 // the present one
	newest   uint64 // the newest interval that is held frozen, 0 if none is
	since    uint64 // changes after this interval are listed in changed; only if tracking
	tracking bool

	changed []*entry // after since, in the order of their first change, each once
	kept    []*entry // with older versions
	spare   *older   // to be used next: they are linked by next

	expiry  expiryQueue
	answers answers
	turns   turns
}

// entry is a key, with its present version and those older ones that a frozen state needs. A deleted key stays as an entry
// without a value for as long as a frozen state needs its older versions or its deletion is not durable.
type entry struct {
	key string
	older
}

// older is a version of an entry.
type older struct {
	value    []byte
	version  uint64
	expires  int64
	interval uint64 // in which it was written
	live     bool   // false: deleted
	next     *older // the version before
}

func (o *older) visible(watermark int64) bool {
	return o.live && !expired(o.expires, watermark)
}

func expired(expires, watermark int64) bool { return expires != 0 && expires <= watermark }

func (o *older) asValue() Value { return Value{Data: o.value, Version: o.version, Expires: o.expires} }

// at is the version that was present at the end of the interval, nil if there was none.
func (e *entry) at(interval uint64) *older {
	for o := &e.older; o != nil; o = o.next {
		if o.interval <= interval {
			return o
		}
	}
	return nil
}

// reached is the event time at which what has expired may be gone.
func (g *group) reached(p *Partitions) int64 { return max(g.floor, p.Watermark()) }

func (g *group) get(key string, watermark int64) Value {
	e := g.entries[key]
	if e == nil || !e.visible(watermark) {
		return Value{}
	}
	return e.asValue()
}

// change makes a change, whose bytes have been reserved against what get returns for the same watermark, and returns the new
// value. What is not there is not deleted: see idle. The watermark is the caller's, since that of the Partitions may have
// moved on: what was there when the bytes were reserved would have expired, and be given back twice.
func (g *group) change(p *Partitions, keyGroup uint16, key string, c Change, version uint64, watermark int64) Value {
	g.version = version
	e := g.entries[key]
	if e == nil {
		if g.entries == nil {
			g.entries = make(map[string]*entry)
		}
		e = &entry{key: key}
		g.entries[key] = e
	}
	var old Value
	switch {
	case e.visible(watermark):
		old = e.asValue()
	case e.live:
		// Expired and not swept yet: it counts until now, and nobody reserved against it.
		p.bytes.Add(-int64(len(key) + len(e.value)))
	}
	if e.live {
		p.keys.Add(-1)
	}
	g.touch(e)
	var now Value
	if c.op == opSet {
		if c.expires != 0 && (!e.live || e.expires == 0 || c.expires < e.expires) {
			g.expiry.push(c.expires, e)
		}
		e.value, e.version, e.expires, e.live = c.data, version, c.expires, true
		p.keys.Add(1)
		now = e.asValue()
	} else {
		g.bury(e)
	}
	if p.hooks.Changed != nil {
		p.hooks.Changed(keyGroup, key, old, now)
	}
	return now
}

// touch makes an entry ready for the first change in the present interval: its version is kept if a frozen state needs it,
// and the entry is listed as changed.
func (g *group) touch(e *entry) {
	if e.interval == g.interval {
		return
	}
	if e.interval != 0 && e.interval <= g.newest {
		if e.next == nil {
			g.kept = append(g.kept, e)
		}
		o := g.takeSpare()
		*o = e.older
		e.next = o
	}
	if g.tracking && e.interval <= g.since {
		g.changed = append(g.changed, e)
	}
	e.interval = g.interval
}

// takeSpare allocates many at a time, since a checkpoint needs one for each key that changes while it lasts.
func (g *group) takeSpare() *older {
	if g.spare == nil {
		block := make([]older, 64)
		for i := range block[1:] {
			block[i].next = &block[i+1]
		}
		g.spare = &block[0]
	}
	o := g.spare
	g.spare = o.next
	return o
}

// bury takes the value away from an entry that was touched, and the entry itself if nobody needs it.
func (g *group) bury(e *entry) {
	e.value, e.version, e.expires, e.live = nil, 0, 0, false
	if !g.tracking {
		delete(g.entries, e.key) // nothing is frozen, so that nothing older is needed either
	}
}

// settle follows a change of what is held and of what is durable: versions and deletions that nobody needs any more go.
// held is what is held from now on, oldest first. i is the group's index in what those keep per group.
func (g *group) settle(i int, held []*Frozen, since uint64, tracking bool) {
	g.since, g.tracking, g.newest = since, tracking, 0
	if n := len(held); n > 0 {
		g.newest = held[n-1].interval
	}
	kept := g.kept[:0]
	for _, e := range g.kept {
		if g.prune(e, held); e.next != nil {
			kept = append(kept, e)
			continue
		}
		g.purge(e)
	}
	clear(g.kept[len(kept):])
	g.kept = kept

	changed := g.changed[:0]
	next := 0 // of those held, the first whose mark was not passed yet
	for j, e := range g.changed {
		for next < len(held) && held[next].upto[i] <= j {
			held[next].upto[i] = len(changed)
			next++
		}
		if tracking && e.interval > since {
			changed = append(changed, e)
			continue
		}
		g.purge(e)
	}
	for ; next < len(held); next++ {
		held[next].upto[i] = len(changed)
	}
	clear(g.changed[len(changed):])
	g.changed = changed
}

// purge removes the entry of a deleted key, if it is of no more use.
func (g *group) purge(e *entry) {
	if !e.live && e.next == nil && (!g.tracking || e.interval <= g.since) && g.entries[e.key] == e {
		delete(g.entries, e.key)
	}
}

// prune drops the versions that none of the frozen states sees.
func (g *group) prune(e *entry, held []*Frozen) {
	after := &e.older // the version that comes after o
	for o := e.next; o != nil; {
		before := o.next
		if seen(o.interval, after.interval, held) {
			after.next = o
			after = o
		} else {
			*o = older{next: g.spare}
			g.spare = o
		}
		o = before
	}
	after.next = nil
}

// seen: one of the frozen states ends at or after the interval from, and before the interval to.
func seen(from, to uint64, held []*Frozen) bool {
	for _, f := range held {
		if from <= f.interval && f.interval < to {
			return true
		}
	}
	return false
}
