package session

import (
	"io"
	"time"
)

// gentle is a Writer that rests twice as long as whoever writes to it has worked: what is not urgent takes a third of a core at
// most, and leaves the rest to requests. Without it they wait for their turn of a processor while everything is written.
type gentle struct {
	w     io.Writer
	since time.Time // when the work began that is not rested from
}

const (
	// gentleTurn is how long it works at least before it rests: much longer than the timers of a runtime are late.
	gentleTurn = time.Millisecond
	// gentleRest is how long it rests at most: what took so long was not work but a disk that was busy.
	gentleRest = 20 * time.Millisecond
)

func newGentle(w io.Writer) *gentle { return &gentle{w: w, since: time.Now()} }

func (g *gentle) Write(b []byte) (int, error) {
	n, err := g.w.Write(b)
	if worked := time.Since(g.since); worked >= gentleTurn {
		time.Sleep(min(2*worked, gentleRest))
		g.since = time.Now()
	}
	return n, err
}
