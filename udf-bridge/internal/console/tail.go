package console

import (
	"io"
	"sync"
)

// maxTail is how much of what a JVM wrote is kept.
const maxTail = 16 << 10

// tail keeps the end of what is written to it.
type tail struct {
	also io.Writer // may be nil

	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	t.end = append(t.end, b...)
	if excess := len(t.end) - maxTail; excess > 0 {
		t.end = append(t.end[:0], t.end[excess:]...)
	}
	t.mu.Unlock()
	if t.also != nil {
		return t.also.Write(b)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.end)
}
