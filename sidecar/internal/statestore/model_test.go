package statestore

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is what Partitions are, told as simply as possible: a frozen state is a copy of everything.
type model struct {
	groups    []modelGroup
	watermark int64
	marked    uint64
	low       uint64
}

type modelGroup struct {
	values   map[string]Value
	version  uint64
	answers  map[string]modelAnswer
	inFlight map[string]bool
}

type modelAnswer struct {
	data  string
	epoch uint64 // of the request, or the last mark at which it was in flight
}

func newModel(groups int) *model {
	m := &model{groups: make([]modelGroup, groups), watermark: math.MinInt64}
	for i := range m.groups {
		m.groups[i] = modelGroup{values: map[string]Value{}, answers: map[string]modelAnswer{}, inFlight: map[string]bool{}}
	}
	return m
}

func (m *model) copy() *model {
	c := newModel(len(m.groups))
	c.watermark, c.marked, c.low = m.watermark, m.marked, m.low
	for i, g := range m.groups {
		c.groups[i] = modelGroup{maps.Clone(g.values), g.version, maps.Clone(g.answers), maps.Clone(g.inFlight)}
	}
	return c
}

func (m *model) live(i int) map[string]Value {
	live := map[string]Value{}
	for k, v := range m.groups[i].values {
		if v.Expires == 0 || v.Expires > m.watermark {
			live[k] = v
		}
	}
	return live
}

func (m *model) change(i int, key string, c Change) {
	g := &m.groups[i]
	_, there := m.live(i)[key]
	switch {
	case c.op == opSet:
		g.version++
		g.values[key] = Value{Data: c.data, Version: g.version, Expires: c.expires}
	case c.op == opDelete && there:
		g.version++
		delete(g.values, key)
	}
}

// world is both side by side.
type world struct {
	t         *testing.T
	rng       *rand.Rand
	p         *Partitions
	m         *model
	held      []*heldPair
	durable   *model // nil if nothing is
	keyGroups Range
	next      int // id
	epoch     uint64
	sent      []Request // that may be sent again
	trace     []string
}

type heldPair struct {
	f      *Frozen
	m      *model
	epoch  uint64
	marked bool
	ids    []InFlight
	ahead  bool
}

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\nafter: %s", fmt.Sprintf(format, args...), strings.Join(w.trace[max(0, len(w.trace)-40):], ", "))
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func TestAgainstModel(t *testing.T) {
	schedules := 3000
	if testing.Short() {
		schedules = 300
	}
	for seed := range uint64(schedules) {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runSchedule(t, seed) }) {
			t.Fatalf("seed %d; run it again with -run 'TestAgainstModel/^%d$'", seed, seed)
		}
	}
}

func runSchedule(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	from := uint16(rng.UintN(100))
	keyGroups := Range{from, from + uint16(rng.UintN(3))}
	w := &world{t: t, rng: rng, keyGroups: keyGroups, p: New(keyGroups, Limits{}, Hooks{}), m: newModel(keyGroups.Len())}
	steps := 1 << (4 + rng.UintN(6))
	for range steps {
		w.step()
	}
	w.check()
	for len(w.held) > 0 {
		w.release(0)
	}
	w.p.Advance(math.MaxInt64)
	w.m.watermark = math.MaxInt64
	for w.p.Sweep(3) > 0 {
	}
	w.check()
	// With nothing held, and everything durable or nothing tracked, only what is live takes memory.
	f := w.p.Freeze()
	f.Durable()
	f.Release()
	for i := range w.p.groups {
		g := &w.p.groups[i]
		if len(g.kept) != 0 || len(g.changed) != 0 || int64(len(g.entries)) != w.keys(i) {
			w.failf("group %d keeps %d old and %d changed of %d entries, %d are live", i, len(g.kept), len(g.changed), len(g.entries), w.keys(i))
		}
	}
}

func (w *world) keys(i int) int64 { return int64(len(w.m.live(i))) }

func (w *world) step() {
	i := w.rng.IntN(w.keyGroups.Len())
	kg := w.keyGroups.From + uint16(i)
	key := fmt.Sprint("k", w.rng.IntN(12))
	switch n := w.rng.IntN(100); {
	case n < 35:
		w.update(i, kg, key)
	case n < 65:
		w.transaction(i, kg)
	case n < 70:
		w.p.Advance(w.advance())
	case n < 72:
		w.note("sweep")
		w.p.Sweep(w.rng.IntN(3))
	case n < 80 && len(w.held) < 4:
		w.freeze(w.rng.IntN(4) == 0)
	case n < 86:
		w.mark()
	case n < 90 && len(w.held) > 0:
		w.durable1()
	case n < 94 && len(w.held) > 0:
		w.release(w.rng.IntN(len(w.held)))
	case n < 97 && len(w.held) > 0:
		w.compareFrozen(w.held[w.rng.IntN(len(w.held))])
	default:
		w.compareLive(i, kg)
	}
}

