package statestore

import (
	"errors"
	"fmt"
	"math"
)

// ErrConflict: another transaction changed what this one has read. Run it again, from Begin on.
var ErrConflict = errors.New("another transaction came first")

// Tx is a transaction on one key group. What it reads it reads from the present state, at several moments; what it writes
// nobody sees before Commit, which succeeds only if nothing that was read has changed meanwhile. So it is as if all had
// happened at the moment of Commit. It is used by one goroutine.
type Tx struct {
	p        *Partitions
	g        *group
	keyGroup uint16
	reads    []read
	writes   []write
	done     Committed // here so that it need not be allocated for each Commit
	place    Place
	at       int64 // the event time at which it happens
	follow   bool  // it happens at the one that is reached when it is committed
	placed   func(Place)
}

// Place is where a transaction stands among those of its key group: Version is that of the key group after it, of which it wrote
// the last Writes. One that wrote nothing stands behind the one that has the same Version.
type Place struct {
	Version uint64
	Writes  int
}

// Place is of the Commit that has succeeded, and was no repetition.
func (tx *Tx) Place() Place { return tx.place }

type read struct {
	key     string
	version uint64
}

type write struct {
	key string
	Change
}

// Begin starts a transaction on a key group, at whatever event time is reached. The Tx may have been used before: its memory is used
// again.
func (p *Partitions) Begin(keyGroup uint16, tx *Tx) error {
	if err := p.BeginAt(keyGroup, tx, math.MinInt64); err != nil {
		return err
	}
	tx.follow = true
	return nil
}

// BeginAt starts one that happens at an event time, if a later one was not reached: it sees what has expired since.
func (p *Partitions) BeginAt(keyGroup uint16, tx *Tx, watermark int64) error {
	g, err := p.group(keyGroup)
	if err != nil {
		return err
	}
	clear(tx.reads)
	clear(tx.writes)
	*tx = Tx{p: p, g: g, keyGroup: keyGroup, reads: tx.reads[:0], writes: tx.writes[:0], at: max(watermark, g.reached(p))}
	return nil
}

// Watermark is the event time at which the transaction happens; of one that follows what is reached, so far.
func (tx *Tx) Watermark() int64 { return tx.at }

// Placed has fn told where the transaction is going to stand, before its answer is stored: fn may complete the answer, but not make it
// longer. It is called while the key group is locked, at most once, and the answer is not stored if the log refuses it.
func (tx *Tx) Placed(fn func(Place)) { tx.placed = fn }

// KeyGroup is the one that Begin was given.
func (tx *Tx) KeyGroup() uint16 { return tx.keyGroup }

// Get is the value of a key, if there is one. What the transaction itself has written has no version yet.
func (tx *Tx) Get(key string) (Value, bool) {
	for i := range tx.writes {
		if w := &tx.writes[i]; w.key == key {
			return Value{Data: w.data, Expires: w.expires}, w.op == opSet
		}
	}
	tx.g.mu.Lock()
	at := tx.at
	if tx.follow {
		at = tx.g.reached(tx.p)
	}
	v := tx.g.get(key, at)
	tx.g.mu.Unlock()
	tx.saw(key, v.Version)
	return v, v.Version != 0
}

func (tx *Tx) saw(key string, version uint64) {
	for i := range tx.reads {
		if tx.reads[i].key == key {
			return // Commit compares with what was read first, which was not what is there now if they differ
		}
	}
	tx.reads = append(tx.reads, read{key, version})
}

// Change makes a change, when the transaction is committed. Of several changes of a key the last one counts.
func (tx *Tx) Change(key string, c Change) {
	if c.op == opKeep {
		return
	}
	for i := range tx.writes {
		if tx.writes[i].key == key {
			tx.writes[i].Change = c
			return
		}
	}
	tx.writes = append(tx.writes, write{key, c})
}

// Committed is what a transaction did, for a log from which it can be done again.
type Committed struct {
	Request

	Answer []byte
	// Writes are the changes, in order; the first one got Version, the next one Version+1.
	Writes  []write
	Version uint64
}

// Write is the i-th change: data is nil if the key was deleted.
func (c *Committed) Write(i int) (key string, data []byte, expires int64, deleted bool) {
	w := &c.Writes[i]
	return w.key, w.data, w.expires, w.op == opDelete
}

