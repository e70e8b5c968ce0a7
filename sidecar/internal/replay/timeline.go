package replay

import (
	"cmp"
	"context"
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
	writes  int
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
	groups map[group]*line
	plain  []place // decisions without a session, in the order of the log
	from   time.Time
	to     time.Time
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
	if d.Replayed {
		return // no decision of its own
	}
	p := place{seq: d.Seq, version: d.Version, epoch: d.Epoch, writes: d.Writes}
	if d.Session == "" {
		if !d.Time.Before(t.since) {
			t.plain = append(t.plain, p)
			t.stretch(d.Time)
		}
		return
	}
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
	if d.Session != l.session {
		l.older[l.session] = true
		l.session = d.Session
		l.takeBack(p.before(), d.Restored)
	}
	if !own || p.version > c.version || p.writes == 0 && p.version == c.version && d.Epoch >= t.epoch {
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

// takeBack drops what a new session takes back: what was sent after the barrier of the checkpoint that it was restored from, and what was in
// flight then and changed the state later.
func (l *line) takeBack(version, restored uint64) {
	l.places = slices.DeleteFunc(l.places, func(p place) bool { return p.version > version || p.epoch >= restored })
}

// sort brings the decisions into the order of their versions: in the log those of a key group may stand a little beside it. One
// that wrote nothing stands behind the one that wrote the version that it saw.
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
}
