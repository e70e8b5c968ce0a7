package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	strict "github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// Replays is what the adapter needs of package replay. Errors that are a *problem.Error are for the caller.
type Replays interface {
	Start(r replay.Request) (started replay.Replay, created bool, err error)
	Get(id string) (replay.Replay, error)
	List() ([]replay.Replay, error)
	Cancel(id string) (replay.Replay, error)
	Pause(id string) (replay.Replay, error)
	Resume(id string) (replay.Replay, error)
	Report(id string) (*report.Report, error)
	// Changed is closed at the next change of any.
	Changed() <-chan struct{}
}

// replays are the routes of replay. They exist without it too, and say then how to have it.
func (a *API) replays(r chi.Router) {
	r.Post("/v1/replays", a.replaying(a.startReplay))
	r.Get("/v1/replays", a.replaying(func(x *exchange, _ *http.Request) error {
		all, err := a.Replays.List()
		if all == nil {
			all = []replay.Replay{}
		}
		return a.answer(x, http.StatusOK, struct {
			Replays []replay.Replay `json:"replays"`
		}{all}, err)
	}))
	one := func(do func(id string) (replay.Replay, error)) http.HandlerFunc {
		return a.replaying(func(x *exchange, r *http.Request) error {
			found, err := do(chi.URLParam(r, "id"))
			return a.answer(x, http.StatusOK, found, err)
		})
	}
	r.Get("/v1/replays/{id}", one(func(id string) (replay.Replay, error) { return a.Replays.Get(id) }))
	r.Post("/v1/replays/{id}/cancel", one(func(id string) (replay.Replay, error) { return a.Replays.Cancel(id) }))
	r.Post("/v1/replays/{id}/pause", one(func(id string) (replay.Replay, error) { return a.Replays.Pause(id) }))
	r.Post("/v1/replays/{id}/resume", one(func(id string) (replay.Replay, error) { return a.Replays.Resume(id) }))
	r.Get("/v1/replays/{id}/report", a.replaying(a.reportReplay))
	r.Get("/v1/replays/{id}/events", a.replaying(a.streamReplay))
}

// replaying is a handler that needs replays. It has answered if it returns no error.
func (a *API) replaying(answer func(x *exchange, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		if a.Replays == nil {
			a.fail(x, problem.New(problem.NotFound, "this sidecar replays nothing: set replay.enabled (--replay-enabled)"), "")
			return
		}
		if err := answer(x, r); err != nil {
			a.fail(x, err, "")
		}
	}
}

// answer writes a document, if there is no error.
func (a *API) answer(x *exchange, status int, document any, err error) error {
	if err == nil {
		a.document(x, status, document)
	}
	return err
}

func (a *API) startReplay(x *exchange, r *http.Request) error {
	body, err := a.read(r)
	if err != nil {
		return err
	}
	defer body.release()
	var in replay.Request
	if err := strict.Unmarshal(body.bytes, &in, strict.RejectUnknownMembers(true)); err != nil {
		return problem.New(problem.InvalidRequest, "the body must be {\"job\", \"checkpoint_id\", \"mode\"?, ...}: %v", err)
	}
	started, created, err := a.Replays.Start(in)
	if err != nil {
		return err
	}
	x.Header().Set("Location", "/v1/replays/"+started.ID)
	status := http.StatusOK // it was there
	if created {
		status = http.StatusAccepted
	}
	a.document(x, status, started)
	return nil
}

func (a *API) reportReplay(x *exchange, r *http.Request) error {
	found, err := a.Replays.Report(chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if r.URL.Query().Get("format") != "html" && !strings.Contains(r.Header.Get("Accept"), "text/html") {
		a.document(x, http.StatusOK, found)
		return nil
	}
	var page bytes.Buffer
	if err := report.WriteHTML(&page, found); err != nil {
		return err
	}
	x.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	x.WriteHeader(http.StatusOK)
	_, err = x.Write(page.Bytes())
	if err != nil {
		x.call.Err = problem.From(err) // for the log: the answer has begun
	}
	return nil
}

// streamReplay sends a replay each time that it has changed (Server-Sent Events), until it has ended.
func (a *API) streamReplay(x *exchange, r *http.Request) error {
	id := chi.URLParam(r, "id")
	changed := a.Replays.Changed() // before the look: what comes after it is not missed
	now, err := a.Replays.Get(id)
	if err != nil {
		return err
	}
	leave, err := a.admitReader()
	if err != nil {
		return err
	}
	defer leave()
	s := newReader(x)
	s.begin()
	if r.Method == http.MethodHead {
		return nil
	}
	if err := a.followReplay(r.Context(), s, now, changed); err != nil {
		x.call.Err = problem.From(err) // for the log: the answer has begun
	}
	return nil
}

func (a *API) followReplay(ctx context.Context, s reader, now replay.Replay, changed <-chan struct{}) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for sent := ""; ; {
		text, err := json.Marshal(now)
		if err != nil {
			return err
		}
		if string(text) != sent && !s.send([]byte("event: replay\ndata: "+string(text)+"\n\n")) || now.State.Final() {
			return nil
		}
		sent = string(text)
		select {
		case <-changed:
		case <-beat.C:
			if !s.send([]byte(": still here\n\n")) {
				return nil
			}
		case <-a.drained:
			return nil
		case <-ctx.Done():
			return nil
		}
		changed = a.Replays.Changed()
		if now, err = a.Replays.Get(now.ID); err != nil {
			return err
		}
	}
}
