package statestore

import (
	"iter"
	"math"
)

// Loader fills a key group with what was stored. Nobody else may use the partitions meanwhile; loaders of different key groups
// may be used at the same time.
type Loader struct {
	p        *Partitions
	g        *group
	keyGroup uint16
	slab     []entry
}

// Load returns the loader of a key group. About so many keys are going to come.
func (p *Partitions) Load(keyGroup uint16, keys int) (*Loader, error) {
	g, err := p.group(keyGroup)
	if err != nil {
		return nil, err
	}
	if g.entries == nil && keys > 0 {
		g.entries = make(map[string]*entry, keys)
	}
	return &Loader{p: p, g: g, keyGroup: keyGroup}, nil
}

// Version sets the number of the last change.
func (l *Loader) Version(version uint64) { l.g.version = version }

// Reached sets the event time that the key group had reached: what had expired then is not there, whatever comes.
func (l *Loader) Reached(watermark int64) { l.g.floor = watermark }

// Put sets a key to a value, whatever it was before. The key and the value are kept, not copied.
func (l *Loader) Put(key string, v Value) {
	e := l.g.entries[key]
	if e == nil {
		if len(l.slab) == 0 {
			l.slab = make([]entry, 128) // small enough that one key which stays does not keep much
		}
		e = &l.slab[0]
		l.slab = l.slab[1:]
		if l.g.entries == nil {
			l.g.entries = make(map[string]*entry)
		}
		e.key = key
		l.g.entries[key] = e
		l.p.keys.Add(1)
		l.p.bytes.Add(int64(len(key)))
	}
	l.p.bytes.Add(int64(len(v.Data) - len(e.value)))
	if v.Expires != 0 && (e.expires == 0 || v.Expires < e.expires) {
		l.g.expiry.push(v.Expires, e)
	}
	e.older = older{value: v.Data, version: v.Version, expires: v.Expires, interval: l.g.interval, live: true}
}

// Delete removes a key.
func (l *Loader) Delete(key string) {
	e := l.g.entries[key]
	if e == nil {
		return
	}
	delete(l.g.entries, key)
	l.p.keys.Add(-1)
	l.p.bytes.Add(-int64(len(key) + len(e.value)))
}

// Answer stores an answer.
func (l *Loader) Answer(a Answer) {
	l.g.answers.put(l.p, 0, a.ID, answer{data: a.Data, interval: l.g.interval})
}

// All gives the keys of a key group, in no order, with their present values, which are read some hundred at a time: what
// changes meanwhile is seen or not. For a state at one moment there is Freeze.
func (p *Partitions) All(keyGroup uint16) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !p.keyGroups.Contains(keyGroup) {
			return
		}
		live := Frozen{p: p, interval: math.MaxUint64, watermark: p.Watermark()}
		if g, err := p.group(keyGroup); err == nil {
			live.watermark = g.reached(p)
		}
		for key, value := range live.All(keyGroup) {
			if !yield(key, value) {
				return
			}
		}
	}
}
