package statestore

import (
	"fmt"
	"slices"
)

// Answer is what was answered to a request.
type Answer struct {
	ID string
	// Data must not be modified.
	Data []byte
}

// Request says of a request what is needed to answer it once.
type Request struct {
	KeyGroup uint16
	// ID is the same for each copy of the request, also for one that is sent after a restore. Empty: nothing is remembered,
	// and a request that comes twice is applied twice.
	ID string
	// Epoch is the number of the last barrier that the sender had seen when it sent this copy.
	Epoch uint64
	// Seq counts the sender's requests, from 1; copies have the same. Low is the lowest that has not left the operator: all
	// below were emitted, and were so before this copy was sent, so that nobody asks for their answers again. To have an answer
	// is not enough: an element that waits to be emitted is in flight, and a checkpoint holds it as such. 0 of both: answers
	// are forgotten at marks alone.
	Seq, Low uint64
}

// InFlight is a request that a mark says is in flight.
type InFlight struct {
	KeyGroup uint16 `json:"key_group"`
	ID       string `json:"id"`
}

// answers are the stored answers of one key group.
type answers struct {
	// tables are by epoch, the newest last, so that a mark drops a whole one.
	tables []table
	// marked is the epoch of the last mark, inFlight the ids that were in flight then.
	marked   uint64
	inFlight map[string]struct{}
	// awaiting is an interval that is frozen and whose mark has not come: which of its answers the mark will ask for is not
	// known yet, 0 if there is none.
	awaiting uint64
	// low is the highest that was heard of; leaving are the ids that become useless by it, about in the order of their numbers.
	low     uint64
	leaving []leaving
}

type table struct {
	epoch uint64
	known map[string]answer
	bytes int64
}

type answer struct {
	data     []byte
	interval uint64 // in which it was given
}

type leaving struct {
	seq uint64
	id  string
}

func cost(id string, data []byte) int64 { return int64(len(id) + len(data)) }

func (a *answers) get(id string) (answer, bool) {
	for i := len(a.tables) - 1; i >= 0; i-- {
		if found, ok := a.tables[i].known[id]; ok {
			return found, true
		}
	}
	return answer{}, false
}

// stale: the request is a copy of one that was answered and has left the operator. It is one that was sent before the last
// mark but was not in flight at it, or one whose number is below those of the requests that have not left.
func (a *answers) stale(r *Request) bool {
	if r.Seq != 0 && r.Seq < a.low {
		return true
	}
	if r.Epoch < a.marked {
		_, ok := a.inFlight[r.ID]
		return !ok
	}
	return false
}

// find is what is known of a request.
func (g *group) find(r *Request) (data []byte, repeated bool, err error) {
	if r.ID == "" {
		return nil, false, nil
	}
	if found, ok := g.answers.get(r.ID); ok {
		return found.data, true, nil
	}
	if g.answers.stale(r) {
		return nil, false, fmt.Errorf("request %q of epoch %d: %w", r.ID, r.Epoch, ErrStale)
	}
	return nil, false, nil
}

// put stores an answer to a request of an epoch.
func (a *answers) put(p *Partitions, epoch uint64, id string, given answer) {
	i := len(a.tables) - 1
	for i >= 0 && a.tables[i].epoch > epoch {
		i--
	}
	if i < 0 || a.tables[i].epoch != epoch {
		i++
		a.tables = slices.Insert(a.tables, i, table{epoch: epoch, known: map[string]answer{}})
	}
	t := &a.tables[i]
	grown := cost(id, given.data)
	if old, again := t.known[id]; again { // that is for a log or a segment to do, if somebody else wrote it
		grown -= cost(id, old.data)
	}
	t.known[id] = given
	t.bytes += grown
	p.answerBytes.Add(grown)
}

// leave forgets what has left the operator.
func (a *answers) leave(p *Partitions, low uint64) {
	a.low = max(a.low, low)
	n := 0
	for ; n < len(a.leaving) && a.leaving[n].seq < a.low; n++ {
		if !a.forget(p, a.leaving[n].id) {
			break
		}
	}
	if n == 0 {
		return
	}
	a.leaving = slices.Delete(a.leaving, 0, n)
}

