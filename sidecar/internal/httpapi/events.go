package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

const eventPage = 256

// eventQuery says which events a reader wants.
type eventQuery struct {
	after uint64
	given bool // else: only those to come
	job   string
}

func readEventQuery(r *http.Request) (eventQuery, error) {
	var q eventQuery
	// A browser that comes back sends the header, and the address that it came with at first.
	name, text := "Last-Event-ID", r.Header.Get("Last-Event-ID")
	if text == "" {
		name, text = "after", r.URL.Query().Get("after")
	}
	if text != "" {
		var err error
		if q.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, problem.New(problem.InvalidRequest, "%s is %q, must be the number of an event", name, clip(text))
		}
		q.given = true
	}
	if job := r.URL.Query().Get("job"); job != "" {
		var err error
		if q.job, err = checkpoint.NormalizeJob(job); err != nil {
			return q, problem.New(problem.InvalidRequest, "job: %v", err)
		}
	}
	return q, nil
}

// streamEvents sends events as they come: id is the number of the event, event its kind, data the event as JSON.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	query, err := readEventQuery(r)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	if a.draining.Load() {
		a.fail(x, problem.New(problem.Draining, "ask again, another sidecar may answer"), "")
		return
	}
	leave, err := a.admitReader()
	if err != nil {
		a.fail(x, err, "")
		return
	}
	defer leave()
	s := stream{reader: newReader(x), watch: a.Watch, job: query.job, after: query.after}
	lost, err := s.place(query.given)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	s.begin()
	if r.Method == http.MethodHead || !s.send(lost) {
		return
	}
	if err := s.follow(r.Context(), a.drained); err != nil {
		x.call.Err = problem.From(err) // for the log: the answer has begun
	}
}

// stream is what a reader of events gets.
type stream struct {
	reader
	watch Watch
	job   string
	after uint64 // the number of the last event that the reader has, or does not want
	text  []byte
}

// place finds where the stream begins. Events may be lost to the reader: those older than the ledger keeps, and all if it is
// another ledger than the one that its number is from. Then it is told so.
func (s *stream) place(given bool) (first []byte, err error) {
	oldest, newest, err := s.watch.EventSpan()
	if err != nil {
		return nil, err
	}
	first = []byte(": events of drey\nretry: 1000\n\n")
	defer func() {
		// So that a reader that loses the connection before the first event has a number to come back with.
		first = append(strconv.AppendUint(append(first, "id: "...), s.after, 10), "\n\n"...)
	}()
	switch {
	case !given:
		s.after = newest
	case s.after > newest, oldest > 0 && s.after < oldest-1:
		first = append(first, "event: events.lost\ndata: {\"after\":"...)
		first = strconv.AppendUint(first, s.after, 10)
		first = append(first, ",\"oldest\":"...)
		first = strconv.AppendUint(first, oldest, 10)
		first = append(first, "}\n\n"...)
		s.after = max(oldest, 1) - 1
	}
	return first, nil
}

// follow sends what there is and what comes, until the reader is gone or the sidecar drains. An error is one of the ledger.
func (s *stream) follow(ctx context.Context, drained <-chan struct{}) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		changed := s.watch.Changed() // before the look: what comes after it is not missed
		more, err := s.page()
		if err != nil {
			return err
		}
		if len(s.text) > 0 && !s.send(s.text) {
			return nil
		}
		if more {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		case <-drained:
			return nil
		case <-beat.C:
			// The number goes along, so that a reader of one job does not ask for all others' events when it comes back.
			text := strconv.AppendUint([]byte(":\nid: "), s.after, 10)
			if !s.send(append(text, "\n\n"...)) {
				return nil
			}
		}
	}
}

// page writes the next events into s.text, and says whether there are more.
func (s *stream) page() (more bool, err error) {
	s.text = s.text[:0]
	events, err := s.watch.Events(s.after, eventPage)
	if err != nil {
		return false, err
	}
	for _, e := range events {
		s.after = e.Seq
		if s.job != "" && e.Job != s.job {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil {
			return false, err
		}
		s.text = append(s.text, "id: "...)
		s.text = strconv.AppendUint(s.text, e.Seq, 10)
		s.text = append(s.text, "\nevent: "...)
		s.text = append(s.text, e.Kind...)
		s.text = append(s.text, "\ndata: "...)
		s.text = append(append(s.text, data...), "\n\n"...) // JSON has no newline in it
	}
	return len(events) == eventPage, nil
}
