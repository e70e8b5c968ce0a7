package httpapi

import (
	"net/http"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

const (
	// heartbeat is how often a stream says something, so that both sides notice when the other one is gone.
	heartbeat = 15 * time.Second
	// slowReader is how long a reader may take nothing before its stream is cut. It comes back and goes on where it was: what
	// there is to say waits on disk and not in memory.
	slowReader = 10 * time.Second
	// maxStreams bounds what forgotten readers can hold.
	maxStreams = 100
)

// reader is one who is sent events as they come (Server-Sent Events, https://html.spec.whatwg.org/multipage/server-sent-events.html).
type reader struct {
	*exchange
	out *http.ResponseController
}

// admitReader counts one, until leave, if there is room.
func (a *API) admitReader() (leave func(), err error) {
	if a.streams.Add(1) > maxStreams {
		a.streams.Add(-1)
		return nil, problem.New(problem.Overloaded, "%d readers of events are connected already", maxStreams)
	}
	return func() { a.streams.Add(-1) }, nil
}

func newReader(x *exchange) reader {
	return reader{exchange: x, out: http.NewResponseController(x.ResponseWriter)}
}

// begin is the head of the answer.
func (r *reader) begin() {
	// The time-outs of the listener are for requests that end. An error: a connection that has none.
	_ = r.out.SetReadDeadline(time.Time{})
	h := r.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	r.WriteHeader(http.StatusOK)
}

// send says whether the reader has taken it.
func (r *reader) send(text []byte) bool {
	_ = r.out.SetWriteDeadline(time.Now().Add(slowReader)) // an error: a connection that has none
	if _, err := r.Write(text); err != nil {
		return false
	}
	return r.out.Flush() == nil
}
