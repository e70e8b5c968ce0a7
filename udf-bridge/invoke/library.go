package invoke

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// The version of the C interface that Library implements (drey.h).
const (
	ABIMajor = 1
	ABIMinor = 0
)

// Answers of a call that have no error record, and of one that has.
const (
	Failed = -1                // see Library.Error
	Busy   = math.MinInt64     // the handle is in use by another thread
	Stale  = math.MinInt64 + 1 // the handle was closed, or never opened
)

// FixedCall is one call of fixed width, as C has it (drey_fixed).
type FixedCall struct {
	Handle int64
	udf.FixedCall
}

// What CallFixed answers.
const (
	FixedOK     = 0
	FixedFailed = 1
	FixedBusy   = 2
	FixedStale  = 3
)

// minOut is the smallest buffer for a result: so the size of a parked one is never mistaken for Failed.
const minOut = 8

// Library is the functions of a program behind the C interface of drey.h, without C: memory is slices, which belong to
// the caller and are not used after a method has returned. No method panics. It is safe for concurrent use, a handle is
// used by one thread at a time. The zero value has no functions.
type Library struct {
	registers []func(*udf.Registry)

	start    sync.Once
	registry *udf.Registry
	startErr error

	init      sync.Mutex
	effective []byte // the settings in force, of the first Init that succeeded; guarded by init

	mu     sync.Mutex // for changes of what follows
	opened uint32     // handles ever opened
	counts map[string]*functionCounts

	// By index, nil where closed. An array and not a slice: a call finds its handle with one load.
	handles [maxOpen]atomic.Pointer[handle]
}

// maxOpen is how many functions may be open in a process: far more than a TaskManager has subtasks.
const maxOpen = 1 << 13

// functionCounts are the counts of one function over all its handles.
type functionCounts struct {
	open           atomic.Int64
	closedCalls    atomic.Uint64 // of handles that are closed
	errors, panics atomic.Int64
}

// Register adds functions that fill the registry at the first Init or Open: not before, so that a panic in one of them
// is an error record and not the end of the process that loads the library. Call it from a Go init function only.
func (l *Library) Register(registers ...func(*udf.Registry)) {
	l.registers = append(l.registers, registers...)
}

// functions is the filled registry.
func (l *Library) functions() (*udf.Registry, error) {
	l.start.Do(func() {
		l.registry = udf.NewRegistry()
		l.startErr = errors.New("the registration of the functions ended with runtime.Goexit")
		defer func() {
			if value := recover(); value != nil {
				l.startErr = fmt.Errorf("the registration of the functions panicked: %v\n%s", value, debug.Stack())
			}
		}()
		debug.SetPanicOnFault(true)
		for _, register := range l.registers {
			register(l.registry)
		}
		l.startErr = l.registry.Err()
	})
	return l.registry, l.startErr
}

// Init starts the library with a string map of settings and answers the ones in force; the first call that succeeds sets
// them. One that failed sets nothing: the next job of the process may have better settings.
func (l *Library) Init(in, out []byte) (n int64) {
	defer guardRecord(out, &n)
	settings, err := parseStringMap(in)
	if err != nil {
		return putRecord(out, internalFailure("", "settings: %v", err))
	}
	if _, err := l.functions(); err != nil {
		return putRecord(out, internalFailure("", "%v", err))
	}
	l.init.Lock()
	defer l.init.Unlock()
	if l.effective == nil {
		effective, err := startProcess(settings)
		if err != nil {
			return putRecord(out, internalFailure("", "%v", err))
		}
		l.effective = appendStringMap(nil, effective)
	}
	if len(l.effective) > len(out) {
		return putRecord(out, internalFailure("", "the buffer for the settings has %d bytes, %d are needed", len(out), len(l.effective)))
	}
	return int64(copy(out, l.effective))
}

// add gives the handle its number: the generation above, the index below, so that a closed one is never mistaken for
// one that has taken its place. It is 0 if there is no place left.
func (l *Library) add(h *handle) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	index := 0
	for l.handles[index].Load() != nil {
		if index++; index == maxOpen {
			return 0
		}
	}
	if l.counts == nil {
		l.counts = map[string]*functionCounts{}
	}
	if l.counts[h.function] == nil {
		l.counts[h.function] = &functionCounts{}
	}
	h.counts = l.counts[h.function]
	h.counts.open.Add(1)
	l.opened++
	h.id = int64(l.opened&math.MaxInt32)<<32 | int64(index)
	l.handles[index].Store(h)
	return h.id
}

func (l *Library) handle(id int64) *handle {
	index := uint32(id)
	if index >= maxOpen {
		return nil
	}
	if h := l.handles[index].Load(); h != nil && h.id == id {
		return h
	}
	return nil
}

