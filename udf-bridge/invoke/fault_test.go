package invoke

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// TestWildPointerOutsideOfACall: each in a goroutine, as a thread of the JVM is, that has not been in Go before.
func TestWildPointerOutsideOfACall(t *testing.T) {
	l := faultLibrary()
	id := open(t, l, "wild_pointer_in_close")
	closed := make(chan map[string]string)
	go func() {
		out := make([]byte, ErrorMax)
		closed <- record(t, out, l.Close(id, out))
	}()
	if r := <-closed; r["kind"] != kindPanic || !strings.Contains(r["message"], "(address 0xdead0010)") {
		t.Errorf("close: %v", r)
	}
	wild := &Library{}
	wild.Register(func(*udf.Registry) {
		address := uintptr(0xdead0000)
		panic(**(**string)(unsafe.Pointer(&address)))
	})
	go func() {
		out := make([]byte, ErrorMax)
		closed <- record(t, out, wild.Init(request(), out))
	}()
	if r := <-closed; r["kind"] != kindInternal || !strings.Contains(r["message"], "registration of the functions panicked") {
		t.Errorf("registration: %v", r)
	}
}
