package session

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

var (
	modelSeed      = flag.Uint64("model.seed", 0, "run one schedule of the model, and print what happens")
	modelFrom      = flag.Uint64("model.from", 1, "the first seed")
	modelSchedules = flag.Int("model.schedules", 0, "how many schedules, 0 is as many as fit into an ordinary test run")
)

// mutation is a fault that is built into the client, on purpose, to see whether the model finds it.
type mutation struct {
	noEpoch        bool // the state is frozen by the mark alone, not by requests that overtake it
	noID           bool // nothing is remembered
	idOfAttempt    bool // an element that is sent again after a restore has another id
	noInFlight     bool // a snapshot has no answers
	markIsAnswered bool // an element that was answered and waits to be emitted is not in the mark
	// newestWatermark: an element happens at the newest watermark, and not at that with which it came.
	newestWatermark bool
	flyingAnew      bool // an element that is sent again after a restore happens at the watermark of then
}

// TestModel runs the protocol through schedules of faults. A seed that fails is run again by -run TestModel -model.seed=N.
func TestModel(t *testing.T) {
	if *modelSeed != 0 {
		w := runModel(t, *modelSeed, mutation{})
		for _, line := range w.trace {
			t.Log(line)
		}
		return
	}
	schedules := *modelSchedules
	if schedules == 0 {
		schedules = 120
		if testing.Short() {
			schedules = 30
		}
	}
	for seed := *modelFrom; seed < *modelFrom+uint64(schedules); seed++ {
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { runModel(t, seed, mutation{}) }) {
			t.Fatalf("seed %d fails; run it again with -run 'TestModel$' -model.seed=%d", seed, seed)
		}
	}
}

// TestModelRepeats: a seed decides everything.
func TestModelRepeats(t *testing.T) {
	for _, seed := range []uint64{3, 14, 15} {
		first, second := runModel(t, seed, mutation{}), runModel(t, seed, mutation{})
		if !slices.Equal(first.trace, second.trace) || len(first.trace) == 0 {
			for i, line := range first.trace {
				if i >= len(second.trace) || second.trace[i] != line {
					t.Fatalf("seed %d: line %d is %q, and then another", seed, i, line)
				}
			}
			t.Fatalf("seed %d: the second time has more lines", seed)
		}
	}
}

func runModel(t *testing.T, seed uint64, broken mutation) *world {
	t.Helper()
	var w *world
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(t, seed, broken)
		w.job.start()
		w.run(3 * time.Hour)
		w.end()
	})
	return w
}

func newWorld(t *testing.T, seed uint64, broken mutation) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 6)), broken: broken, start: time.Now(), objects: memory.New(),
		weather: weather{tries: map[string]int{}},
	}
	w.lossy = w.rng.IntN(8)
	for i := range 1 + w.rng.IntN(3) {
		c := &sidecar{w: w, index: i}
		if w.chance(80) {
			c.folder = w.newFolder()
		}
		w.sidecars = append(w.sidecars, c)
		c.begin()
	}
	w.job = &job{w: w, ordered: w.chance(50), remembers: w.chance(50), capacity: 1 + w.rng.IntN(6), most: 1 + w.rng.IntN(3)}
	keys := 1 + w.rng.IntN(5)
	latest, watermark, every := int64(0), int64(math.MinInt64), 1+w.rng.IntN(5)
	for n := range 40 + w.rng.IntN(150) {
		key := fmt.Sprint("key ", w.rng.IntN(keys))
		e := element{n: n, key: key, keyGroup: statestore.KeyGroup(statestore.HashString(key), modelMaxParallelism), watermark: watermark, after: math.MinInt64}
		e.time = int64(1000 + 10*n + w.rng.IntN(100))
		latest = max(latest, e.time)
		if n%every == 0 {
			watermark = max(watermark, latest-20)
			e.after = watermark
		}
		w.job.elements = append(w.job.elements, e)
	}
	w.faults = w.rng.IntN(8)
	w.after(w.about(time.Second), w.fault)
	return w
}

