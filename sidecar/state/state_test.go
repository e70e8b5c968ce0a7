package state_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/state"
)

// world is a state that calls are made on, as a sidecar makes them.
type world struct {
	t     *testing.T
	parts *statestore.Partitions
}

func newWorld(t *testing.T) *world {
	return &world{t, statestore.New(statestore.Range{}, statestore.Limits{}, statestore.Hooks{})}
}

// call calls fn for a key, when event time has reached ms, and commits what it did unless it fails.
func (w *world) call(key string, ms int64, fn func(s *state.State) error) error {
	w.t.Helper()
	w.parts.Advance(ms)
	var tx statestore.Tx
	if err := w.parts.Begin(0, &tx); err != nil {
		w.t.Fatal(err)
	}
	scope := statescope.New(&tx, statescope.Call{ID: "id", Key: key, Watermark: w.parts.Watermark(), Guarantee: statescope.Checkpointed})
	defer scope.End()
	s, ok := state.From(statescope.With(context.Background(), scope))
	if !ok {
		w.t.Fatal("no state")
	}
	if err := fn(s); err != nil {
		return err
	}
	if _, _, err := tx.Commit(statestore.Request{}, nil, nil); err != nil {
		w.t.Fatal(err)
	}
	return nil
}

func (w *world) must(key string, ms int64, fn func(s *state.State) error) {
	w.t.Helper()
	if err := w.call(key, ms, fn); err != nil {
		w.t.Fatal(err)
	}
}

type account struct {
	Seen    []string `json:"seen"`
	Balance float64  `json:"balance"`
}

func TestValues(t *testing.T) {
	w := newWorld(t)
	failed := errors.New("no")
	if _, ok := state.From(context.Background()); ok {
		t.Error("there is a state without a call")
	}
	w.must("k", statescope.NoWatermark, func(s *state.State) error {
		if v, ok, err := state.Get[account](s, "account"); ok || err != nil || v.Balance != 0 || s.Version() != 0 || !s.Watermark().IsZero() {
			t.Errorf("%v %v %v, version %d at %s", v, ok, err, s.Version(), s.Watermark())
		}
		if s.Key() != "k" || s.ID() != "id" || s.Guarantee() != "checkpointed" {
			t.Errorf("%s %s %s", s.Key(), s.ID(), s.Guarantee())
		}
		return state.Set(s, "account", account{[]string{"x"}, 1.5})
	})
	if err := w.call("k", 0, func(s *state.State) error {
		if err := state.Set(s, "account", account{}); err != nil {
			return err
		}
		return failed
	}); !errors.Is(err, failed) {
		t.Error(err)
	}
	w.must("k", 1000, func(s *state.State) error {
		v, err := state.Update(s, "account", func(a account, ok bool) (account, error) {
			if !ok || a.Balance != 1.5 || len(a.Seen) != 1 {
				t.Errorf("got %+v %v", a, ok)
			}
			a.Balance++
			return a, nil
		})
		if v.Balance != 2.5 || s.Version() != 1 || s.Watermark().UnixMilli() != 1000 {
			t.Errorf("got %+v, version %d at %s", v, s.Version(), s.Watermark())
		}
		if again, ok, err := state.Get[account](s, "account"); again.Balance != 2.5 || !ok || err != nil {
			t.Errorf("what was written is not there: %+v %v %v", again, ok, err)
		}
		return err
	})
	w.must("k", 1000, func(s *state.State) error {
		if _, ok, err := state.Get[int](s, "account"); !ok || err == nil {
			t.Errorf("an account is a number: %v %v", ok, err)
		}
		if _, err := state.Update(s, "account", func(account, bool) (account, error) { return account{}, failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
		if s.Version() != 2 {
			t.Errorf("version %d", s.Version())
		}
		s.Delete("account")
		s.SetUntil("soon gone", []byte("x"), time.UnixMilli(2000))
		s.SetUntil("gone at once", []byte("x"), time.UnixMilli(0))
		return nil
	})
	for at, want := range map[int64]bool{1999: true, 2000: false} {
		w.must("k", at, func(s *state.State) error {
			_, deleted := s.Get("account")
			_, past := s.Get("gone at once")
			if _, ok := s.Get("soon gone"); deleted || past || at == 2000 && ok != want {
				t.Errorf("at %d: %v %v %v", at, deleted, past, ok)
			}
			return nil
		})
	}
	// Names and keys do not run into each other.
	w.must("a", 0, func(s *state.State) error { return state.Set(s, "bc", 1) })
	w.must("ab", 0, func(s *state.State) error {
		if _, ok := s.Get("c"); ok {
			t.Error("another key's value")
		}
		return nil
	})
}

// Typed values expire, too.
func TestUntil(t *testing.T) {
	w := newWorld(t)
	seen := func(ms int64, want int) {
		t.Helper()
		w.must("k", ms, func(s *state.State) error {
			n, ok, err := state.Get[int](s, "n")
			if ok != (want != 0) || n != want {
				t.Errorf("at %d: %d %v, want %d", ms, n, ok, want)
			}
			return err
		})
	}
	add := func(until time.Time) func(s *state.State) error {
		return func(s *state.State) error {
			_, err := state.UpdateUntil(s, "n", func(n int, _ bool) (int, time.Time, error) { return n + 1, until, nil })
			return err
		}
	}
	w.must("k", 0, func(s *state.State) error { return state.SetUntil(s, "n", 7, time.UnixMilli(10)) })
	seen(9, 7)
	w.must("k", 9, add(time.UnixMilli(20)))
	seen(19, 8)
	seen(20, 0)
	w.must("k", 20, add(time.Time{}))
	seen(1_000_000, 1)
	failed := errors.New("no")
	if err := w.call("k", 1_000_000, func(s *state.State) error {
		_, err := state.UpdateUntil(s, "n", func(int, bool) (int, time.Time, error) { return 0, time.Time{}, failed })
		return err
	}); !errors.Is(err, failed) {
		t.Error(err)
	}
}

func TestAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	var kept *state.State
	w.must("k", 0, func(s *state.State) error {
		kept = s
		return state.Set(s, "n", 1)
	})
	_, _, getting := state.Get[int](kept, "n")
	_, counting := kept.Count("n", state.Tumbling(time.Second), time.Now(), 1)
	for _, err := range []error{getting, state.Set(kept, "n", 2), counting} {
		if !errors.Is(err, state.ErrEnded) {
			t.Errorf("got %v", err)
		}
	}
	if _, ok := kept.Get("n"); ok {
		t.Error("a value after the end")
	}
	w.must("k", 0, func(s *state.State) error {
		if n, _, err := state.Get[int](s, "n"); n != 1 || err != nil {
			t.Errorf("got %d %v", n, err)
		}
		return nil
	})
}

// counts are those of the windows that an event at ms is in, by their beginning.
func counts(t *testing.T, got []state.Count, err error) map[int64]int64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	byStart := map[int64]int64{}
	for _, c := range got {
		byStart[c.Start.UnixMilli()] = c.N
	}
	return byStart
}

