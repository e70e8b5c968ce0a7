package invoke

import (
	"os"
	"runtime"
	"runtime/metrics"
)

// functionStats are the counts of one function since the process started.
type functionStats struct {
	Open   int64  `json:"open"` // handles that are open now
	Calls  uint64 `json:"calls"`
	Errors int64  `json:"errors"` // calls and messages refused, panics included
	Panics int64  `json:"panics"`
}

// runtimeStats are of this Go runtime, not of the process around it.
type runtimeStats struct {
	GOMAXPROCS int    `json:"gomaxprocs"`
	Goroutines uint64 `json:"goroutines"`
	HeapBytes  uint64 `json:"heap_bytes"`      // live objects, and dead ones not yet swept
	TotalBytes uint64 `json:"total_bytes"`     // mapped by this runtime
	Allocated  uint64 `json:"allocated_bytes"` // ever
	GCCycles   uint64 `json:"gc_cycles"`
	PID        int    `json:"pid"`
}

// Stats writes counters of the Go runtime and of each function as JSON. A call that runs is not counted yet.
func (l *Library) Stats(out []byte) (n int64) {
	defer guardText(&n)
	return putJSON(out, map[string]any{"runtime": readRuntime(), "functions": l.functionStats()})
}

func (l *Library) functionStats() map[string]functionStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[string]functionStats, len(l.counts))
	for name, c := range l.counts {
		all[name] = functionStats{Open: c.open.Load(), Calls: c.closedCalls.Load(), Errors: c.errors.Load(), Panics: c.panics.Load()}
	}
	for i := range l.handles {
		if h := l.handles[i].Load(); h != nil {
			s := all[h.function]
			s.Calls += h.calls()
			all[h.function] = s
		}
	}
	return all
}

func readRuntime() runtimeStats {
	samples := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	return runtimeStats{
		GOMAXPROCS: runtime.GOMAXPROCS(0), PID: os.Getpid(),
		Goroutines: value(0), HeapBytes: value(1), TotalBytes: value(2), GCCycles: value(3), Allocated: value(4),
	}
}