func (w *world) advance() int64 {
	if w.m.watermark < 0 {
		w.m.watermark = 0
	}
	w.m.watermark += int64(w.rng.IntN(20))
	w.note("watermark %d", w.m.watermark)
	return w.m.watermark
}

func (w *world) randomChange() Change {
	switch n := w.rng.IntN(10); {
	case n < 2:
		return Delete()
	case n < 5:
		return Set([]byte(fmt.Sprint("v", w.rng.IntN(1000))), max(w.m.watermark, 0)+int64(w.rng.IntN(40))+1)
	}
	return Set([]byte(strings.Repeat("x", w.rng.IntN(9))), 0)
}

func (w *world) update(i int, kg uint16, key string) {
	c := w.randomChange()
	w.note("update %d/%s op %d expires %d", kg, key, c.op, c.expires)
	want := w.m.live(i)[key]
	got, err := w.p.Update(kg, key, func(old Value) (Change, error) {
		if !same(old, want) {
			w.failf("update of %s sees %v, want %v", key, old, want)
		}
		return c, nil
	})
	if err != nil {
		w.failf("update: %v", err)
	}
	w.m.change(i, key, c)
	if want := w.m.live(i)[key]; !same(got, want) {
		w.failf("update of %s returns %v, want %v", key, got, want)
	}
}

func (w *world) transaction(i int, kg uint16) {
	var tx Tx
	if err := w.p.Begin(kg, &tx); err != nil {
		w.failf("%v", err)
	}
	seq := uint64(w.next + 1)
	r := Request{KeyGroup: kg, ID: fmt.Sprint("id", w.next), Epoch: w.epoch}
	if w.rng.IntN(2) == 0 {
		r.Seq = seq
	}
	fresh := true
	if len(w.sent) > 0 && w.rng.IntN(4) == 0 {
		r = w.sent[w.rng.IntN(len(w.sent))]
		i, kg, fresh = int(r.KeyGroup-w.keyGroups.From), r.KeyGroup, false
		if err := w.p.Begin(kg, &tx); err != nil {
			w.failf("%v", err)
		}
	} else {
		w.next++
		w.sent = append(w.sent, r)
	}
	w.note("tx %d %s epoch %d fresh %v", kg, r.ID, r.Epoch, fresh)
	before := w.m.copy()
	g := &w.m.groups[i]
	var changes []keyChange
	for range 1 + w.rng.IntN(3) {
		key := fmt.Sprint("k", w.rng.IntN(12))
		if w.rng.IntN(2) == 0 {
			got, _ := tx.Get(key)
			want := w.m.live(i)[key]
			for _, c := range changes {
				if c.key == key {
					want = Value{Data: c.data, Expires: c.expires}
				}
			}
			if !same(got, want) {
				w.failf("tx reads %s %v, want %v", key, got, want)
			}
			continue
		}
		c := w.randomChange()
		tx.Change(key, c)
		if at := slices.IndexFunc(changes, func(o keyChange) bool { return o.key == key }); at >= 0 {
			changes[at].Change = c
		} else {
			changes = append(changes, keyChange{key, c})
		}
	}
	// What the model knows of the request.
	known, wasAnswered := g.answers[r.ID]
	isStale := r.Epoch < w.m.marked && !g.inFlight[r.ID]
	answer := []byte(fmt.Sprint("answer of ", r.ID, len(w.trace)))
	got, repeated, err := tx.Commit(r, answer, nil)
	switch {
	case wasAnswered:
		if err != nil || !repeated || string(got) != known.data {
			w.failf("a repeated %s is answered %q %v %v, want %q", r.ID, got, repeated, err, known.data)
		}
		w.m = before
	case isStale:
		if !errors.Is(err, ErrStale) {
			w.failf("a late %s is answered %q %v", r.ID, got, err)
		}
		w.m = before
	default:
		if err != nil || repeated || string(got) != string(answer) {
			w.failf("%s is answered %q %v %v", r.ID, got, repeated, err)
		}
		for _, c := range changes {
			w.m.change(i, c.key, c.Change)
		}
		g.answers[r.ID] = modelAnswer{string(answer), max(r.Epoch, w.m.marked)}
	}
}

type keyChange struct {
	key string
	Change
}

func (w *world) freeze(ahead bool) {
	w.note("freeze %d ahead %v", len(w.held), ahead)
	h := &heldPair{m: w.m.copy(), ahead: ahead}
	if ahead {
		h.f = w.p.FreezeAhead()
	} else {
		w.epoch++
		h.epoch = w.epoch
		h.f = w.p.Freeze()
	}
	w.held = append(w.held, h)
}

