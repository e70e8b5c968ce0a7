package invoke

import (
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync"
)

// heapFloor is how much garbage gathers at least before it is collected.
const heapFloor = 32 << 20

// newFloor is a block that is never touched: it takes address space but no memory. The memory of a strings.Builder is not
// cleared. That of make is, for 20 ms, if Go puts it where memory was used before.
func newFloor() *strings.Builder {
	b := new(strings.Builder)
	b.Grow(heapFloor)
	return b
}

var floor = sync.OnceValue(newFloor)

// raiseHeapFloor makes garbage collections rare. What functions keep alive is mostly nothing, so with Go's default a
// collection would come every 4 MB of garbage, fifty times a second at a million rows a second, and take a fifth of the
// throughput. The collector takes the block for live heap and waits until about as much garbage is there. An operator's own
// GOGC or GOMEMLIMIT is left alone, and so is a limit that the block would be a large part of.
func raiseHeapFloor(chosen bool) {
	if chosen || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 && limit < 8*heapFloor {
		return
	}
	floor()
}
