package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestMain(m *testing.M) {
	holderMain()
	snapshottest.Main(m)
}

const (
	ttl = 10 * time.Second
	key = "leases/watch"
)

// contender runs until the test ends, and tells when its work begins and ends.
type contender struct {
	*network
	*lease.Lease

	began chan uint64 // fencing numbers
	ended chan error  // causes
	leave chan struct{}
	stop  context.CancelFunc
	done  chan struct{}
	err   error // of Run, behind done
}

var errDone = errors.New("work is done")

func start(t *testing.T, store lease.Store, name string, limit time.Duration) *contender {
	t.Helper()
	c := &contender{
		network: &network{Store: store}, began: make(chan uint64, 10), ended: make(chan error, 10), leave: make(chan struct{}), done: make(chan struct{}),
	}
	c.Lease = lease.New(c.network, key, lease.Config{Owner: name, TTL: limit}, slog.New(slog.DiscardHandler))
	var ctx context.Context
	ctx, c.stop = context.WithCancel(t.Context())
	go func() {
		defer close(c.done)
		c.err = c.Run(ctx, func(ctx context.Context, fence uint64) error {
			c.began <- fence
			select {
			case <-ctx.Done():
				cause := context.Cause(ctx)
				if errors.Is(cause, lease.ErrLost) && c.Status().Held {
					t.Errorf("%s: its work hears that the lease is lost, and it still says that it holds it", name)
				}
				c.ended <- cause
				return nil
			case <-c.leave:
				return errDone
			}
		})
	}()
	t.Cleanup(func() {
		c.stop()
		<-c.done
	})
	return c
}

func (c *contender) expect(t *testing.T, fence uint64) {
	t.Helper()
	select {
	case got := <-c.began:
		if got != fence {
			t.Errorf("the fencing number is %d, want %d", got, fence)
		}
	case <-c.done:
		t.Fatalf("it ended with %v", c.err)
	}
}

func (c *contender) expectLost(t *testing.T) {
	t.Helper()
	if cause := <-c.ended; !errors.Is(cause, lease.ErrLost) {
		t.Errorf("the work ended by %v", cause)
	}
}

func TestHandOver(t *testing.T) {
	for name, end := range map[string]struct {
		how  func(*contender)
		want error
	}{
		"work is done": {func(c *contender) { close(c.leave) }, errDone},
		"shut down":    {func(c *contender) { c.stop() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				a := start(t, store, "a", ttl)
				a.expect(t, 1)
				b := start(t, store, "b", ttl)
				time.Sleep(10 * ttl) // of the bubble
				if s := b.Status(); s.Held || s.Owner != "a" || s.Fence != 1 || !a.Status().Held || len(b.began) > 0 {
					t.Errorf("while a works: a %+v, b %+v", a.Status(), s)
				}
				left := time.Now()
				end.how(a)
				b.expect(t, 2)
				if waited := time.Since(left); waited > ttl/2 {
					t.Errorf("a has given it back, and b waited %v", waited)
				}
				<-a.done
				if s := a.Status(); !errors.Is(a.err, end.want) || s.Held || s.Owner != "" {
					t.Errorf("a ended with %v: %+v", a.err, s)
				}
			})
		})
	}
}

// A holder that the store does not hear of must have ended its work when another one begins.
func TestCutOff(t *testing.T) {
	for name, cut := range map[string]func(c *contender, yes bool){
		"away":  func(c *contender, yes bool) { c.away.Store(yes) },
		"hangs": func(c *contender, yes bool) { c.hang.Store(yes) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				a := start(t, store, "a", ttl)
				a.expect(t, 1)
				b := start(t, store, "b", ttl)
				time.Sleep(3*ttl + ttl/7)
				cut(a, true)
				at := time.Now()
				a.expectLost(t)
				if len(b.began) > 0 {
					t.Error("b began while a was at work")
				}
				if s := a.Status(); s.Held || s.Error == "" {
					t.Errorf("a, cut off: %+v", s)
				}
				lost := time.Now()
				b.expect(t, 2)
				if gap := time.Since(lost); gap < ttl/20 {
					t.Errorf("b began %v after a had to stop; clocks may differ by a tenth", gap)
				}
				if took := time.Since(at); took > 2*ttl {
					t.Errorf("nobody worked for %v", took)
				}
				cut(a, false)
				time.Sleep(5 * ttl)
				if s := a.Status(); s.Held || s.Owner != "b" || s.Fence != 2 || s.Error != "" {
					t.Errorf("a, back again: %+v", s)
				}
			})
		})
	}
}

