package replay

import (
	"cmp"
	"context"
	"hash/maphash"
	"iter"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
)

// group names a key group of an operator.
type group struct {
	operator string
	keyGroup int
}

// place is where a decision stands. There is one in memory for each decision of an audit.
type place struct {
	seq     uint64
	version uint64
	epoch   uint64
	id      uint64 // hash of the id
	writes  int32
	again   bool // of a record that says that the decision was made before
}

// before is the version of the key group that the decision met.
func (p *place) before() uint64 { return p.version - uint64(p.writes) }

// timeline is what was decided after a checkpoint and was not taken back: for each key group the decisions in the order in which
// they changed it. When Flink restores a job it sends again what came after the checkpoint: a new session begins with an older
// version and takes back what the one before it has decided since.
type timeline struct {
	cut    map[group]cut
	own    map[string]bool // the sessions that wrote the snapshots of the checkpoint
	begun  bool            // one of them was there
	over   bool            // the job went back behind the checkpoint: what comes later is another timeline
	epoch  uint64          // the checkpoint
	since  time.Time       // of decisions without a session
	job    string
	groups map[group]*line
	plain  []place // decisions without a session, in the order of the log
	// answered are the ids of plain, by their hashes; those that are false were found as answers that were given again, which may stand
	// before the decision.
	answered map[uint64]bool
	seed     maphash.Seed
	from     time.Time
	to       time.Time
	// left are decisions of a time in which the job had gone back behind the checkpoint.
	left int64
	// failed are calls with state that ended with an error.
	failed int64
}

// cut is where a key group stood at the checkpoint.
type cut struct {
	version uint64
	session string // that wrote the snapshot
}

// line is that of one key group.
type line struct {
	places  []place
	session string          // the present one
	own     int             // where its places begin
	least   uint64          // the least version that one of its decisions met
	older   map[string]bool // those before it; what the log still has of them was written late
}

// read goes through the log once.
func (t *timeline) read(ctx context.Context, entries iter.Seq2[decisions.Entry, error]) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		t.add(e.Decision)
	}
	for _, l := range t.groups {
		l.sort()
	}
	return nil
}

func (t *timeline) add(d *decisions.Decision) {
	p := place{seq: d.Seq, version: d.Version, epoch: d.Epoch, writes: int32(d.Writes), id: maphash.String(t.seed, d.ID), again: d.Replayed} //nolint:gosec // of one call
	if d.Session == "" {
		t.addPlain(d, p)
		return
	}
	if d.Replayed && d.Version == 0 && len(d.State) == 0 {
		return // it does not say where it stands: an older version of this program wrote it
	}
	// An answer of the session before, which came with the snapshot: the session has given it again.
	inherited := d.Replayed && d.Epoch < d.Restored
	g := group{d.Operator, d.KeyGroup}
	c, ok := t.cut[g]
	if !ok {
		return // of an operator that is not asked for
	}
	if d.ErrorCode != "" {
		if d.Epoch >= t.epoch {
			t.failed++ // it changed nothing, so it has no place; and the call may have been made again
		}
		return
	}
	own := t.own[d.Session]
	t.begun = t.begun || own
	if !own && d.Restored < t.epoch {
		// Before the checkpoint; or Flink has restored an older one, as it does if this one is a savepoint: then a session of the checkpoint
		// was there before, or this one has seen later barriers, whose numbers only grow.
		t.over = t.over || t.begun || d.Epoch >= t.epoch
	}
	switch {
	case t.over:
		t.left++
		return
	case !own && d.Restored < t.epoch:
		return
	}
	l := t.groups[g]
	if l == nil {
		l = &line{older: map[string]bool{}}
		t.groups[g] = l
	}
	if l.older[d.Session] {
		return
	}
	switch {
	case inherited:
	case d.Session != l.session:
		l.older[l.session] = true
		l.session, l.least = d.Session, p.before()
		l.takeBack(len(l.places), p.before(), d.Restored)
		l.own = len(l.places)
	case p.before() < l.least: // in the log neighbours may stand the other way round
		l.least = p.before()
		l.own -= l.takeBack(l.own, p.before(), d.Restored)
	}
	if !own && !inherited || p.version > c.version || p.writes == 0 && p.version == c.version && d.Epoch >= t.epoch {
		l.places = append(l.places, p)
		t.stretch(d.Time)
	}
}

func (t *timeline) stretch(at time.Time) {
	if t.from.IsZero() || at.Before(t.from) {
		t.from = at
	}
	if at.After(t.to) {
		t.to = at
	}
}

// addPlain adds one without a session, once: it is known by its id.
func (t *timeline) addPlain(d *decisions.Decision, p place) {
	if d.Time.Before(t.since) || d.Job != "" && d.Job != t.job || len(t.cut) > 0 {
		return
	}
	decided, known := t.answered[p.id]
	t.answered[p.id] = decided || !d.Replayed
	switch {
	case known && d.Replayed, known && !decided:
		return
	}
	t.plain = append(t.plain, p)
	t.stretch(d.Time)
}

// takeBack drops what a new session takes back of the first n places: what was sent after the barrier of the checkpoint that it was restored
// from, and what was in flight then and changed the state later. It says how many they were.
func (l *line) takeBack(n int, version, restored uint64) int {
	kept := l.places[:0]
	for i, p := range l.places {
		if i >= n || p.version <= version && p.epoch < restored {
			kept = append(kept, p)
		}
	}
	dropped := len(l.places) - len(kept)
	l.places = kept
	return dropped
}

// sort brings the decisions into the order of their versions: in the log those of a key group may stand a little beside it. One
// that wrote nothing stands behind the one that wrote the version that it saw. An answer that was given again counts if the log does not have
// the decision itself, nor the same answer already: the log, or the process, had failed when it was to be logged.
func (l *line) sort() {
	slices.SortStableFunc(l.places, func(a, b place) int {
		if c := cmp.Compare(a.version, b.version); c != 0 {
			return c
		}
		if c := cmp.Compare(min(b.writes, 1), min(a.writes, 1)); c != 0 {
			return c
		}
		return cmp.Compare(a.seq, b.seq)
	})
	if !slices.ContainsFunc(l.places, func(p place) bool { return p.again }) {
		return
	}
	type decision struct{ version, id uint64 }
	seen := map[decision]bool{}
	for i := range l.places {
		if p := &l.places[i]; !p.again {
			seen[decision{p.version, p.id}] = true
		}
	}
	l.places = slices.DeleteFunc(l.places, func(p place) bool {
		of := decision{p.version, p.id}
		again := p.again && seen[of]
		seen[of] = true
		return again
	})
}
