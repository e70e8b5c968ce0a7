// Package httpapi translates HTTP to the domain service and back. What a failure means is decided in package problem,
// for HTTP and gRPC alike; here it takes the form of application/problem+json.
package httpapi

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

//go:embed openapi.yaml
var openAPI []byte

// Service is what the adapter needs of the domain.
type Service interface {
	Evaluate(context.Context, evaluate.Request) (evaluate.Answer, error)
	EvaluateBatch(context.Context, []evaluate.Request) ([]evaluate.Outcome, error)
	Status() evaluate.Status
}

// Authenticator decides whether the caller of a request may go on. Its error is answered as it is if it is a
// *problem.Error, else as unauthenticated. It is asked for every path below /v1 and for /evaluate, after the request has
// its id and before its body is read.
type Authenticator interface {
	Authenticate(r *http.Request) error
}

// Anyone lets every caller pass: whoever reaches the listener may call. So a listener that other machines reach needs
// TLS or a deliberate --insecure (package config).
type Anyone struct{}

// Authenticate implements Authenticator.
func (Anyone) Authenticate(*http.Request) error { return nil }

// Options are what an API needs.
type Options struct {
	Service       Service // nil: nothing is evaluated, and Functions is not looked at
	Functions     *udf.Registry
	Watch         Watch      // nil: no checkpoints are watched
	Decisions     Decisions  // nil: no decisions are kept
	Sessions      Sessions   // nil: no sessions of Flink's operators
	Replays       Replays    // nil: nothing is replayed
	Status        func() any // the document of /v1/status
	Metrics       http.Handler
	Calls         *telemetry.Calls
	Traces        *telemetry.Traces
	Authenticator Authenticator
	MaxBodyBytes  int64
}

// API answers HTTP. It is not ready until SetReady(true).
type API struct {
	Options
	functions []byte // the document of /v1/functions
	ready     atomic.Bool
	draining  atomic.Bool
	drain     sync.Once
	drained   chan struct{} // closed when draining begins
	streams   atomic.Int64  // readers of events
}

// New returns an API.
func New(o Options) (*API, error) {
	a := &API{Options: o, drained: make(chan struct{})}
	if o.Service == nil {
		return a, nil
	}
	described := make([]described, 0, 8)
	for _, f := range o.Functions.Functions() {
		described = append(described, describe(f))
	}
	document, err := json.Marshal(functionList{Functions: described, Default: o.Service.Status().DefaultFunction})
	if err != nil {
		return nil, fmt.Errorf("descriptions of functions: %w", err)
	}
	a.functions = append(document, '\n')
	return a, nil
}

// SetReady says whether /readyz is 200.
func (a *API) SetReady(ready bool) { a.ready.Store(ready) }

// Drain makes every answer the last one on its connection, so that callers go elsewhere by themselves. Streams of events
// end at once.
func (a *API) Drain() {
	a.ready.Store(false)
	a.draining.Store(true)
	a.drain.Do(func() { close(a.drained) })
}

// Data is the API for those who ask for decisions.
func (a *API) Data() chi.Router {
	r := a.router()
	r.Get("/openapi.yaml", a.openAPI)
	r.Group(func(r chi.Router) {
		r.Use(a.authenticated)
		if a.Service != nil {
			r.Post("/evaluate", a.evaluate)
			r.Post("/v1/evaluate", a.evaluate)
			r.Post("/v1/evaluate:batch", a.evaluateBatch)
			r.Get("/v1/functions", a.listFunctions)
			r.Get("/v1/functions/{name}", a.getFunction)
		}
		r.Get("/v1/status", a.status)
		r.Get("/v1/decisions", a.listDecisions)
		a.checkpoints(r)
		a.sessions(r)
		a.replays(r)
	})
	return r
}

// checkpoints are the routes of the watcher. They exist without one too, and say then how to have it.
func (a *API) checkpoints(r chi.Router) {
	r.Get("/v1/checkpoints", a.watching(a.listCheckpoints))
	r.Get("/v1/checkpoints/{job}/{id}", a.watching(a.getCheckpoint))
	r.Post("/v1/checkpoints/notify", a.watching(a.notify))
	r.Get("/v1/jobs", a.watching(a.listJobs))
	r.Get("/v1/events", a.watching(a.streamEvents))
}

// Admin is the API for operators. It must not be reachable from outside: profiles show what the process holds.
func (a *API) Admin() chi.Router {
	r := a.router()
	r.Get("/v1/status", a.status)
	a.checkpoints(r)
	r.HandleFunc("/debug/pprof/*", pprof.Index)
	r.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return r
}

func (a *API) router() *chi.Mux {
	r := chi.NewRouter()
	r.Use(a.observed, middleware.GetHead)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(a.methodNotAllowed(r))
	r.Get("/healthz", a.healthz)
	r.Get("/readyz", a.readyz)
	r.Method(http.MethodGet, "/metrics", a.Metrics)
	return r
}

func (a *API) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Authenticator.Authenticate(r); err != nil {
			p := problem.From(err)
			if p.Code == problem.Internal {
				p = &problem.Error{Code: problem.Unauthenticated, Err: err}
			}
			a.fail(w.(*exchange), p, "")
			return
		}
		next.ServeHTTP(w, r)
	})
}
