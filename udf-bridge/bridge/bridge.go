// Package bridge is the C interface of a Go library with functions for Flink: the exports that drey.h describes. It is the
// only package with cgo, and nothing is decided here: each export turns C's memory into slices and calls package invoke.
// Who owns which memory, and which thread may do what, stands in OWNERSHIP.md.
//
// A library is a main package that go-udf-builder writes, built with -buildmode=c-shared:
//
//	func init() { bridge.Register(fraud.Register, geo.Register) }
//
//	func main() {}
package bridge

// #cgo CFLAGS: -O2 -Wall -Wextra
// #define DREY_FROM_GO
// #include "drey.h"
import "C"

import (
	"unsafe"

	"github.com/drey-flink/drey/udf-bridge/invoke"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// library is what C sees: there is one in a process, as there is one Go runtime.
var library invoke.Library

// Register adds the functions of the library. Call it from an init function: the functions run when Java starts the
// library.
func Register(registers ...func(*udf.Registry)) { library.Register(registers...) }

// memory is n bytes of C's, without a copy.
func memory(p unsafe.Pointer, n C.int64_t) []byte {
	if p == nil || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

//export drey_init
func drey_init(in unsafe.Pointer, n C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Init(memory(in, n), memory(out, capacity)))
}

//export drey_open
func drey_open(in unsafe.Pointer, n C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Open(memory(in, n), memory(out, capacity)))
}

//export drey_call
func drey_call(handle C.int64_t, op C.int32_t, in unsafe.Pointer, n C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Call(int64(handle), int32(op), memory(in, n), memory(out, capacity)))
}

//export drey_fetch
func drey_fetch(handle, offset C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Fetch(int64(handle), int64(offset), memory(out, capacity)))
}

//export drey_error
func drey_error(handle C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Error(int64(handle), memory(out, capacity)))
}

//export drey_call_fixed
func drey_call_fixed(call *C.drey_fixed) C.int32_t {
	return C.int32_t(library.CallFixed((*invoke.FixedCall)(unsafe.Pointer(call))))
}

//export drey_close
func drey_close(handle C.int64_t, out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Close(int64(handle), memory(out, capacity)))
}

//export drey_describe
func drey_describe(out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Describe(memory(out, capacity)))
}

//export drey_stats
func drey_stats(out unsafe.Pointer, capacity C.int64_t) C.int64_t {
	return C.int64_t(library.Stats(memory(out, capacity)))
}
