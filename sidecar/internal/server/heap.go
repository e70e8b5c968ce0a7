package server

import (
	"os"
	"runtime"
)

// heapFloor makes garbage collections rare. The live heap of a sidecar is a few MB, so with Go's default a collection
// would come every few MB of garbage, many times a second under load, and take a tenth of the throughput. The block is
// never touched: it takes address space but no memory, and has the collector wait until about as much garbage is there.
// A GOGC or GOMEMLIMIT of the operator's own is left alone.
func (s *sidecar) heapFloor() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	floor := make([]byte, 32<<20)
	s.onDown(func() error {
		runtime.KeepAlive(floor)
		return nil
	})
}
