package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/idempotency"
)

type outcome = idempotency.Outcome[string]

func newStore(cfg idempotency.Config) *idempotency.Store[string] {
	return idempotency.New(cfg, func(o outcome) int64 { return int64(len(o.Answer)) })
}

func fingerprint(t *testing.T, event string) idempotency.Fingerprint {
	t.Helper()
	p, err := idempotency.FingerprintOf("f", []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFingerprint(t *testing.T) {
	base := fingerprint(t, `{"a":1,"b":"é"}`)
	if fingerprint(t, "{ \"b\":\"\\u00e9\",\n\"a\":1 }") != base {
		t.Error("space, order and escapes must not count")
	}
	for _, other := range []string{`{"a":2,"b":"é"}`, `{"a":1,"b":"e"}`, `{"a":1}`} {
		if fingerprint(t, other) == base {
			t.Errorf("%s has the same fingerprint", other)
		}
	}
	if fingerprint(t, `9007199254740993`) == fingerprint(t, `9007199254740992`) {
		t.Error("integers beyond 2^53 must stay apart")
	}
	if other, _ := idempotency.FingerprintOf("g", []byte(`{"a":1,"b":"é"}`)); other == base {
		t.Error("another function is another payload")
	}
	if _, err := idempotency.FingerprintOf("f", []byte(`{`)); err == nil {
		t.Error("broken JSON must be an error")
	}
}

func TestSameIDSamePayload(t *testing.T) {
	s := newStore(idempotency.DefaultConfig())
	ctx, p, calls := context.Background(), fingerprint(t, `1`), 0
	run := func() (outcome, bool) { calls++; return outcome{Answer: fmt.Sprint(calls)}, true }
	for i := range 3 {
		o, replayed, err := s.Do(ctx, "a", p, run)
		if err != nil || o.Answer != "1" || replayed != (i > 0) {
			t.Errorf("call %d: %+v, replayed %v, %v", i, o, replayed, err)
		}
	}
	if _, _, err := s.Do(ctx, "a", fingerprint(t, `2`), run); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("another payload: %v", err)
	}
	if o, _, _ := s.Do(ctx, "", p, run); o.Answer != "2" {
		t.Errorf("no id: %+v", o)
	}
}

func TestOutcomeNotWorthKeepingRunsAgain(t *testing.T) {
	s := newStore(idempotency.DefaultConfig())
	ctx, p, calls := context.Background(), fingerprint(t, `1`), 0
	for range 2 {
		_, replayed, err := s.Do(ctx, "a", p, func() (outcome, bool) { calls++; return outcome{Err: errors.New("overloaded")}, false })
		if replayed || err != nil {
			t.Error("must run again")
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _, _ = s.Do(ctx, "b", p, func() (outcome, bool) { panic("x") })
	}()
	if _, _, err := s.Do(ctx, "b", p, func() (outcome, bool) { calls++; return outcome{}, true }); err != nil || calls != 3 {
		t.Errorf("a panic must give the id free: %v, %d calls", err, calls)
	}
}

func TestTheSameCallWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(idempotency.DefaultConfig())
		p, release := fingerprint(t, `1`), make(chan struct{})
		var calls int
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				o, _, err := s.Do(context.Background(), "a", p, func() (outcome, bool) {
					calls++
					<-release
					return outcome{Answer: "x"}, true
				})
				if err != nil || o.Answer != "x" {
					t.Errorf("%+v, %v", o, err)
				}
			})
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, _, err := s.Do(impatient, "a", p, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a waiting caller keeps its own deadline: %v", err)
		}
		close(release)
		wg.Wait()
		if calls != 1 {
			t.Errorf("%d calls, want one", calls)
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(idempotency.Config{MaxEntries: 10, MaxBytes: 1 << 20, TTL: time.Minute})
		put := func(id string, size int) (replayed bool) {
			_, replayed, err := s.Do(context.Background(), id, idempotency.Fingerprint{}, func() (outcome, bool) {
				return outcome{Answer: string(make([]byte, size))}, true
			})
			if err != nil {
				t.Fatal(err)
			}
			return replayed
		}
		for i := range 25 {
			put(fmt.Sprint(i), 1)
		}
		if n, _ := s.Size(); n != 10 || !put("24", 1) || put("14", 1) {
			t.Errorf("%d entries; want the newest ten", n)
		}
		put("big", 1<<20)
		if n, bytes := s.Size(); n != 0 || bytes != 0 {
			t.Errorf("an answer beyond the memory bound is not kept: %d entries, %d bytes", n, bytes)
		}
		put("a", 1)
		time.Sleep(time.Minute)
		if n, bytes := s.Size(); n != 0 || bytes != 0 || put("a", 1) {
			t.Errorf("expired: %d entries, %d bytes", n, bytes)
		}
	})
}
