package udf

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Op is what a call of [Caller.Call] does.
type Op int32

// The operations. A SCALAR, TABLE, RAW or JSON function has OpEval, an AGGREGATE the others.
const (
	OpEval Op = iota
	OpAccumulate
	OpRetract
	OpMerge
	OpResult
	numOps = iota
)

// Caller calls an opened function with the row codec, as the TaskManager does. It holds the memory of one call and is
// not safe for concurrent use; an instance may have many. Its fields are in the order in which a call comes to them: first
// those of each call, which are few lines of the cache, at the end those that most calls leave alone.
type Caller struct {
	instance *Instance
	broken   *atomic.Pointer[error] // the instance's
	ctx      *callContext
	own      callContext // the first ctx
	fixed    fixedPlan

	scalar  bool // eval is rows
	row     int
	in, out *rowPlanner
	source  source
	sink    sink
	body    body

	fn          *Function
	eval        func(in, dst []byte) ([]byte, error) // nil for an AGGREGATE
	acc         *rowPlanner
	fingerprint [fingerprintSize]byte
	stopped     error // why a table function was ended
	emits       int   // rows that it emitted
}

// Caller returns a new caller of the function. It needs no closing.
func (i *Instance) Caller() *Caller {
	c := new(Caller)
	c.Init(i)
	return c
}

// Init makes c, which is zero, a caller of an instance's function. It may be part of something larger, so that what a call
// touches is close together.
func (c *Caller) Init(i *Instance) {
	c.instance, c.broken, c.fn, c.ctx = i, &i.broken, i.fn, &c.own
	c.own.parent, c.own.instance, c.own.timeout = context.Background(), i, i.timeout
	c.eval = c.evalOf(i.fn.desc.Kind)
	if i.fn.newBody == nil {
		return
	}
	c.body, c.scalar = i.fn.newBody(), i.fn.desc.Kind == KindScalar
	if c.body.sink != nil {
		*c.body.sink = c.emitted
	}
	c.in, c.out, c.acc, c.fingerprint = i.fn.inRow, i.fn.outRow, i.fn.accRow, i.fn.fingerprint
	if d := &i.fn.desc; d.Fixed() {
		c.fixed = newFixedPlan(d, c.in.columns, &c.out.columns[0], &c.body)
	}
}

// Row is the index of the row that the last call was at, from 0: the one whose error it returned, or at which it
// panicked.
func (c *Caller) Row() int { return c.row }

// begin makes the context of a call. That of the last one is used again if nobody asked it for anything.
func (c *Caller) begin(ctx context.Context) {
	if c.ctx.asked.Load() != nil || !sameContext(c.ctx.parent, ctx) {
		c.ctx = &callContext{parent: ctx, instance: c.instance, timeout: c.instance.timeout}
	}
}

// end waits for the goroutines of a call whose context was asked.
func (c *Caller) end(err error) error { return c.ctx.asked.Load().finish(err) }

// Abandon tells the goroutines of a call that panicked to stop; it does not wait for them. It lets go of the memory that
// the call was to write to. After any other call it does nothing. A defer of Call's own would cost each call as much as a small function takes.
func (c *Caller) Abandon() {
	c.sink.Buf = nil
	if asked := c.ctx.asked.Load(); asked != nil {
		asked.end(errCallEnded) // again, if the call has returned
	}
}

// sameContext compares without the panic of ==, which contexts of uncomparable types would cause.
func sameContext(a, b context.Context) bool {
	x, y := (*[2]unsafe.Pointer)(unsafe.Pointer(&a)), (*[2]unsafe.Pointer)(unsafe.Pointer(&b))
	return x[0] == y[0] && x[1] == y[1]
}

// Call does one operation. What in and the result hold depends on it:
//
//   - OpEval of SCALAR: a message of rows of arguments; as many rows of results.
//   - OpEval of TABLE: a message of rows of arguments; all rows that were emitted.
//   - OpEval of RAW and JSON: the bytes themselves.
//   - OpAccumulate, OpRetract: u32 length of the accumulator, accumulator, a message of one row; the new accumulator.
//   - OpMerge: u32 count, count times u32 length and accumulator; the sum.
//   - OpResult: the accumulator; a message of one row.
//
// An empty accumulator has seen no rows. The result is appended to dst[:0]; if it does not fit, it is new memory, and
// dst is to be ignored. Nothing of in is kept. The error is an [*InputError] if in does not fit the function, a
// [*ResultError] if the result is no value of its SQL type, or the function's own. A panic passes through: whoever
// recovers from it calls [Caller.Abandon], and the Caller can still be used.
func (c *Caller) Call(ctx context.Context, op Op, in, dst []byte) ([]byte, error) {
	c.row = 0
	if c.broken.Load() != nil {
		return nil, c.instance.err()
	}
	c.begin(ctx)
	result, err := c.run(op, in, dst[:0])
	c.sink.Buf = nil // an emit that comes too late must not find it: the caller may have freed it
	if c.ctx.asked.Load() != nil {
		err = c.end(err)
	}
	if err != nil {
		return nil, err
	}
	if limit := c.instance.maxResult; limit > 0 && int64(len(result)) > limit {
		return nil, &ResultError{Message: tooLarge(limit)}
	}
	return result, nil
}

func tooLarge(limit int64) string {
	return fmt.Sprintf("is larger than %d bytes; return less, or raise drey.udf.max-result-bytes", limit)
}

// evalOf is OpEval of a function of that kind; nil if it has none.
func (c *Caller) evalOf(kind Kind) func(in, dst []byte) ([]byte, error) {
	switch {
	case kind == KindAggregate:
		return nil
	case c.fn.bytes != nil:
		return func(in, dst []byte) ([]byte, error) { return c.fn.bytes(c.ctx, dst, in) }
	case kind == KindTable:
		return c.tables
	default:
		return c.rows
	}
}

// run does the operation. A message of one row, as all of SQL's are, takes the short way.
func (c *Caller) run(op Op, in, dst []byte) ([]byte, error) {
	if op == OpEval && c.scalar {
		if row, ok := c.onlyRow(in); ok {
			return c.oneRow(row, dst)
		}
	}
	switch {
	case op == OpEval && c.eval != nil:
		return c.eval(in, dst)
	case op <= OpEval || op >= numOps || c.eval != nil:
		return nil, fmt.Errorf("operation %d is none of a function of kind %s", op, c.fn.desc.Kind)
	case c.body.ops[op] == nil:
		return nil, fmt.Errorf("%s has no %s: give its udf.Aggregation one", c.fn.desc.Name, opNames[op])
	default:
		return c.aggregate(op, in, dst)
	}
}

var opNames = [numOps]string{"Eval", "Accumulate", "Retract", "Merge", "Result"}