// The same however long requests and answers take, and whenever the other one has looked.
func TestSlowCutOff(t *testing.T) {
	const slow = ttl * 18 / 100
	for name, set := range map[string]func(a, b *network){
		"the holder's requests":    func(a, _ *network) { a.there = slow },
		"the answers to it":        func(a, _ *network) { a.back = slow },
		"the other one's requests": func(_, b *network) { b.there = slow },
		"the answers to that":      func(_, b *network) { b.back = slow },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range time.Duration(100) {
				synctest.Test(t, func(t *testing.T) {
					store := memory.New()
					toA, toB := &network{Store: store}, &network{Store: store}
					set(toA, toB)
					a := start(t, toA, "a", ttl)
					a.expect(t, 1)
					time.Sleep(i * ttl / 250)
					b := start(t, toB, "b", ttl)
					time.Sleep(ttl*17/10 + i*ttl/150)
					a.away.Store(true)
					a.expectLost(t)
					lost := time.Now()
					b.expect(t, 2)
					if gap := time.Since(lost); gap < ttl/20 {
						t.Errorf("case %d: b began %v after a had to stop", i, gap)
					}
				})
			}
		})
	}
}

// A write whose answer was lost, and that is found later, is not a reason to go on for longer.
func TestFoundLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes, reads := 0, 0
		to := &network{Store: memory.New(), plan: func(op string) fate {
			switch op {
			case "replace":
				writes++
				if writes == 1 { // the second finds another version, the third would prolong it
					return loses
				} else if writes >= 3 {
					return fails
				}
			case "open": // the first by acquiring, the second to read the write back, the third behind the second write
				if reads++; reads == 2 || reads > 3 {
					return fails
				}
			}
			return passes
		}}
		a := start(t, to, "a", ttl)
		a.expect(t, 1)
		began := time.Now()
		a.expectLost(t)
		if took := time.Since(began); took > ttl*9/10 || writes < 3 {
			t.Errorf("a worked for %v after the last write that was confirmed, and wrote %d times", took, writes)
		}
	})
}

// The store is away for an hour, for all. Whoever had the lease has it again as soon as the store is back, with another number.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := start(t, memory.New(), "a", ttl)
		a.expect(t, 1)
		a.away.Store(true)
		a.expectLost(t)
		time.Sleep(time.Hour)
		a.away.Store(false)
		back := time.Now()
		a.expect(t, 2)
		if took := time.Since(back); took > ttl/2 {
			t.Errorf("nobody else had it, and it took %v", took)
		}
	})
}

// What passes within the TTL is not noticed.
func TestShortOutages(t *testing.T) {
	for name, fault := range map[string]func(c *contender){
		"away, then answers are lost": func(c *contender) {
			c.away.Store(true)
			time.Sleep(ttl / 3)
			c.away.Store(false)
			c.lose.Store(2)
			time.Sleep(ttl)
		},
		"no answer to a write arrives": func(c *contender) {
			c.lose.Store(1 << 30)
			time.Sleep(ttl)
		},
		"a request and the next are never answered": func(c *contender) {
			c.hangs.Store(2)
			time.Sleep(ttl)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				a := start(t, store, "a", ttl)
				a.expect(t, 1)
				b := start(t, store, "b", ttl)
				for range 20 {
					fault(a)
				}
				if len(a.ended) > 0 || len(b.began) > 0 || !a.Status().Held {
					t.Errorf("a lost it: %+v", a.Status())
				}
			})
		})
	}
}

