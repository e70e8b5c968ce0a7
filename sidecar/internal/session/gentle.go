package session

import (
	"io"
	"time"
)

// gentle is a Writer that rests for as long as whoever writes to it has worked: what is not urgent takes half of a core at
// most, and leaves the rest to requests. Without it a snapshot of everything costs each request about its turn of the processor.
type gentle struct {
	w     io.Writer
	since time.Time // when the work began that is not rested from
}

const (
	// gentleTurn is how long it works at least before it rests: much longer than the timers of a runtime are late.
	gentleTurn = time.Millisecond
	// gentleRest is how long it rests at most: what took longer was not work but a disk that was busy.
	gentleRest = 10 * time.Millisecond
)

func newGentle(w io.Writer) *gentle { return &gentle{w: w, since: time.Now()} }

func (g *gentle) Write(b []byte) (int, error) {
	n, err := g.w.Write(b)
	if worked := time.Since(g.since); worked >= gentleTurn {
		time.Sleep(min(worked, gentleRest))
		g.since = time.Now()
	}
	return n, err
}
