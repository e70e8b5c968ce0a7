package invoke

import (
	"runtime"
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

func nextCollection() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NextGC
}
