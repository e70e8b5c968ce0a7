package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/stateapi"
)

// Sessions is what the adapter needs of the sessions of Flink's operators: package stateapi.
type Sessions interface {
	Open(ctx context.Context, body []byte) (stateapi.Opened, error)
	Restore(ctx context.Context, session string, body []byte) error
	Mark(ctx context.Context, session string, body []byte) error
	Durable(ctx context.Context, session, epoch, wait string) (done stateapi.Marked, ok bool, err error)
	Abort(ctx context.Context, session, epoch string) error
	Close(ctx context.Context, session string) error
}

// sessions are the routes of state. They exist without it too, and say then how to have it.
func (a *API) sessions(r chi.Router) {
	r.Post("/v1/state/sessions", a.stateful(func(x *exchange, r *http.Request, body []byte) error {
		opened, err := a.Sessions.Open(r.Context(), body)
		if err == nil {
			a.document(x, http.StatusCreated, opened)
		}
		return err
	}))
	r.Delete("/v1/state/sessions/{session}", a.stateful(func(x *exchange, r *http.Request, _ []byte) error {
		return x.gone(a.Sessions.Close(r.Context(), chi.URLParam(r, "session")))
	}))
	r.Post("/v1/state/sessions/{session}/restore", a.stateful(func(x *exchange, r *http.Request, body []byte) error {
		ctx, end := a.patient(x, r)
		defer end()
		err := a.Sessions.Restore(ctx, chi.URLParam(r, "session"), body)
		if err == nil {
			a.document(x, http.StatusOK, struct{}{})
		}
		return err
	}))
	r.Post("/v1/state/sessions/{session}/marks", a.stateful(func(x *exchange, r *http.Request, body []byte) error {
		err := a.Sessions.Mark(r.Context(), chi.URLParam(r, "session"), body)
		if err == nil {
			a.document(x, http.StatusAccepted, struct{}{})
		}
		return err
	}))
	r.Get("/v1/state/sessions/{session}/marks/{epoch}", a.stateful(func(x *exchange, r *http.Request, _ []byte) error {
		ctx, end := a.patient(x, r)
		defer end()
		done, ok, err := a.Sessions.Durable(ctx, chi.URLParam(r, "session"), chi.URLParam(r, "epoch"), r.URL.Query().Get("wait"))
		switch {
		case err != nil:
			return err
		case ok:
			a.document(x, http.StatusOK, done)
		default:
			a.document(x, http.StatusAccepted, struct{}{})
		}
		return nil
	}))
	r.Delete("/v1/state/sessions/{session}/marks/{epoch}", a.stateful(func(x *exchange, r *http.Request, _ []byte) error {
		return x.gone(a.Sessions.Abort(r.Context(), chi.URLParam(r, "session"), chi.URLParam(r, "epoch")))
	}))
}

// stateful is a handler that needs sessions. It has answered if it returns no error.
func (a *API) stateful(answer func(x *exchange, r *http.Request, body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		if a.Sessions == nil {
			a.fail(x, problem.New(problem.NotFound, "this sidecar has no sessions: set state.enabled and state.store (--state-enabled --state-store URL)"), "")
			return
		}
		body, err := a.read(r)
		if err != nil {
			a.fail(x, err, "")
			return
		}
		defer body.release()
		if err := answer(x, r, body.bytes); err != nil {
			a.fail(x, err, "")
		}
	}
}

// patient is the context of a request that may wait for longer than the time-outs of the listener, which are for those that do
// not. It ends when the caller goes away, or when the sidecar does.
func (a *API) patient(x *exchange, r *http.Request) (ctx context.Context, end func()) {
	out := http.NewResponseController(x.ResponseWriter)
	// An error: a connection that has no time-outs.
	_ = out.SetReadDeadline(time.Time{})
	_ = out.SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithCancelCause(r.Context())
	ended := make(chan struct{})
	go func() {
		select {
		case <-a.drained:
			cancel(&problem.Error{Code: problem.Draining, Detail: "ask again: the sidecar that comes next has what this one has noted", RetryAfter: time.Second})
		case <-ctx.Done():
		}
		close(ended)
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// gone answers that something is not there any more.
func (x *exchange) gone(err error) error {
	if err == nil {
		x.WriteHeader(http.StatusNoContent)
	}
	return err
}
