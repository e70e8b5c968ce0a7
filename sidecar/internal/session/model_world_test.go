package session

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
)

// world is a simulated cluster: time, a network, sidecars, a snapshot store, and one thing after another. All of it is decided
// by a seed. It runs in a synctest bubble; whatever a sidecar does in its goroutines is over, or waits for fake time, before
// the next thing happens.
type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	broken mutation
	start  time.Time

	events  events
	counter uint64

	mu     sync.Mutex
	posted []post

	objects  *memory.Store
	weather  weather
	sidecars []*sidecar
	calm     bool // no faults any more
	lossy    int  // percent of messages that are lost, and that come twice

	job    *job
	done   bool
	trace  []string
	faults int
	found  []string // what is wrong
	// managers that were killed: they are ended with the world.
	graves []*Manager
}

type event struct {
	at time.Duration
	n  uint64
	do func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) } //nolint:forcetypeassert // of this heap
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// post is what a goroutine has to say to the world.
type post struct {
	n  uint64
	do func()
}

func (w *world) now() time.Duration { return time.Since(w.start) }

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%s "+format, append([]any{w.now()}, args...)...))
}

func (w *world) next() uint64 {
	w.counter++
	return w.counter
}

// chance is true so many times of 100.
func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// about is a duration around d, never twice the same.
func (w *world) about(d time.Duration) time.Duration {
	return d/2 + time.Duration(w.rng.Int64N(int64(d)))
}

// after has something happen later.
func (w *world) after(d time.Duration, do func()) {
	heap.Push(&w.events, event{at: w.now() + d, n: w.next(), do: do})
}

// run runs the world until it is done, or for so long.
func (w *world) run(limit time.Duration) {
	for !w.done && len(w.events) > 0 {
		e := heap.Pop(&w.events).(event) //nolint:forcetypeassert // of this heap
		if e.at > limit {
			w.fail("nothing is done after %s", limit)
			return
		}
		time.Sleep(e.at - w.now())
		w.settle()
		if w.done {
			return
		}
		e.do()
		w.settle()
	}
}

// settle lets all goroutines come to rest, and hears what they have to say: in an order that does not depend on which of them
// was faster.
func (w *world) settle() {
	for {
		synctest.Wait()
		w.mu.Lock()
		posted := w.posted
		w.posted = nil
		w.mu.Unlock()
		if len(posted) == 0 {
			return
		}
		slices.SortFunc(posted, func(a, b post) int { return int(a.n) - int(b.n) }) //nolint:gosec // small
		for _, p := range posted {
			p.do()
		}
	}
}

func (w *world) tail() string {
	var text string
	for _, line := range w.trace[max(0, len(w.trace)-120):] {
		text += line + "\n"
	}
	return text
}

// sidecar is one sidecar in its incarnations.
type sidecar struct {
	w      *world
	index  int
	folder string // "" without a disk
	m      *Manager
	life   *life
	paused bool
	held   []func() // what waits for the end of the pause
}

// life is one incarnation: what it does after its death has no effect.
type life struct {
	mu   sync.Mutex
	dead bool
	wait chan struct{} // closed when it is not paused, nil if it is not
}

var (
	errUnreachable = errors.New("connection refused")
	errTimeout     = errors.New("timed out")
)

func (c *sidecar) begin() {
	c.life = &life{}
	config := DefaultConfig()
	config.Folder, config.Parallel, config.Uploads = c.folder, 1, 16
	config.MaxPending, config.MaxChain = 2+int(c.w.seed%3), 2+int(c.w.seed%5)
	config.BootID = func() string { return "boot" }
	names, prefix := 0, fmt.Sprintf("s%di%d", c.index, c.w.next())
	var mu sync.Mutex
	config.NewID = func() string {
		mu.Lock()
		defer mu.Unlock()
		names++
		return fmt.Sprintf("%sn%d", prefix, names)
	}
	m, err := New(config, &simulatedStore{w: c.w, life: c.life}, slog.New(slog.DiscardHandler))
	if err != nil {
		c.w.t.Fatalf("seed %d: sidecar: %v", c.w.seed, err)
	}
	c.m = m
	c.w.settle()
}

// kill is kill -9: what is in files stays.
func (c *sidecar) kill(disk bool) {
	if c.m == nil {
		return
	}
	c.resume()
	c.life.mu.Lock()
	c.life.dead = true
	c.life.mu.Unlock()
	if c.folder != "" {
		// The old process goes on in a copy of the world that nobody looks at any more.
		next := c.w.newFolder()
		if disk {
			if err := os.CopyFS(next, os.DirFS(c.folder)); err != nil {
				c.w.t.Fatal(err)
			}
		}
		c.folder = next
	}
	old := c.m
	c.m = nil
	c.w.graves = append(c.w.graves, old)
	go old.Shutdown() //nolint:errcheck // it is dead
	c.w.settle()
}