// forget forgets an answer, unless a mark may still ask for it.
func (a *answers) forget(p *Partitions, id string) bool {
	for i := range a.tables {
		t := &a.tables[i]
		found, ok := t.known[id]
		if !ok {
			continue
		}
		if found.interval <= a.awaiting {
			return false
		}
		delete(t.known, id)
		t.bytes -= cost(id, found.data)
		p.answerBytes.Add(-cost(id, found.data))
		return true
	}
	return true
}

// Answer says what was answered to a request. If nothing was, it has to be applied: unless it is a late copy, which is
// ErrStale.
func (p *Partitions) Answer(r Request) (data []byte, repeated bool, err error) {
	g, err := p.group(r.KeyGroup)
	if err != nil {
		return nil, false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.find(&r)
}

// Mark says which requests were in flight at the barrier of an epoch, for which f was frozen before the first change by a
// request of that epoch. Those that had been answered when f was frozen belong to f, with their answers: after a restore they
// are sent again. Those of older epochs that are not in flight have left the operator, and are forgotten; a copy of one that
// comes later is ErrStale. f may be nil. Nobody may change the partitions meanwhile; it takes a time that depends on the
// number of ids and of key groups.
func (p *Partitions) Mark(f *Frozen, epoch uint64, inFlight []InFlight) error {
	for _, r := range inFlight {
		if _, err := p.group(r.KeyGroup); err != nil {
			return fmt.Errorf("request %q in flight: %w", r.ID, err)
		}
	}
	for i := range p.groups {
		p.groups[i].locked(func(a *answers) {
			a.marked, a.inFlight = epoch, nil
			if f != nil && f.interval >= a.awaiting {
				a.awaiting = 0
			}
		})
	}
	if f != nil {
		f.answers = map[uint16][]Answer{}
	}
	for _, r := range inFlight {
		p.groups[r.KeyGroup-p.keyGroups.From].locked(func(a *answers) { a.mark(p, f, epoch, r) })
	}
	for i := range p.groups {
		p.groups[i].locked(func(a *answers) { a.drop(p, epoch) })
	}
	return nil
}

func (g *group) locked(fn func(a *answers)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn(&g.answers)
}

// mark notes one request that is in flight, and keeps its answer for f.
func (a *answers) mark(p *Partitions, f *Frozen, epoch uint64, r InFlight) {
	if a.inFlight == nil {
		a.inFlight = map[string]struct{}{}
	}
	if _, again := a.inFlight[r.ID]; again {
		return
	}
	a.inFlight[r.ID] = struct{}{}
	found, ok := a.get(r.ID)
	if !ok {
		return
	}
	if f != nil && found.interval <= f.interval {
		f.answers[r.KeyGroup] = append(f.answers[r.KeyGroup], Answer{ID: r.ID, Data: found.data})
	}
	a.carry(p, epoch, r.ID, found)
}

// drop forgets the answers to requests of older epochs.
func (a *answers) drop(p *Partitions, epoch uint64) {
	n := 0
	for ; n < len(a.tables) && a.tables[n].epoch < epoch; n++ {
		p.answerBytes.Add(-a.tables[n].bytes)
	}
	a.tables = slices.Delete(a.tables, 0, n)
	known := 0
	for i := range a.tables {
		known += len(a.tables[i].known)
	}
	// A sender that counts its requests but never says which have left must not make the list grow for ever.
	if len(a.leaving) > 2*known+64 {
		var still []leaving
		for _, l := range a.leaving {
			if _, ok := a.get(l.id); ok {
				still = append(still, l)
			}
		}
		a.leaving = still
	}
}

// carry moves an answer over to the table of a newer epoch.
func (a *answers) carry(p *Partitions, epoch uint64, id string, given answer) {
	for i := range a.tables {
		t := &a.tables[i]
		if t.epoch >= epoch {
			return
		}
		if _, ok := t.known[id]; ok {
			delete(t.known, id)
			t.bytes -= cost(id, given.data)
			p.answerBytes.Add(-cost(id, given.data))
			a.put(p, epoch, id, given)
			return
		}
	}
}
