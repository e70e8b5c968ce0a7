package segment

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

const maxParallelism = 8

// subtask writes snapshots as a session does.
type subtask struct {
	t     *testing.T
	store *memory.Store
	p     *statestore.Partitions
	chain Chain
	n     int
	name  string
}

func (s *subtask) write(kind Kind, checkpoint uint64, compress bool, inFlight ...statestore.InFlight) Reference {
	s.t.Helper()
	f := s.p.Freeze()
	defer f.Release()
	if err := s.p.Mark(f, checkpoint, inFlight); err != nil {
		s.t.Fatal(err)
	}
	var body bytes.Buffer
	segment, err := Write(&body, f, kind, Options{MaxParallelism: maxParallelism, Answers: true, Compress: compress})
	if err != nil {
		s.t.Fatal(err)
	}
	s.n++
	segment.Key = fmt.Sprintf("%s/%d.segment", s.name, s.n)
	if segment.Bytes != int64(body.Len()) {
		s.t.Fatalf("%d bytes were written, not %d", body.Len(), segment.Bytes)
	}
	if _, err := s.store.Create(s.t.Context(), segment.Key, &body, segment.Bytes); err != nil {
		s.t.Fatal(err)
	}
	s.chain = s.chain.Add(segment)
	ref, err := PutManifest(s.t.Context(), s.store, fmt.Sprintf("%s/%d.manifest", s.name, s.n), &Manifest{
		Job: "job", Operator: "op", Checkpoint: checkpoint, MaxParallelism: maxParallelism, KeyGroups: s.p.KeyGroups(),
		Watermark: f.Watermark(), Reached: ReachedBy(f), Segments: s.chain.Segments,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	f.Durable()
	return ref
}

func want(keyGroups statestore.Range) Want {
	return Want{Operator: "op", MaxParallelism: maxParallelism, KeyGroups: keyGroups, Parallel: 3}
}

func contents(p *statestore.Partitions) map[uint16]map[string]string {
	all := map[uint16]map[string]string{}
	for kg := p.KeyGroups().From; kg <= p.KeyGroups().To; kg++ {
		all[kg] = map[string]string{}
		for k, v := range p.All(kg) {
			all[kg][k] = fmt.Sprintf("%s v%d until %d", v.Data, v.Version, v.Expires)
		}
	}
	return all
}

func equal(a, b map[uint16]map[string]string) bool {
	return maps.EqualFunc(a, b, func(x, y map[string]string) bool { return maps.Equal(x, y) })
}

func sample(t *testing.T) (*memory.Store, []Reference, []string) {
	store := memory.New()
	s := &subtask{t: t, store: store, name: "s", p: statestore.New(statestore.Range{From: 0, To: maxParallelism - 1}, statestore.Limits{}, statestore.Hooks{})}
	epoch := uint64(0)
	put := func(kg uint16, key, value string, expires int64) {
		var tx statestore.Tx
		if err := s.p.Begin(kg, &tx); err != nil {
			t.Fatal(err)
		}
		tx.Change(key, statestore.Set([]byte(value), expires))
		if _, _, err := tx.Commit(statestore.Request{KeyGroup: kg, ID: "id of " + value, Epoch: epoch}, []byte("answer"), nil); err != nil {
			t.Fatal(err)
		}
	}
	put(1, "a", "1", 0)
	put(1, "b", "2", 1000)
	put(3, "c", strings.Repeat("long ", 100), 0)
	s.write(Base, 1, true)
	epoch = 1
	put(1, "b", "3", 0)
	put(6, "d", "4", -5)
	if _, err := s.p.Update(1, "a", func(statestore.Value) (statestore.Change, error) { return statestore.Delete(), nil }); err != nil {
		t.Fatal(err)
	}
	ref := s.write(Increment, 2, false, statestore.InFlight{KeyGroup: 6, ID: "id of 4"})
	return store, []Reference{ref}, []string{"s/1.segment", "s/2.segment", "s/2.manifest"}
}

func TestCompressionBothWays(t *testing.T) {
	random := make([]byte, 300_000)
	chacha := rand.NewChaCha8([32]byte{1})
	chacha.Read(random) //nolint:errcheck // never fails
	values := map[string][]byte{"zeros": make([]byte, 200<<10), "many zeros": make([]byte, 3<<20), "random": random, "empty": {}, "text": bytes.Repeat([]byte("some text "), 50_000)}
	for _, compress := range []bool{false, true} {
		s := &subtask{t: t, store: memory.New(), name: "s", p: statestore.New(statestore.Range{From: 2, To: 2}, statestore.Limits{}, statestore.Hooks{})}
		for k, v := range values {
			if _, err := s.p.Update(2, k, func(statestore.Value) (statestore.Change, error) { return statestore.Set(v, 0), nil }); err != nil {
				t.Fatal(err)
			}
		}
		ref := s.write(Base, 1, compress)
		restored, err := Restore(t.Context(), s.store, []Reference{ref}, want(s.p.KeyGroups()))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range values {
			if got, err := restored.Partitions.Get(2, k); err != nil || !bytes.Equal(got.Data, v) {
				t.Errorf("%s, compressed %v: %d bytes, want %d (%v)", k, compress, len(got.Data), len(v), err)
			}
		}
		// What becomes smaller than a reader would believe is stored as it is.
		if compress && (s.chain.Bases < 3<<20 || s.chain.Bases > 4<<20) {
			t.Errorf("compressed: %d bytes", s.chain.Bases)
		}
	}
}

func TestWatermarkSurvivesJSON(t *testing.T) {
	for _, watermark := range []int64{math.MinInt64, math.MaxInt64, -1, 1<<53 + 1} {
		store := memory.New()
		ref, err := PutManifest(t.Context(), store, "m", &Manifest{Operator: "op", MaxParallelism: 1, Watermark: watermark})
		if err != nil {
			t.Fatal(err)
		}
		m, err := GetManifest(t.Context(), store, ref)
		if err != nil || m.Watermark != watermark {
			t.Errorf("%d became %+v, %v", watermark, m, err)
		}
	}
}