// Call calls the function of a handle: see drey_call.
func (l *Library) Call(id int64, op int32, in, out []byte) int64 {
	h := l.handle(id)
	if h == nil {
		return Stale
	}
	if code := h.enter(); code != 0 {
		return code
	}
	n := h.callInto(udf.Op(op), in, out)
	h.leave(1)
	return n
}

func (h *handle) callInto(op udf.Op, in, out []byte) int64 {
	h.parked, h.failed = nil, nil
	if len(out) < minOut {
		h.fail(internalFailure(h.function, "the buffer for the result has %d bytes, at least %d are needed", len(out), minOut))
		return Failed
	}
	result, ok := h.call(op, in, out)
	switch {
	case !ok:
		return Failed
	case len(result) > len(out):
		h.parked = result
		return -int64(len(result))
	case len(result) > 0 && unsafe.SliceData(result) != unsafe.SliceData(out):
		return int64(copy(out, result)) // it outgrew the buffer meanwhile
	default:
		return int64(len(result))
	}
}

// Fetch copies the parked result from offset on, and forgets it when its end was copied.
func (l *Library) Fetch(id, offset int64, out []byte) int64 {
	h := l.handle(id)
	if h == nil {
		return Stale
	}
	if code := h.enter(); code != 0 {
		return code
	}
	defer h.leave(0)
	if h.parked == nil || offset < 0 || offset > int64(len(h.parked)) {
		return Failed
	}
	n := int64(copy(out, h.parked[offset:]))
	if offset+n == int64(len(h.parked)) {
		h.parked = nil
	}
	return n
}

// Error writes the error record of the last call of the handle if that failed. It is 0 if there is none.
func (l *Library) Error(id int64, out []byte) int64 {
	h := l.handle(id)
	if h == nil || h.enter() != 0 {
		return 0
	}
	defer h.leave(0)
	if h.failed == nil {
		return 0
	}
	return -putRecord(out, h.failed)
}

// CallFixed calls a function of fixed arguments and result: see drey_call_fixed. It allocates nothing.
func (l *Library) CallFixed(call *FixedCall) int32 {
	h := l.handle(call.Handle)
	if h == nil {
		return FixedStale
	}
	switch h.enter() {
	case Busy:
		return FixedBusy
	case Stale:
		return FixedStale
	}
	ok := h.fixed
	if ok {
		ok = h.callFixed(call)
	} else {
		h.fail(internalFailure(h.function, "its arguments or its result are not of fixed width; call it with a message"))
	}
	h.leave(1)
	if !ok {
		return FixedFailed
	}
	return FixedOK
}

// Close closes a handle and what its function opened: see drey_close.
func (l *Library) Close(id int64, out []byte) (n int64) {
	defer guardRecord(out, &n)
	h := l.handle(id)
	if h == nil {
		return Stale
	}
	if code := h.enter(); code != 0 {
		return code
	}
	h.state.Or(stateClosed)
	l.remove(h)
	h.leave(0)
	debug.SetPanicOnFault(true)
	if err := h.instance.Close(); err != nil {
		return putRecord(out, failureOf(h.function, err))
	}
	return 0
}

func (l *Library) remove(h *handle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handles[uint32(h.id)].Store(nil)
	h.counts.open.Add(-1)
	h.counts.closedCalls.Add(h.calls())
}

// Describe writes the functions' descriptions as JSON.
func (l *Library) Describe(out []byte) (n int64) {
	defer guardText(&n)
	registry, err := l.functions()
	if err != nil {
		return Failed
	}
	all := []udf.Description{}
	for _, f := range registry.Functions() {
		all = append(all, f.Describe())
	}
	return putJSON(out, map[string]any{"functions": all})
}

func putJSON(out []byte, v any) int64 {
	text, err := json.Marshal(v)
	if err != nil {
		return Failed
	}
	if len(text) > len(out) {
		return -int64(len(text))
	}
	return int64(copy(out, text))
}

// putRecord writes an error record and returns -(its bytes). A buffer of ErrorMax takes each.
func putRecord(out []byte, f *failure) int64 {
	record := f.append(nil)
	if len(record) > len(out) {
		record = (&failure{kind: f.kind, message: clip(f.message, max(len(out)-64, 0)), row: -1}).append(nil)
	}
	return -int64(copy(out, record))
}

// guardRecord keeps a mistake of ours, or a panic of a user's method that fmt does not catch, out of C.
func guardRecord(out []byte, n *int64) {
	if value := recover(); value != nil {
		*n = putRecord(out, internalFailure("", "panic in the library: %v\n%s", value, debug.Stack()))
	}
}

func guardText(n *int64) {
	if recover() != nil {
		*n = Failed
	}
}
