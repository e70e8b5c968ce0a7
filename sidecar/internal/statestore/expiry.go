package statestore

import "math"

// sweepPerWrite is how many values that have expired a write removes on its way: more than one, so that the writes of a job
// that adds one value per write keep up.
const sweepPerWrite = 2

// expiryQueue is a binary heap of entries by the time at which they have to be looked at. Each live entry that expires is in
// it at that time or before. Entries may be in it for no reason, or twice: that is seen when their time has come.
type expiryQueue []expiryItem

type expiryItem struct {
	at    int64
	entry *entry
}

func (q *expiryQueue) push(at int64, e *entry) {
	items := append(*q, expiryItem{at, e})
	i := len(items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if items[parent].at <= items[i].at {
			break
		}
		items[parent], items[i] = items[i], items[parent]
		i = parent
	}
	*q = items
}

func (q *expiryQueue) pop() expiryItem {
	items := *q
	first, last := items[0], len(items)-1
	items[0], items[last] = items[last], expiryItem{}
	items = items[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && items[child+1].at < items[child].at {
			child++
		}
		if items[i].at <= items[child].at {
			break
		}
		items[i], items[child] = items[child], items[i]
		i = child
	}
	*q = items
	return first
}

// expire removes up to so many values that have expired at the watermark, and says how many there were.
func (g *group) expire(p *Partitions, keyGroup uint16, most int, watermark int64) int {
	if len(g.expiry) == 0 {
		return 0
	}
	if len(g.expiry) > 2*len(g.entries)+64 {
		g.requeue()
	}
	removed := 0
	for removed < most && len(g.expiry) > 0 && g.expiry[0].at <= watermark {
		e := g.expiry.pop().entry
		if g.entries[e.key] != e || !e.live || e.expires == 0 {
			continue
		}
		if e.expires > watermark {
			g.expiry.push(e.expires, e)
			continue
		}
		old := e.asValue()
		g.touch(e)
		g.bury(e)
		p.keys.Add(-1)
		p.bytes.Add(-int64(len(e.key) + len(old.Data)))
		removed++
		if p.hooks.Changed != nil {
			p.hooks.Changed(keyGroup, e.key, old, Value{})
		}
	}
	return removed
}

// requeue builds the queue anew without what is in it for no reason. It costs as much as what was pushed since the last time.
func (g *group) requeue() {
	clear(g.expiry)
	g.expiry = g.expiry[:0]
	for _, e := range g.entries {
		if e.live && e.expires != 0 {
			g.expiry.push(e.expires, e)
		}
	}
}

// sweepOthers makes room when a limit is reached: what has expired counts until it is removed, and key groups to which nobody
// writes would hold it for ever. Those that are locked are left out, since the caller holds a lock itself. Until the watermark
// moves on there is nothing more to be found.
func (p *Partitions) sweepOthers(own *group) {
	watermark := p.Watermark()
	if last := p.roomAt.Load(); last >= watermark || !p.roomAt.CompareAndSwap(last, watermark) {
		return
	}
	for i := range p.groups {
		g := &p.groups[i]
		if g == own || !g.mu.TryLock() {
			continue
		}
		g.expire(p, p.keyGroups.From+uint16(i), math.MaxInt, g.reached(p)) //nolint:gosec // below MaxParallelism
		g.mu.Unlock()
	}
}

// Sweep gives back the memory of values that have expired, up to so many in each key group, and says how many there were.
// Nobody can see a difference. Writes do so on their way; keys that are never written to again need this.
func (p *Partitions) Sweep(most int) int {
	removed := 0
	for i := range p.groups {
		g := &p.groups[i]
		g.mu.Lock()
		removed += g.expire(p, p.keyGroups.From+uint16(i), most, g.reached(p)) //nolint:gosec // below MaxParallelism
		g.mu.Unlock()
	}
	return removed
}
