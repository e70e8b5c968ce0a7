package lease_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

const ttl = 10 * time.Second

// network is the way of one contender to the store.
type network struct {
	lease.Store

	away atomic.Bool // nothing gets through
	hang atomic.Bool // nothing comes back, until the caller gives up
	lose atomic.Int32
}

var errAway = &snapshot.Error{Op: "open", Kind: snapshot.ErrUnavailable, Retryable: true}

func (n *network) pass(ctx context.Context) error {
	if n.hang.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if n.away.Load() {
		return errAway
	}
	return nil
}

func (n *network) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	if err := n.pass(ctx); err != nil {
		return nil, snapshot.Object{}, err
	}
	return n.Store.Open(ctx, key, part)
}

func (n *network) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if err := n.pass(ctx); err != nil {
		return snapshot.Object{}, err
	}
	return n.Store.Create(ctx, key, body, size)
}

// Replace may lose the answer to a write that has happened.
func (n *network) Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error) {
	if err := n.pass(ctx); err != nil {
		return snapshot.Object{}, err
	}
	o, err := n.Store.Replace(ctx, key, body, etag)
	if err == nil && n.lose.Add(-1) >= 0 {
		return snapshot.Object{}, &snapshot.Error{Op: "replace", Kind: snapshot.ErrUnavailable, Retryable: true, Unsure: true}
	}
	return o, err
}

// contender runs until the test ends, and tells when its work begins and ends.
type contender struct {
	network
	*lease.Lease

	began chan uint64 // fencing numbers
	ended chan error  // causes
	leave chan struct{}
	done  chan error
}

func start(t *testing.T, store lease.Store, name string, limit time.Duration) *contender {
	t.Helper()
	c := &contender{began: make(chan uint64, 10), ended: make(chan error, 10), leave: make(chan struct{}), done: make(chan error, 1)}
	c.network.Store = store
	c.Lease = lease.New(&c.network, "leases/watch", lease.Config{Owner: name, TTL: limit}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c.done <- c.Run(ctx, func(ctx context.Context, fence uint64) error {
			c.began <- fence
			select {
			case <-ctx.Done():
				c.ended <- context.Cause(ctx)
				return nil
			case <-c.leave:
				return errors.New("work is done")
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-c.done
	})
	return c
}

func (c *contender) expect(t *testing.T, fence uint64) {
	t.Helper()
	if got := <-c.began; got != fence {
		t.Errorf("the fencing number is %d, want %d", got, fence)
	}
}

func TestHandOver(t *testing.T) {
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
		close(a.leave)
		b.expect(t, 2)
		if waited := time.Since(left); waited > ttl/2 {
			t.Errorf("a has given it back, and b waited %v", waited)
		}
		if err := <-a.done; err == nil || err.Error() != "work is done" {
			t.Errorf("a ended with %v", err)
		}
		a.done <- nil
		if s := a.Status(); s.Held {
			t.Errorf("a: %+v", s)
		}
	})
}

// A holder that the store does not hear of must have ended its work when another one begins.
func TestCutOff(t *testing.T) {
	for name, cut := range map[string]func(*contender){
		"away":  func(c *contender) { c.away.Store(true) },
		"hangs": func(c *contender) { c.hang.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				a := start(t, store, "a", ttl)
				a.expect(t, 1)
				b := start(t, store, "b", ttl)
				time.Sleep(3*ttl + ttl/7)
				cut(a)
				at := time.Now()
				if cause := <-a.ended; !errors.Is(cause, lease.ErrLost) {
					t.Errorf("a's work ended by %v", cause)
				}
				if len(b.began) > 0 {
					t.Error("b began while a was at work")
				}
				lost := time.Now()
				b.expect(t, 2)
				if gap := time.Since(lost); gap < ttl/20 {
					t.Errorf("b began %v after a had to stop; clocks may differ by a tenth", gap)
				}
				if took := time.Since(at); took > 2*ttl {
					t.Errorf("nobody worked for %v", took)
				}
				a.away.Store(false)
				a.hang.Store(false)
				time.Sleep(5 * ttl)
				if s := a.Status(); s.Held || s.Owner != "b" {
					t.Errorf("a, back again: %+v", s)
				}
			})
		})
	}
}

// What passes within the TTL is not noticed.
func TestShortOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		a := start(t, store, "a", ttl)
		a.expect(t, 1)
		b := start(t, store, "b", ttl)
		for range 20 {
			a.away.Store(true)
			time.Sleep(ttl / 3)
			a.away.Store(false)
			a.lose.Store(2) // two answers
			time.Sleep(ttl)
		}
		if len(a.ended) > 0 || len(b.began) > 0 || !a.Status().Held {
			t.Errorf("a lost it: %+v", a.Status())
		}
	})
}

// Whatever the network does, no two work at the same time, and fencing numbers grow.
func TestOneAtATime(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			store := memory.New()
			var mu sync.Mutex
			working, last, turns := 0, uint64(0), 0
			ctx, cancel := context.WithCancel(t.Context())
			networks := make([]*network, 4)
			var all sync.WaitGroup
			for i := range networks {
				n := &network{Store: store}
				networks[i] = n
				l := lease.New(n, "lease", lease.Config{Owner: string(rune('a' + i)), TTL: ttl}, slog.New(slog.DiscardHandler))
				all.Go(func() {
					if err := l.Run(ctx, func(ctx context.Context, fence uint64) error {
						mu.Lock()
						working++
						turns++
						if working != 1 || fence <= last {
							t.Errorf("seed %d: %d work at the same time; fence %d after %d", seed, working, fence, last)
						}
						last = fence
						mu.Unlock()
						<-ctx.Done()
						mu.Lock()
						working--
						mu.Unlock()
						return nil
					}); err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
				})
			}
			for range 300 {
				time.Sleep(time.Duration(random.Int64N(int64(ttl))))
				n := networks[random.IntN(len(networks))]
				n.away.Store(random.IntN(2) == 0)
				n.lose.Store(random.Int32N(3))
			}
			cancel()
			all.Wait()
			if turns < 10 {
				t.Errorf("seed %d: it changed hands %d times only", seed, turns)
			}
		})
	}
}

func TestNoLease(t *testing.T) {
	store := memory.New()
	if _, err := store.Create(t.Context(), "leases/watch", strings.NewReader("something else"), 14); err != nil {
		t.Fatal(err)
	}
	c := start(t, store, "a", ttl)
	if err := <-c.done; err == nil || !strings.Contains(err.Error(), "name another object") {
		t.Errorf("got %v", err)
	}
	c.done <- nil
}

// The same over real stores: the holder is cut off, the other one takes over; a third gets it handed over.
func TestStores(t *testing.T) {
	stores := map[string]func(t *testing.T) lease.Store{
		"dir": func(t *testing.T) lease.Store {
			s, err := dir.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() }) //nolint:errcheck // only a folder
			return s
		},
		"s3": func(t *testing.T) lease.Store { return snapshottest.StartS3(t).Bucket(t, "bucket") },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			const short = 2 * time.Second
			a := start(t, store, "a", short)
			a.expect(t, 1)
			b := start(t, store, "b", short)
			a.away.Store(true)
			if cause := <-a.ended; !errors.Is(cause, lease.ErrLost) {
				t.Errorf("a's work ended by %v", cause)
			}
			b.expect(t, 2)
			c := start(t, store, "c", short)
			close(b.leave)
			c.expect(t, 3)
		})
	}
}