func (w *world) mark() {
	at := slices.IndexFunc(w.held, func(h *heldPair) bool { return !h.ahead && !h.marked && h.epoch > w.m.marked })
	if at < 0 {
		return
	}
	h := w.held[at]
	w.note("mark %d", h.epoch)
	h.marked = true
	// In flight is some of what was sent in older epochs, and all that was applied by such after the freeze.
	for i := range w.m.groups {
		g := &w.m.groups[i]
		g.inFlight = map[string]bool{}
		for _, r := range w.sent {
			if r.KeyGroup != w.keyGroups.From+uint16(i) || r.Epoch >= h.epoch {
				continue
			}
			_, now := g.answers[r.ID]
			_, then := h.m.groups[i].answers[r.ID]
			if now && !then || now && w.rng.IntN(3) == 0 {
				g.inFlight[r.ID] = true
				h.ids = append(h.ids, InFlight{r.KeyGroup, r.ID})
			}
		}
		for id, a := range g.answers {
			switch {
			case a.epoch >= h.epoch:
			case g.inFlight[id]:
				g.answers[id] = modelAnswer{a.data, h.epoch}
			default:
				delete(g.answers, id)
			}
		}
	}
	w.m.marked = h.epoch
	if err := w.p.Mark(h.f, h.epoch, h.ids); err != nil {
		w.failf("mark: %v", err)
	}
}

// durable1 is what a session does: states become durable in order, those before are released.
func (w *world) durable1() {
	at := w.rng.IntN(len(w.held))
	w.note("durable %d", at)
	w.compareFrozen(w.held[at])
	w.held[at].f.Durable()
	w.durable = w.held[at].m
	for range at {
		w.release(0)
	}
}

func (w *world) release(at int) {
	w.note("release %d", at)
	w.held[at].f.Release()
	w.held = slices.Delete(w.held, at, at+1)
}

func same(a, b Value) bool {
	return string(a.Data) == string(b.Data) && a.Version == b.Version && a.Expires == b.Expires
}

func (w *world) compareFrozen(h *heldPair) {
	for i := range h.m.groups {
		kg := w.keyGroups.From + uint16(i)
		want := h.m.live(i)
		w.compareAll(fmt.Sprintf("frozen %d", kg), maps.Collect(h.f.All(kg)), want)
		if h.f.Version(kg) != h.m.groups[i].version {
			w.failf("frozen version is %d, want %d", h.f.Version(kg), h.m.groups[i].version)
		}
		for range 3 {
			key := fmt.Sprint("k", w.rng.IntN(12))
			if got, err := h.f.Get(kg, key); err != nil || !same(got, want[key]) {
				w.failf("frozen %s is %v, want %v, %v", key, got, want[key], err)
			}
		}
		if h.f.Incremental() {
			restored := map[string]Value{}
			for k, v := range w.durable.live(i) {
				if v.Expires == 0 || v.Expires > h.m.watermark {
					restored[k] = v
				}
			}
			for k, v := range h.f.Changed(kg) {
				if v.Version == 0 {
					delete(restored, k)
				} else {
					restored[k] = v
				}
			}
			w.compareAll(fmt.Sprintf("durable and changed %d", kg), restored, want)
		}
		if h.marked {
			w.compareAnswers(h, i, kg)
		}
	}
	if h.f.Watermark() != h.m.watermark {
		w.failf("frozen watermark is %d, want %d", h.f.Watermark(), h.m.watermark)
	}
}

func (w *world) compareAnswers(h *heldPair, i int, kg uint16) {
	want := map[string]string{}
	for _, r := range h.ids {
		if a, ok := h.m.groups[i].answers[r.ID]; ok && r.KeyGroup == kg {
			want[r.ID] = a.data
		}
	}
	got := map[string]string{}
	for _, a := range h.f.Answers(kg) {
		got[a.ID] = string(a.Data)
	}
	if !maps.Equal(got, want) {
		w.failf("answers of the frozen %d are %v, want %v", kg, got, want)
	}
}

func (w *world) compareAll(what string, got, want map[string]Value) {
	if !maps.EqualFunc(got, want, same) {
		w.failf("%s is %v, want %v", what, got, want)
	}
}

func (w *world) compareLive(i int, kg uint16) {
	w.compareAll(fmt.Sprint("live ", kg), maps.Collect(w.p.All(kg)), w.m.live(i))
}

func (w *world) check() {
	var keys, bytes, answers, answerBytes int64
	for i := range w.m.groups {
		w.compareLive(i, w.keyGroups.From+uint16(i))
		for id, a := range w.m.groups[i].answers {
			answers++
			answerBytes += int64(len(id) + len(a.data))
		}
	}
	for _, h := range w.held {
		w.compareFrozen(h)
	}
	for w.p.Sweep(100) > 0 {
	}
	for i := range w.m.groups {
		for k, v := range w.m.live(i) {
			keys++
			bytes += int64(len(k) + len(v.Data))
		}
	}
	if s := w.p.Stats(); s.Keys != keys || s.Bytes != bytes || s.Answers != answers || s.AnswerBytes != answerBytes {
		w.failf("sizes are %+v, want %d keys, %d bytes, %d answers of %d bytes", s, keys, bytes, answers, answerBytes)
	}
}
