// The faults as a library for the JVM: what go-udf-builder would write for them, had it not refused some.
//
//	go build -buildmode=c-shared -o libgo_udf.so ./udf-bridge/internal/subject/faults/library
package main

import (
	"context"
	"unsafe"

	"github.com/drey-flink/drey/udf-bridge/bridge"
	"github.com/drey-flink/drey/udf-bridge/internal/subject/faults"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// variant makes another build, with another hash, of the same source: -ldflags "-X main.variant=2".
var variant = "1"

func init() {
	bridge.Register(faults.Register, func(r *udf.Registry) {
		udf.Scalar(r, "variant", func(context.Context, int64) (string, error) { return variant, nil })
		switch variant {
		case "broken":
			panic("told to break")
		case "wild":
			address := uintptr(0xdead0000) // what is nowhere
			panic(**(**string)(unsafe.Pointer(&address)))
		}
	})
}

func main() {}