func (w *world) newFolder() string {
	return filepath.Join(w.t.TempDir(), fmt.Sprint(w.next()))
}

func (c *sidecar) pause() {
	if c.m == nil || c.paused {
		return
	}
	c.paused = true
	c.life.mu.Lock()
	c.life.wait = make(chan struct{})
	c.life.mu.Unlock()
}

func (c *sidecar) resume() {
	if !c.paused {
		return
	}
	c.paused = false
	c.life.mu.Lock()
	close(c.life.wait)
	c.life.wait = nil
	c.life.mu.Unlock()
	held := c.held
	c.held = nil
	for _, do := range held {
		c.w.after(c.w.about(time.Millisecond), do)
	}
}

// call has a sidecar do something over the network, and hears the answer: or that there is none in time.
func (w *world) call(c *sidecar, timeout time.Duration, do func(ctx context.Context, m *Manager) (any, error), hear func(any, error)) {
	heard := false
	answer := func(result any, err error) {
		if !heard {
			heard = true
			hear(result, err)
		}
	}
	w.after(timeout+w.about(time.Millisecond), func() { answer(nil, errTimeout) })
	copies := 1
	if !w.calm && w.chance(w.lossy) {
		copies = 2
	}
	for i := range copies {
		if !w.calm && w.chance(w.lossy) {
			continue
		}
		delay := w.about(2 * time.Millisecond)
		if !w.calm && w.chance(5) || i > 0 {
			delay = w.about(3 * time.Second) // it comes late, perhaps after what was sent later
		}
		lost := !w.calm && w.chance(w.lossy)
		w.after(delay, func() { w.arrive(c, timeout, lost, do, answer) })
	}
}

func (w *world) arrive(c *sidecar, timeout time.Duration, lost bool, do func(ctx context.Context, m *Manager) (any, error), answer func(any, error)) {
	if c.paused {
		c.held = append(c.held, func() { w.arrive(c, timeout, lost, do, answer) })
		return
	}
	if c.m == nil {
		w.after(w.about(time.Millisecond), func() { answer(nil, errUnreachable) })
		return
	}
	m, life, n := c.m, c.life, w.next()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		result, err := do(ctx, m)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.posted = append(w.posted, post{n, func() {
			life.mu.Lock()
			dead := life.dead
			life.mu.Unlock()
			if dead || lost || ctxEnded(err) {
				return
			}
			w.after(w.about(2*time.Millisecond), func() { answer(result, err) })
		}})
	}()
	w.settle()
}

func ctxEnded(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// weather is how the snapshot store fares.
type weather struct {
	mu   sync.Mutex
	down bool
	slow time.Duration
	// tries counts the operations on a key, so that the fate of each depends on the seed alone.
	tries map[string]int
}

// simulatedStore is the store as one incarnation of a sidecar sees it.
type simulatedStore struct {
	w    *world
	life *life
}

var errStoreDown = &snapshot.Error{Op: "simulate", Where: "memory:", Kind: snapshot.ErrUnavailable, Retryable: true}

// fate decides what becomes of an operation.
func (s *simulatedStore) fate(ctx context.Context, op, key string) (unsure bool, err error) {
	weather := &s.w.weather
	weather.mu.Lock()
	name := op + key
	weather.tries[name]++
	h := fnv.New64a()
	fmt.Fprint(h, s.w.seed, name, weather.tries[name]) //nolint:errcheck // never fails
	dice := rand.New(rand.NewPCG(h.Sum64(), s.w.seed))
	delay := time.Duration(dice.Int64N(int64(20 * time.Millisecond)))
	if weather.slow > 0 {
		delay += time.Duration(dice.Int64N(int64(weather.slow)))
	}
	down := weather.down
	weather.mu.Unlock()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	s.life.mu.Lock()
	wait := s.life.wait
	s.life.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.life.dead || down {
		return false, errStoreDown
	}
	return dice.IntN(20) == 0, nil
}

func (s *simulatedStore) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	unsure, err := s.fate(ctx, "create", key)
	if err != nil {
		return snapshot.Object{}, err
	}
	o, err := s.w.objects.Create(context.Background(), key, body, size)
	if err == nil && unsure && !s.w.calm {
		return o, &snapshot.Error{Op: "create", Where: "memory:", Key: key, Kind: snapshot.ErrUnavailable, Retryable: true, Unsure: true}
	}
	return o, err
}

func (s *simulatedStore) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	if _, err := s.fate(ctx, "open", fmt.Sprint(key, part)); err != nil {
		return nil, snapshot.Object{}, err
	}
	return s.w.objects.Open(context.Background(), key, part)
}
