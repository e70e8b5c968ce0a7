package invoke

import (
	"fmt"
	"strings"
	"testing"
)

// A program that never closes what it opens is told so, and goes on when it does close.
func TestOpenFunctionsAreLimited(t *testing.T) {
	l := faultLibrary()
	var last int64
	for range maxOpen {
		last = open(t, l, "plus_one")
	}
	out := make([]byte, ErrorMax)
	m := record(t, out, l.Open(request("function", "plus_one"), out))
	if want := fmt.Sprint(maxOpen, " functions are open"); !strings.Contains(m["message"], want) {
		t.Errorf("message %q, want %q in it", m["message"], want)
	}
	if code := l.Close(last, out); code != 0 {
		t.Fatalf("close: %d", code)
	}
	if again := open(t, l, "plus_one"); again == last {
		t.Error("a closed handle's number was given away again")
	}
	if code := l.CallFixed(&FixedCall{Handle: last}); code != FixedStale {
		t.Errorf("a call of the closed handle answered %d", code)
	}
}
