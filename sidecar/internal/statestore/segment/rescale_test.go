package segment

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// plain is what the state has to be, in maps that know nothing of segments.
type plain struct {
	values   [maxParallelism]map[string]plainValue
	versions [maxParallelism]uint64
}

type plainValue struct {
	data    string
	version uint64
	expires int64
}

func (p *plain) set(kg uint16, key, data string, expires int64) {
	p.versions[kg]++
	if p.values[kg] == nil {
		p.values[kg] = map[string]plainValue{}
	}
	p.values[kg][key] = plainValue{data, p.versions[kg], expires}
}

func (p *plain) remove(kg uint16, key string) {
	if _, ok := p.values[kg][key]; ok {
		p.versions[kg]++
		delete(p.values[kg], key)
	}
}

// advance lets values expire: those of one subtask.
func (p *plain) advance(keyGroups statestore.Range, watermark int64) {
	for kg := keyGroups.From; kg <= keyGroups.To; kg++ {
		maps.DeleteFunc(p.values[kg], func(_ string, v plainValue) bool { return v.expires != 0 && v.expires <= watermark })
	}
}

func (p *plain) contents() map[uint16]map[string]string {
	all := map[uint16]map[string]string{}
	for kg, values := range p.values {
		all[uint16(kg)] = map[string]string{}
		for key, v := range values {
			all[uint16(kg)][key] = fmt.Sprintf("%s v%d until %d", v.data, v.version, v.expires)
		}
	}
	return all
}

// rescaling is a job whose parallelism changes.
type rescaling struct {
	t        *testing.T
	rng      *rand.Rand
	store    *memory.Store
	tasks    []*subtask
	plain    plain
	keys     int
	requests int
	answers  map[string]string // to those that were in flight at the last checkpoint
}

func (j *rescaling) start(parallelism, round int, refs []Reference) {
	j.tasks = nil
	for i := range parallelism {
		restored, err := Restore(j.t.Context(), j.store, refs, want(statestore.SubtaskRange(maxParallelism, parallelism, i)))
		if err != nil {
			j.t.Fatal(err)
		}
		j.tasks = append(j.tasks, &subtask{
			t: j.t, store: j.store, p: restored.Partitions, chain: restored.Chain, name: fmt.Sprintf("r%d-%d", round, i),
		})
	}
}

func (j *rescaling) task(kg uint16) *subtask {
	return j.tasks[slices.IndexFunc(j.tasks, func(s *subtask) bool { return s.p.KeyGroups().Contains(kg) })]
}

// request changes a key, and says what was answered.
func (j *rescaling) request(epoch uint64) (r statestore.InFlight, answer string) {
	kg := uint16(j.rng.IntN(maxParallelism))
	s := j.task(kg)
	if j.rng.IntN(5) == 0 {
		s.p.Advance(int64(j.rng.IntN(100)) + int64(epoch)*10)
		j.plain.advance(s.p.KeyGroups(), s.p.Watermark())
	}
	j.requests++
	id, answer := fmt.Sprint("id", j.requests), fmt.Sprint("answer ", j.requests)
	var tx statestore.Tx
	if err := s.p.Begin(kg, &tx); err != nil {
		j.t.Fatal(err)
	}
	key := fmt.Sprint("key", j.rng.IntN(j.keys))
	switch j.rng.IntN(4) {
	case 0:
		tx.Change(key, statestore.Delete())
		j.plain.remove(kg, key)
	case 1:
		data, expires := strings.Repeat(answer, j.rng.IntN(30)), max(0, tx.Watermark())+1+int64(j.rng.IntN(60))
		tx.Change(key, statestore.Set([]byte(data), expires))
		j.plain.set(kg, key, data, expires)
	default:
		tx.Change(key, statestore.Set([]byte(answer), 0))
		j.plain.set(kg, key, answer, 0)
	}
	if _, _, err := tx.Commit(statestore.Request{KeyGroup: kg, ID: id, Epoch: epoch}, []byte(answer), nil); err != nil {
		j.t.Fatal(err)
	}
	return statestore.InFlight{KeyGroup: kg, ID: id}, answer
}

