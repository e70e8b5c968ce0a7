package udf

import (
	"testing"
	"unsafe"
)

// A call of one argument of fixed width touches two lines of the cache in its Caller, and one of a row five.
func TestCallsTouchFewLines(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("lines are counted for 64 bits")
	}
	const line = 64
	var c Caller
	if end := unsafe.Offsetof(c.own) + unsafe.Sizeof(c.own); end > line {
		t.Errorf("what each call needs ends at byte %d", end)
	}
	if end := unsafe.Offsetof(c.fixed) + unsafe.Offsetof(c.fixed.args) + unsafe.Sizeof(c.fixed.args[0]); end > 2*line {
		t.Errorf("the first argument ends at byte %d", end)
	}
	begin, end := unsafe.Offsetof(c.scalar), unsafe.Offsetof(c.body)+unsafe.Offsetof(c.body.reset)+unsafe.Sizeof(c.body.reset)
	if (end-1)/line-begin/line+1 > 4 {
		t.Errorf("what a row needs beyond that is at bytes %d to %d", begin, end)
	}
}