// Somebody deletes the object. The numbers go on all the same.
func TestDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a := start(t, store, "a", ttl)
		a.expect(t, 1)
		b := start(t, store, "b", ttl)
		time.Sleep(ttl)
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		a.expectLost(t)
		select {
		case fence := <-a.began:
			if fence != 2 {
				t.Errorf("a got number %d", fence)
			}
		case fence := <-b.began:
			if fence != 2 {
				t.Errorf("b got number %d", fence)
			}
		}
	})
}

// turns checks that no two work at the same time, and that the fencing numbers grow.
type turns struct {
	mu      sync.Mutex
	working int
	last    uint64
	n       int
}

func (c *turns) work(t *testing.T, seed uint64) func(context.Context, uint64) error {
	return func(ctx context.Context, fence uint64) error {
		c.mu.Lock()
		c.working++
		c.n++
		if c.working != 1 || fence <= c.last {
			t.Errorf("seed %d: %d work at the same time; fence %d after %d", seed, c.working, fence, c.last)
		}
		c.last = fence
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		c.working--
		c.mu.Unlock()
		return nil
	}
}

// Whatever the network does: requests and answers that take longer than anybody waits, and arrive all the same.
func TestOneAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		delay time.Duration // of each way, at most
		away  int           // of 10 changes
	}{
		"fast": {0, 5}, "slow": {ttl / 20, 4}, "very slow": {ttl / 4, 2}, "hardly": {ttl / 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			total := 0
			for seed := range uint64(25) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 1))
					store := memory.New()
					var turns turns
					ctx, cancel := context.WithCancel(t.Context())
					networks := make([]*network, 4)
					var all sync.WaitGroup
					for i := range networks {
						n := &network{Store: store, delay: c.delay}
						networks[i] = n
						l := lease.New(n, key, lease.Config{Owner: string(rune('a' + i)), TTL: ttl}, slog.New(slog.DiscardHandler))
						all.Go(func() {
							if err := l.Run(ctx, turns.work(t, seed)); err != nil {
								t.Errorf("seed %d: %v", seed, err)
							}
						})
					}
					for range 300 {
						time.Sleep(time.Duration(random.Int64N(int64(ttl))))
						n := networks[random.IntN(len(networks))]
						n.away.Store(random.IntN(10) < c.away)
						n.lose.Store(random.Int32N(3))
					}
					cancel()
					all.Wait()
					for _, n := range networks {
						n.late.Wait()
					}
					total += turns.n
				})
			}
			t.Logf("%d turns", total)
			if total < 10 {
				t.Errorf("%d turns only", total)
			}
		})
	}
}

// Errors that waiting does not heal.
func TestFails(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		denied  bool
		ttl     time.Duration
		want    string
	}{
		"something else":  {content: "something else", ttl: ttl, want: "name another object"},
		"another version": {content: `{"version":2,"fence":1,"holder":"x","nonce":"y"}`, ttl: ttl, want: "version 2"},
		"taking over is denied": {
			content: `{"version":1,"fence":1,"holder":"x","nonce":"y","released":true}`, denied: true, ttl: ttl, want: "access denied",
		},
		"making it is denied": {denied: true, ttl: ttl, want: "access denied"},
		"no TTL":              {want: "TTL of 0s"},
		"a long TTL":          {ttl: 48 * time.Hour, want: "TTL of 48h"},
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.New()
			if c.content != "" {
				if _, err := store.Create(t.Context(), key, strings.NewReader(c.content), int64(len(c.content))); err != nil {
					t.Fatal(err)
				}
			}
			n := &network{Store: store}
			n.denied.Store(c.denied)
			err := lease.New(n, key, lease.Config{Owner: "a", TTL: c.ttl}, slog.New(slog.DiscardHandler)).Run(t.Context(),
				func(context.Context, uint64) error {
					t.Error("the work began")
					return nil
				})
			if err == nil || !strings.Contains(err.Error(), c.want) || snapshot.Retryable(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
