package statestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestFreezeBesideWriters: each key group has one writer, who notes what it did by version; a frozen state must be what the
// notes say of its version, however much is written while it is read.
func TestFreezeBesideWriters(t *testing.T) {
	const groups, writes, freezes = 4, 4000, 40
	p := New(Range{10, 10 + groups - 1}, Limits{}, Hooks{})
	type note struct {
		key   string
		value Value
	}
	notes := make([][]note, groups) // the i-th is of version i+1
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for i := range groups {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if n >= writes*20 {
					return
				}
				key := fmt.Sprint("k", rng.IntN(300))
				c := Set([]byte(fmt.Sprint(n)), 0)
				if rng.IntN(4) == 0 {
					c = Delete()
				}
				var was Value
				now, err := p.Update(10+uint16(i), key, func(old Value) (Change, error) {
					was = old
					return c, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if c.idle(was) {
					continue
				}
				notes[i] = append(notes[i], note{key, now})
			}
		})
	}
	// A reader, so that the race detector sees what reads meanwhile.
	writers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.Stats()
				for range p.All(10) {
				}
				if _, err := p.Get(11, "k1"); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	type seen struct {
		version uint64
		values  map[string]Value
	}
	var all [][]seen // of each frozen state, per group
	durable := make([]map[string]Value, groups)
	var before *Frozen
	for range freezes {
		f := p.Freeze()
		now := make([]seen, groups)
		for i := range now {
			kg := 10 + uint16(i)
			values := maps.Collect(f.All(kg))
			now[i] = seen{f.Version(kg), values}
			if f.Incremental() {
				merged := maps.Clone(durable[i])
				for k, v := range f.Changed(kg) {
					if v.Version == 0 {
						delete(merged, k)
					} else {
						merged[k] = v
					}
				}
				if !maps.EqualFunc(merged, values, same) {
					t.Fatalf("what changed leads to %v, not to %v", merged, values)
				}
			}
			durable[i] = values
		}
		f.Durable()
		if before != nil {
			before.Release()
		}
		before = f
		all = append(all, now)
	}
	close(stop)
	writers.Wait()
	for _, state := range all {
		for i, s := range state {
			want := map[string]Value{}
			for _, n := range notes[i][:s.version] {
				if n.value.Version == 0 {
					delete(want, n.key)
				} else {
					want[n.key] = n.value
				}
			}
			if !maps.EqualFunc(s.values, want, same) {
				t.Fatalf("group %d at version %d is %v, want %v", i, s.version, s.values, want)
			}
		}
	}
}

// TestTransactionsCountOnce: many count the same keys, in transactions that conflict, each request sent twice at the same
// time. Every request must count once.
func TestTransactionsCountOnce(t *testing.T) {
	const senders, each = 8, 300
	p := New(Range{0, 0}, Limits{}, Hooks{})
	run := func(id string) (string, error) {
		var tx Tx
		r := Request{ID: id}
		for range 1_000_000 {
			if p.Contended(0) {
				end, err := p.Turn(t.Context(), 0)
				if err != nil {
					return "", err
				}
				defer end()
			}
			if err := p.Begin(0, &tx); err != nil {
				return "", err
			}
			sum := 0
			for _, key := range []string{"a", "b"} {
				v, _ := tx.Get(key)
				n := 0
				if len(v.Data) > 0 {
					if _, err := fmt.Sscan(string(v.Data), &n); err != nil {
						return "", err
					}
				}
				sum += n
				tx.Change(key, Set([]byte(fmt.Sprint(n+1)), 0))
			}
			answer, _, err := tx.Commit(r, []byte(fmt.Sprint(sum)), nil)
			if !errors.Is(err, ErrConflict) {
				return string(answer), err
			}
		}
		return "", errors.New("never got through")
	}
	answers := make([]map[string]bool, senders)
	var all sync.WaitGroup
	for s := range senders {
		answers[s] = map[string]bool{}
		all.Go(func() {
			for n := range each {
				id := fmt.Sprint(s, "/", n)
				first := make(chan string, 1)
				go func() {
					a, err := run(id)
					if err != nil {
						t.Error(err)
					}
					first <- a
				}()
				second, err := run(id)
				if err != nil {
					t.Error(err)
				}
				if one := <-first; one != second {
					t.Errorf("%s was answered %s and %s", id, one, second)
				}
				answers[s][second] = true
			}
		})
	}
	all.Wait()
	distinct := map[string]bool{}
	for _, a := range answers {
		maps.Copy(distinct, a)
	}
	if len(distinct) != senders*each {
		t.Errorf("%d different answers to %d requests", len(distinct), senders*each)
	}
	for _, key := range []string{"a", "b"} {
		if v, err := p.Get(0, key); err != nil || string(v.Data) != fmt.Sprint(senders*each) {
			t.Errorf("%s is %s (%v), want %d", key, v.Data, err, senders*each)
		}
	}
}

// TestSizesUnderAdvance: event time goes on while values are replaced, removed and swept. Whenever a value expires between two
// looks at it, it must be taken off the sizes once.
func TestSizesUnderAdvance(t *testing.T) {
	const groups = 3
	p := New(Range{0, groups - 1}, Limits{Bytes: 1 << 40}, Hooks{})
	var writers, others sync.WaitGroup
	for w := range 6 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(w)))
			for range 5000 {
				kg, key := uint16(rng.IntN(groups)), fmt.Sprint("k", rng.IntN(20))
				change := Set(make([]byte, rng.IntN(50)), max(p.Watermark(), 0)+int64(rng.IntN(4)))
				if rng.IntN(4) == 0 {
					change = Delete()
				}
				var err error
				if rng.IntN(2) == 0 {
					_, err = p.Update(kg, key, func(Value) (Change, error) {
						p.Advance(max(p.Watermark(), 0) + 1) // the worst moment
						return change, nil
					})
				} else {
					var tx Tx
					if err = p.Begin(kg, &tx); err == nil {
						tx.Change(key, change)
						_, _, err = tx.Commit(Request{}, nil, nil)
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.Sweep(3)
				p.Freeze().Release()
			}
		}
	})
	writers.Wait()
	close(stop)
	others.Wait()
	p.Advance(math.MaxInt64)
	for p.Sweep(100) > 0 {
	}
	for i := range p.groups {
		for key, e := range p.groups[i].entries {
			if e.live && e.expires != 0 {
				t.Errorf("%s of key group %d expires at %d and is still there", key, i, e.expires)
			}
		}
	}
	var keys, bytes int64
	for kg := range uint16(groups) {
		for key, v := range p.All(kg) {
			keys, bytes = keys+1, bytes+int64(len(key)+len(v.Data))
		}
	}
	if s := p.Stats(); s.Keys != keys || s.Bytes != bytes {
		t.Errorf("sizes are %+v, %d keys of %d bytes are there", s, keys, bytes)
	}
}

func TestTurnEndsWithContext(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	end, err := p.Turn(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Turn(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a turn without an end: %v", err)
	}
	if !p.Contended(0) {
		t.Error("nobody has a turn")
	}
	end()
	if p.Contended(0) {
		t.Error("somebody still has a turn")
	}
}
