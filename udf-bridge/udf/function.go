package udf

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"
)

// Function is a registered function. It is immutable and safe for concurrent use as far as the user's code is.
type Function struct {
	desc    Description
	opening *opening // nil: nothing to open
	in, out *plan    // nil for RAW and JSON
	acc     *plan    // of an AGGREGATE

	inRow, outRow, accRow *rowPlanner
	fingerprint           [fingerprintSize]byte // of an AGGREGATE's accumulator

	// callJSON is the call of the sidecar. ctx carries what was opened. Nil for an AGGREGATE.
	callJSON func(ctx context.Context, event []byte) ([]byte, error)
	// newBody makes what one Caller works on: memory for the values of one call. Nil for RAW and JSON.
	newBody func() body
	// prepare does before the first call what that would do; nil: there is nothing. Not at registration: a library has
	// functions that a process never opens.
	prepare func()
	// bytes is the call of RAW and JSON.
	bytes func(ctx context.Context, dst, in []byte) ([]byte, error)
}

// body is the user's function with the memory of one call: arguments are decoded to in, the result is encoded from out.
type body struct {
	call       func(ctx context.Context, in, out unsafe.Pointer) error // in and out are these, or memory of the same type
	in, out    unsafe.Pointer
	inSize     uintptr                                 // bytes of in, of a SCALAR
	reset      func()                                  // forgets the result, so that it is not kept until the next call
	acc, other unsafe.Pointer                          // of an AGGREGATE
	ops        [numOps]func(ctx context.Context) error // of an AGGREGATE
	sink       *func()                                 // of a TABLE: what to do with a row that was emitted to out
}

// Describe returns the function's description; the caller must not change its slices.
func (f *Function) Describe() Description { return f.desc }

// CallJSON calls a function that has nothing to open: see [Instance.CallJSON]. One that has is an error.
func (f *Function) CallJSON(ctx context.Context, event []byte) ([]byte, error) {
	if f.opening != nil {
		return nil, fmt.Errorf("%s is not opened: call its Open, and the instance which that returns", f.desc.Name)
	}
	return (&Instance{fn: f}).CallJSON(ctx, event)
}

// decodeJSON reads the arguments. It returns true if one of them is NULL and the function is not to be called for that.
func (f *Function) decodeJSON(event []byte, v reflect.Value) (null bool, err error) {
	s := decodeState{nullOnNull: f.desc.NullOnNull}
	err = s.unmarshal(f.in, event, v)
	return s.null && err == nil, err
}

func nullResult(null bool, value string) []byte {
	if !null {
		return nil
	}
	return []byte(`{"value":` + value + `}`)
}