// Log is told of a transaction before it happens, while the key group is locked: the records of a key group come in order. It
// copies what it keeps. If it returns an error nothing happens.
type Log interface {
	Commit(c *Committed) error
}

// Commit makes the changes and stores the answer, which is not touched again by the caller. If the request was answered
// before, it makes none and returns what was answered then. The errors are ErrConflict, ErrStale, ErrLimit, ErrAnswers and those of log,
// which may be nil; nothing was changed then.
func (tx *Tx) Commit(r Request, given []byte, log Log) (data []byte, repeated bool, err error) {
	g, p := tx.g, tx.p
	g.mu.Lock()
	defer g.mu.Unlock()
	if data, repeated, err = g.find(&r); repeated || err != nil {
		return data, repeated, err
	}
	reached := g.reached(p)
	g.expire(p, tx.keyGroup, sweepPerWrite, reached)
	if tx.follow {
		tx.at = reached
	}
	if tx.at < reached {
		return nil, false, ErrConflict // it may have missed what was expired meanwhile: a late copy, which is to happen at the time that was reached
	}
	watermark := tx.at
	for i := range tx.reads {
		if g.get(tx.reads[i].key, watermark).Version != tx.reads[i].version {
			return nil, false, ErrConflict
		}
	}
	var grown int64
	n := 0
	for i := range tx.writes {
		w := &tx.writes[i]
		old := g.get(w.key, watermark)
		if w.idle(old) {
			continue
		}
		if err := p.check(w.key, w.Change); err != nil {
			return nil, false, err
		}
		grown += w.growth(w.key, old)
		tx.writes[n] = *w
		n++
	}
	tx.writes = tx.writes[:n]
	if r.ID != "" && p.limits.AnswerBytes > 0 && p.answerBytes.Load()+cost(r.ID, given) > p.limits.AnswerBytes {
		return nil, false, fmt.Errorf("the stored answers have more than %d bytes, the next checkpoint makes room; take them more often, keep fewer requests in flight, or raise the limit: %w",
			p.limits.AnswerBytes, ErrAnswers)
	}
	if err := p.reserve(g, tx.keyGroup, grown, reached); err != nil {
		return nil, false, err
	}
	if tx.placed != nil {
		tx.placed(Place{Version: g.version + uint64(len(tx.writes)), Writes: len(tx.writes)})
	}
	if log != nil {
		// The request's key group is that of the transaction, whatever the caller wrote into it.
		r.KeyGroup = tx.keyGroup
		tx.done = Committed{Request: r, Answer: given, Writes: tx.writes, Version: g.version + 1}
		if err := log.Commit(&tx.done); err != nil {
			p.bytes.Add(-grown)
			return nil, false, err
		}
	}
	g.commit(p, tx.keyGroup, &r, given, tx.writes, g.version+1, watermark)
	tx.place = Place{Version: g.version, Writes: len(tx.writes)}
	return given, false, nil
}

func (g *group) commit(p *Partitions, keyGroup uint16, r *Request, given []byte, writes []write, version uint64, watermark int64) {
	for i := range writes {
		g.change(p, keyGroup, writes[i].key, writes[i].Change, version, watermark)
		version++
	}
	if r.ID != "" {
		g.answers.put(p, r.Epoch, r.ID, answer{data: given, interval: g.interval})
		if r.Seq != 0 {
			g.answers.leaving = append(g.answers.leaving, leaving{r.Seq, r.ID})
		}
	}
	g.answers.leave(p, r.Low)
}

// Redo makes the changes of a transaction again, after those that came before it in its log. It is for one who fills new
// partitions from a log, and has them for itself.
func (p *Partitions) Redo(c *Committed) error {
	g, err := p.group(c.KeyGroup)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	watermark := g.reached(p)
	for i := range c.Writes {
		w := &c.Writes[i]
		p.bytes.Add(w.growth(w.key, g.get(w.key, watermark)))
	}
	g.commit(p, c.KeyGroup, &c.Request, c.Answer, c.Writes, c.Version, watermark)
	return nil
}

// Add appends a change, for Redo.
func (c *Committed) Add(key string, change Change) { c.Writes = append(c.Writes, write{key, change}) }
