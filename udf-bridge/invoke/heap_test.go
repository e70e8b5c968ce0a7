package invoke

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestHeapFloor(t *testing.T) {
	t.Setenv("GOGC", "100")
	raiseHeapFloor(false)
	if next := nextCollection(); next > heapFloor {
		t.Errorf("with an operator's GOGC the next collection is at %d bytes", next)
	}
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	raiseHeapFloor(true)
	if next := nextCollection(); next > heapFloor {
		t.Errorf("with a setting of the job's the next collection is at %d bytes", next)
	}
	raiseHeapFloor(false)
	if next := nextCollection(); next < 2*heapFloor {
		t.Errorf("the next collection is at %d bytes, want at least %d of garbage", next, heapFloor)
	}
}

// The block must not be cleared: not even where memory was used before, given back to the system, and is used again.
func TestHeapFloorTakesNoMemory(t *testing.T) {
	used := make([]byte, 4*heapFloor)
	for i := 0; i < len(used); i += os.Getpagesize() {
		used[i] = 1
	}
	used = nil
	debug.FreeOSMemory()
	before := resident(t)
	blocks := []any{newFloor(), newFloor(), newFloor()}
	if more := resident(t) - before; more > heapFloor/4 {
		t.Errorf("%d blocks of %d bytes take %d of memory", len(blocks), heapFloor, more)
	}
	runtime.KeepAlive(blocks)
}

// resident is how much memory this process has, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err) // not Linux
	}
	var size, pages int
	if _, err := fmt.Sscan(string(status), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func nextCollection() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NextGC
}
