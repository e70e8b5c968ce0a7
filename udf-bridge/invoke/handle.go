package invoke

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// The bits of a handle's state; above them the calls are counted. One word, so that a call costs two atomic operations.
const (
	stateRunning = 1 << iota
	stateClosed
	stateCall // one call
)

// handle is an opened function. Parked and failed belong to the thread that has set stateRunning. What each call needs is
// in the first line of the cache and, of the caller, in the next ones.
type handle struct {
	id    int64
	state atomic.Uint64

	fixed  bool
	json   bool // it is called with JSON, whatever its kind
	rows   bool // it is called with messages of rows
	parked []byte
	failed *failure
	counts *functionCounts

	caller   udf.Caller
	instance *udf.Instance
	function string
}

// enter takes the handle for this thread. Code is 0, Busy or Stale.
func (h *handle) enter() int64 {
	s := h.state.Load()
	if s&(stateRunning|stateClosed) == 0 && h.state.CompareAndSwap(s, s|stateRunning) {
		return 0
	}
	if h.state.Load()&stateClosed != 0 {
		return Stale
	}
	return Busy
}

// leave gives the handle back, counting calls.
func (h *handle) leave(calls uint64) {
	h.state.Store(h.state.Load()&^stateRunning + calls*stateCall)
}

func (h *handle) calls() uint64 { return h.state.Load() / stateCall }

// call runs the function and returns its result, in dst or in Go's memory. ok is false if it failed: see h.failed.
func (h *handle) call(op udf.Op, in, dst []byte) (result []byte, ok bool) {
	returned := false
	defer func() {
		if !returned {
			h.panicked(recover())
			h.caller.Abandon()
			h.failedAt(in)
		}
	}()
	debug.SetPanicOnFault(true)
	var err error
	if h.json {
		result, err = h.instance.CallJSON(context.Background(), in)
	} else {
		result, err = h.caller.Call(context.Background(), op, in, dst[:0])
	}
	returned = true
	if err != nil {
		h.fail(failureOf(h.function, err))
		h.failedAt(in)
		return nil, false
	}
	return result, true
}

// callFixed runs the function on the arguments of a call and sets its result.
func (h *handle) callFixed(call *FixedCall) (ok bool) {
	returned := false
	defer func() {
		if !returned {
			h.panicked(recover())
			h.caller.Abandon()
		}
	}()
	debug.SetPanicOnFault(true)
	err := h.caller.Fixed(context.Background(), &call.FixedCall)
	returned = true
	if err != nil {
		h.fail(failureOf(h.function, err))
		return false
	}
	return true
}

// panicked is called while the stack of the panic is still there.
func (h *handle) panicked(value any) {
	if value == nil {
		// Nothing can hold this up, and the runtime's own words for it would not name the function.
		panic(fmt.Sprintf("function %s called runtime.Goexit, which ends the process here; return an error instead", h.function))
	}
	h.counts.panics.Add(1)
	h.fail(panicFailure(h.function, value, callers()))
}

// failedAt adds the row to the failure, if in is a batch.
func (h *handle) failedAt(in []byte) {
	const rows = 4 // where a message of the row codec has their number
	if h.rows && len(in) >= rows+4 && binary.LittleEndian.Uint32(in[rows:]) > 1 {
		h.failed.row = h.caller.Row()
	}
}

func (h *handle) fail(f *failure) {
	h.counts.errors.Add(1)
	h.failed = f
}