// fault has something bad happen, and the next one later.
func (w *world) fault() {
	if w.faults == 0 {
		w.after(w.about(10*time.Second), func() {
			w.note("calm")
			w.calm = true
		})
		return
	}
	w.faults--
	w.after(w.about(2*time.Second), w.fault)
	c := w.sidecars[w.rng.IntN(len(w.sidecars))]
	switch w.rng.IntN(7) {
	case 0, 1:
		disk := w.chance(70)
		w.note("sidecar %d is killed, its disk stays: %v", c.index, disk)
		c.kill(disk)
		w.after(w.about(time.Second), func() {
			if c.m == nil {
				w.note("sidecar %d is back", c.index)
				c.begin()
			}
		})
	case 2:
		w.note("sidecar %d is stopped", c.index)
		c.pause()
		w.after(w.about(4*time.Second), func() {
			w.note("sidecar %d goes on", c.index)
			c.resume()
		})
	case 3:
		w.storm(true, 0)
	case 4:
		w.storm(false, 3*time.Second)
	case 5:
		w.job.failed(w.job.attempt, "a TaskManager is killed")
	case 6:
		if n := len(w.job.pending); n > 0 {
			w.job.abort(w.job.pending[w.rng.IntN(n)], "somebody wanted it")
		}
	}
}

func (w *world) storm(down bool, slow time.Duration) {
	w.note("the store is down %v, slow %s", down, slow)
	w.weather.mu.Lock()
	w.weather.down, w.weather.slow = down, slow
	w.weather.mu.Unlock()
	w.after(w.about(5*time.Second), func() {
		w.note("the store is well")
		w.weather.mu.Lock()
		w.weather.down, w.weather.slow = false, 0
		w.weather.mu.Unlock()
	})
}

// end compares what was committed with what had to be, and ends everything.
func (w *world) end() {
	for _, c := range w.sidecars {
		c.resume()
		if c.m != nil {
			w.graves = append(w.graves, c.m)
		}
	}
	for _, m := range w.graves {
		if err := m.Shutdown(); err != nil {
			w.t.Error(err)
		}
	}
	if len(w.found) > 0 {
		return
	}
	counts, total := map[string][]int{}, map[string]int{}
	windows := map[string][]int{}
	seen := map[int]bool{}
	for _, e := range w.job.elements {
		total[e.key]++
	}
	for _, o := range w.job.output {
		if o.seal == 0 || o.seal > w.job.committed {
			continue
		}
		if seen[o.element.n] {
			w.fail("element %d was committed twice", o.element.n)
		}
		seen[o.element.n] = true
		counts[o.element.key] = append(counts[o.element.key], o.count)
		window, last := o.element.window()
		if o.inWindow > 0 {
			windows[window] = append(windows[window], o.inWindow)
		}
		// After a restore the watermark may begin anew, and what was too late not be so any more; never the other way round.
		late := last <= o.element.watermark
		if !late && o.inWindow == 0 || late && o.inWindow > 0 && w.job.remembers {
			w.fail("element %d has number %d in its window, which ends at %d; the watermark before it is %d", o.element.n, o.inWindow, last, o.element.watermark)
		}
	}
	for window, got := range windows {
		slices.Sort(got)
		for i, n := range got {
			if n != i+1 {
				w.fail("the counts of %s are %v", window, got)
				break
			}
		}
	}
	for key, n := range total {
		got := counts[key]
		slices.Sort(got)
		for i := range n {
			if i >= len(got) || got[i] != i+1 {
				w.fail("the counts of %s are %v, not 1 to %d", key, got, n)
				break
			}
		}
	}
}

// TestModelFindsFaults: each fault that is built in on purpose is found within some schedules.
func TestModelFindsFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as several runs of the model")
	}
	for name, broken := range map[string]mutation{
		"requests without an epoch":              {noEpoch: true},
		"requests without an id":                 {noID: true},
		"another id after a restore":             {idOfAttempt: true},
		"marks without what is in flight":        {noInFlight: true},
		"marks without what waits to be emitted": {markIsAnswered: true},
		"the newest watermark":                   {newestWatermark: true},
		"another watermark after a restore":      {flyingAnew: true},
	} {
		t.Run(name, func(t *testing.T) {
			const schedules = 240
			for seed := range uint64(schedules) {
				if w := runModel(t, seed+1, broken); len(w.found) > 0 {
					t.Logf("seed %d: %s", seed+1, w.found[0])
					return
				}
			}
			t.Errorf("not found in %d schedules", schedules)
		})
	}
}