// checkpoint lets some requests happen and writes a snapshot of each subtask.
func (j *rescaling) checkpoint(n uint64) (refs []Reference) {
	var flying []statestore.InFlight
	j.answers = map[string]string{}
	for range j.rng.IntN(60) {
		if r, answer := j.request(n - 1); j.rng.IntN(3) == 0 {
			flying = append(flying, r)
			j.answers[r.ID] = answer
		}
	}
	for _, s := range j.tasks {
		kind := Increment
		if len(s.chain.Segments) == 0 || j.rng.IntN(5) == 0 {
			kind = Base
		}
		own := slices.DeleteFunc(slices.Clone(flying), func(r statestore.InFlight) bool { return !s.p.KeyGroups().Contains(r.KeyGroup) })
		refs = append(refs, s.write(kind, n, j.rng.IntN(2) == 0, own...))
	}
	j.rng.Shuffle(len(refs), func(a, b int) { refs[a], refs[b] = refs[b], refs[a] }) // as they come out of a list state
	return refs
}

func (j *rescaling) compare(when string) {
	j.t.Helper()
	state := map[uint16]map[string]string{}
	for _, s := range j.tasks {
		maps.Copy(state, contents(s.p))
		f := s.p.FreezeAhead()
		for kg := s.p.KeyGroups().From; kg <= s.p.KeyGroups().To; kg++ {
			if v := f.Version(kg); v != j.plain.versions[kg] {
				j.t.Fatalf("%s: key group %d is at version %d, want %d", when, kg, v, j.plain.versions[kg])
			}
		}
		f.Release()
	}
	if want := j.plain.contents(); !equal(state, want) {
		j.t.Fatalf("%s: the state is\n%v, want\n%v", when, state, want)
	}
}

func (j *rescaling) compareAnswers() {
	j.t.Helper()
	var n int64
	for _, s := range j.tasks {
		n += s.p.Stats().Answers
	}
	if n != int64(len(j.answers)) {
		j.t.Fatalf("%d answers were restored, want %d", n, len(j.answers))
	}
	for id, answer := range j.answers {
		found := false
		for kg := range uint16(maxParallelism) {
			if data, repeated, err := j.task(kg).p.Answer(statestore.Request{KeyGroup: kg, ID: id}); err == nil && repeated {
				found = string(data) == answer
			}
		}
		if !found {
			j.t.Fatalf("the answer to %s was not restored", id)
		}
	}
}

// TestRestoreAcrossParallelisms: state goes on under 2, 3 and 1 subtasks and others, through bases and increments, deletions
// and expiry, compressed and not; each time it must be what plain maps say, with versions and answers.
func TestRestoreAcrossParallelisms(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			// With few keys a key group is often empty when a base is written.
			j := &rescaling{t: t, rng: rng, store: memory.New(), keys: 1 + rng.IntN(20)}
			j.start(2, 0, nil)
			checkpoint := uint64(0)
			for round, parallelism := range []int{3, 1, 5, 8, 2} {
				var refs []Reference
				for range 1 + rng.IntN(4) {
					checkpoint++
					refs = j.checkpoint(checkpoint)
				}
				j.compare(fmt.Sprintf("before checkpoint %d is restored", checkpoint))
				j.start(parallelism, round+1, refs)
				j.compare(fmt.Sprintf("checkpoint %d restored by %d", checkpoint, parallelism))
				j.compareAnswers()
			}
		})
	}
}

// TestVersionsOutliveTheirKeys: a base of a key group of which everything was deleted still knows how far its versions were.
func TestVersionsOutliveTheirKeys(t *testing.T) {
	store := memory.New()
	s := &subtask{t: t, store: store, name: "s", p: statestore.New(statestore.Range{From: 2, To: 3}, statestore.Limits{}, statestore.Hooks{})}
	last := uint64(0)
	for _, c := range []statestore.Change{statestore.Set([]byte("a"), 0), statestore.Delete()} {
		if _, err := s.p.Update(2, "key", func(statestore.Value) (statestore.Change, error) { last++; return c, nil }); err != nil {
			t.Fatal(err)
		}
	}
	ref := s.write(Base, 1, true)
	restored, err := Restore(t.Context(), store, []Reference{ref}, want(statestore.Range{From: 2, To: 2}))
	if err != nil {
		t.Fatal(err)
	}
	again, err := restored.Partitions.CompareAndSet(2, "key", 0, statestore.Set([]byte("b"), 0))
	if err != nil || again.Version != last+1 {
		t.Errorf("%+v after version %d, %v", again, last, err)
	}
}

