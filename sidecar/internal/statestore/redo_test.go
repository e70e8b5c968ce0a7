package statestore

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// notebook is a log in memory.
type notebook struct {
	p       *Partitions
	records []noted
	err     error
}

type noted struct {
	Committed

	watermark int64
}

func (n *notebook) Commit(c *Committed) error {
	if n.err != nil {
		return n.err
	}
	again := *c
	again.Answer, again.Writes = slices.Clone(c.Answer), slices.Clone(c.Writes)
	n.records = append(n.records, noted{again, n.p.Watermark()})
	return nil
}

// TestRedoRebuilds: who does again what a log says comes to the same values, versions, sizes and answers.
func TestRedoRebuilds(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		keyGroups := Range{4, 6}
		was := New(keyGroups, Limits{}, Hooks{})
		log := &notebook{p: was}
		for n := range 1 + rng.IntN(200) {
			if rng.IntN(10) == 0 {
				was.Advance(max(was.Watermark(), 0) + int64(rng.IntN(10)))
			}
			kg := keyGroups.From + uint16(rng.IntN(keyGroups.Len()))
			var tx Tx
			if err := was.Begin(kg, &tx); err != nil {
				t.Fatal(err)
			}
			for range rng.IntN(4) {
				key := fmt.Sprint("k", rng.IntN(8))
				switch rng.IntN(3) {
				case 0:
					tx.Change(key, Delete())
				case 1:
					tx.Change(key, Set([]byte(fmt.Sprint(n)), max(was.Watermark(), 0)+1+int64(rng.IntN(30))))
				default:
					tx.Change(key, Set([]byte(fmt.Sprint(n)), 0))
				}
			}
			r := Request{KeyGroup: kg, ID: fmt.Sprint("id", rng.IntN(100)), Seq: uint64(n + 1), Low: uint64(max(0, n-20))}
			// A log that cannot be written to lets nothing happen.
			if log.err = nil; rng.IntN(10) == 0 {
				log.err = errors.New("full")
			}
			before := maps.Collect(was.All(kg))
			_, repeated, err := tx.Commit(r, []byte(fmt.Sprint("answer ", n)), log)
			if err != nil && !errors.Is(err, log.err) && !errors.Is(err, ErrStale) {
				t.Fatal(err)
			}
			if after := maps.Collect(was.All(kg)); (err != nil || repeated) && !maps.EqualFunc(before, after, same) {
				t.Fatalf("seed %d: %v (repeated %v) changed %v to %v", seed, err, repeated, before, after)
			}
		}
		now := New(keyGroups, Limits{}, Hooks{})
		for _, r := range log.records {
			now.Advance(r.watermark)
			if err := now.Redo(&r.Committed); err != nil {
				t.Fatal(err)
			}
		}
		now.Advance(was.Watermark())
		for _, p := range []*Partitions{was, now} {
			for p.Sweep(100) > 0 {
			}
		}
		if a, b := was.Stats(), now.Stats(); a != b {
			t.Fatalf("seed %d: sizes are %+v, want %+v", seed, b, a)
		}
		f, g := was.Freeze(), now.Freeze()
		for kg := keyGroups.From; kg <= keyGroups.To; kg++ {
			if a, b := maps.Collect(was.All(kg)), maps.Collect(now.All(kg)); !maps.EqualFunc(a, b, same) || f.Version(kg) != g.Version(kg) {
				t.Fatalf("seed %d: key group %d is %v at version %d, want %v at %d", seed, kg, b, g.Version(kg), a, f.Version(kg))
			}
			for i := range 100 {
				r := Request{KeyGroup: kg, ID: fmt.Sprint("id", i), Seq: math.MaxUint64}
				a, known, errA := was.Answer(r)
				b, again, errB := now.Answer(r)
				if string(a) != string(b) || known != again || errA != nil || errB != nil {
					t.Fatalf("seed %d: the answer to %s is %q %v (%v), want %q %v (%v)", seed, r.ID, b, again, errB, a, known, errA)
				}
			}
		}
	}
	if err := New(Range{0, 0}, Limits{}, Hooks{}).Redo(&Committed{Request: Request{KeyGroup: 1}}); !errors.Is(err, ErrKeyGroup) {
		t.Errorf("a record of another key group: %v", err)
	}
}