func TestWindows(t *testing.T) {
	// Expected values follow Flink's TumblingEventTimeWindows, SlidingEventTimeWindows and WindowOperator.isWindowLate.
	tumbling, sliding := state.Tumbling(10*time.Millisecond).Lateness(5*time.Millisecond), state.Sliding(10*time.Millisecond, 4*time.Millisecond)
	w := newWorld(t)
	for _, c := range []struct {
		name          string
		windows       state.Windows
		watermark, at int64
		want          map[int64]int64
	}{
		{"first", tumbling, statescope.NoWatermark, 0, map[int64]int64{0: 1}},
		{"same window", tumbling, 3, 9, map[int64]int64{0: 2}},
		{"next window", tumbling, 3, 10, map[int64]int64{10: 1}},
		{"before 1970", tumbling, 3, -1, map[int64]int64{-10: 1}},
		{"late and allowed", tumbling, 13, 1, map[int64]int64{0: 3}},
		{"too late", tumbling, 14, 1, map[int64]int64{}},
		{"still counting", tumbling, 14, 19, map[int64]int64{10: 2}},
		{"sliding", sliding, 14, 21, map[int64]int64{12: 1, 16: 1, 20: 1}},
		{"sliding, one on", sliding, 14, 24, map[int64]int64{16: 2, 20: 2, 24: 1}},
		{"sliding, one is closed", sliding, 21, 21, map[int64]int64{16: 3, 20: 3}},
		{"sliding, all are closed", sliding, 40, 21, map[int64]int64{}},
	} {
		w.must("k", c.watermark, func(s *state.State) error {
			got, err := s.Count("n", c.windows, time.UnixMilli(c.at), 1)
			added := counts(t, got, err)
			got, err = s.Counted("n", c.windows, time.UnixMilli(c.at))
			if read := counts(t, got, err); !equal(added, c.want) || !equal(read, c.want) {
				t.Errorf("%s: counted %v, read %v, want %v", c.name, added, read, c.want)
			}
			return nil
		})
	}
	// What is not kept any more is not in memory either.
	w.must("k", 1000, func(s *state.State) error { return state.Set(s, "x", 1) })
	for range 20 {
		w.must("k", 1000, func(s *state.State) error { return state.Set(s, "x", 1) })
	}
	if keys := w.parts.Stats().Keys; keys != 1 {
		t.Errorf("%d values are left, want 1", keys)
	}
	w.must("k", 1000, func(s *state.State) error {
		for _, bad := range []state.Windows{{}, state.Tumbling(0), state.Sliding(time.Second, time.Microsecond), state.Sliding(time.Hour, time.Second), state.Tumbling(time.Second).Lateness(-1)} {
			if _, err := s.Count("n", bad, time.Now(), 1); err == nil {
				t.Errorf("%+v are taken", bad)
			}
		}
		return nil
	})
}

func equal(a, b map[int64]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if other, ok := b[k]; !ok || other != v {
			return false
		}
	}
	return true
}