// TestExpiryOutlivesAnEarlierWatermark: what had expired for one subtask does not come back when its key groups go on under a
// watermark that another one held back.
func TestExpiryOutlivesAnEarlierWatermark(t *testing.T) {
	store := memory.New()
	half := func(i int, watermark int64) *subtask {
		s := &subtask{t: t, store: store, name: fmt.Sprint("half", i), p: statestore.New(statestore.SubtaskRange(maxParallelism, 2, i), statestore.Limits{}, statestore.Hooks{})}
		set := func(key string, expires int64) {
			if _, err := s.p.Update(s.p.KeyGroups().From, key, func(statestore.Value) (statestore.Change, error) {
				return statestore.Set([]byte("x"), expires), nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		set("gone at 90", 90)
		s.write(Base, 1, false)
		s.p.Advance(watermark)
		return s
	}
	fast, slow := half(0, 100), half(1, 50)
	refs := []Reference{fast.write(Increment, 2, false), slow.write(Increment, 2, false)}
	both := statestore.Range{From: 0, To: maxParallelism - 1}
	for generation := range 3 {
		restored, err := Restore(t.Context(), store, refs, want(both))
		if err != nil {
			t.Fatal(err)
		}
		if w := restored.Partitions.Watermark(); w != 50 {
			t.Errorf("generation %d begins at watermark %d", generation, w)
		}
		// Nor is its event time forgotten: windows that were closed stay so.
		for kg, want := range map[uint16]int64{0: 100, 4: 50} {
			var tx statestore.Tx
			if err := restored.Partitions.Begin(kg, &tx); err != nil || tx.Watermark() != want {
				t.Errorf("generation %d: key group %d has reached %d, want %d; %v", generation, kg, tx.Watermark(), want, err)
			}
		}
		got := contents(restored.Partitions)
		if len(got[0]) != 0 || len(got[4]) != 1 {
			t.Errorf("generation %d has %v", generation, got)
		}
		next := &subtask{t: t, store: store, name: fmt.Sprint("both", generation), p: restored.Partitions, chain: restored.Chain}
		refs = []Reference{next.write([]Kind{Increment, Base, Increment}[generation], uint64(3+generation), false)}
	}
}

func TestIncompleteReferences(t *testing.T) {
	store := memory.New()
	part := func(name string, keyGroups statestore.Range, checkpoint uint64) Reference {
		s := &subtask{t: t, store: store, name: name, p: statestore.New(keyGroups, statestore.Limits{}, statestore.Hooks{})}
		return s.write(Base, checkpoint, false)
	}
	low, high := part("low", statestore.Range{From: 0, To: 3}, 7), part("high", statestore.Range{From: 4, To: 7}, 7)
	mid, other := part("mid", statestore.Range{From: 3, To: 5}, 7), part("other", statestore.Range{From: 4, To: 7}, 8)
	all := statestore.Range{From: 0, To: 7}
	for _, tt := range []struct {
		name      string
		refs      []Reference
		keyGroups statestore.Range
		says      string
	}{
		{"all", []Reference{high, low}, all, ""},
		{"what is needed", []Reference{high}, statestore.Range{From: 5, To: 7}, ""},
		{"a gap at the end", []Reference{low}, all, "nobody had key groups 4 to 7"},
		{"a gap at the beginning", []Reference{high}, all, "nobody had key groups 0 to 3"},
		{"none of them", []Reference{low}, statestore.Range{From: 6, To: 7}, "nobody had key groups 6 to 7"},
		{"twice", []Reference{low, high, mid}, all, "comes twice"},
		{"the same twice", []Reference{low, low, high}, all, "comes twice"},
		{"of two checkpoints", []Reference{low, other}, all, "of checkpoint 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Restore(t.Context(), store, tt.refs, want(tt.keyGroups))
			if tt.says == "" && err != nil || tt.says != "" && (!errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
	wrong := want(all)
	wrong.Operator = "another"
	if _, err := Restore(t.Context(), store, []Reference{low, high}, wrong); !errors.Is(err, ErrIncomplete) {
		t.Errorf("another operator: %v", err)
	}
	wrong = want(all)
	wrong.MaxParallelism = 16
	if _, err := Restore(t.Context(), store, []Reference{low, high}, wrong); !errors.Is(err, ErrIncomplete) {
		t.Errorf("another max parallelism: %v", err)
	}
}
