package udf

import (
	"testing"
	"unsafe"
)

// A call of one argument of fixed width touches one line of the cache in its Caller, and one of a row four.
func TestCallsTouchFewLines(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("lines are counted for 64 bits")
	}
	const line = 64
	var c Caller
	if end := unsafe.Offsetof(c.fixed) + unsafe.Offsetof(c.fixed.args) + unsafe.Sizeof(c.fixed.args[0]); end > line {
		t.Errorf("the first argument ends at byte %d", end)
	}
	if end := unsafe.Offsetof(c.body) + unsafe.Offsetof(c.body.reset) + unsafe.Sizeof(c.body.reset); end > 4*line {
		t.Errorf("what a row needs ends at byte %d", end)
	}
}
