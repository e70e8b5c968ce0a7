package httpapi

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
)

// exchange is a request and its answer on their way through the handlers: the http.ResponseWriter they get, which also
// collects what the log and the trace of the call will tell. Exchanges are pooled; a handler must not keep its writer.
type exchange struct {
	http.ResponseWriter
	request  *http.Request
	span     trace.Span // nil without traces
	answered bool       // the header has been written
	call     telemetry.Call
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (x *exchange) WriteHeader(status int) {
	if !x.answered && status >= 200 {
		x.answered, x.call.Status = true, status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	if !x.answered {
		x.answered, x.call.Status = true, http.StatusOK
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap lets an http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush lets a long profile be watched.
func (x *exchange) Flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }

// observed is the outermost handler: it gives the request its id, its span and its line in the log, and turns a panic of
// any handler into an answer. (A panic of a function never gets here.)
func (a *API) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		x := exchanges.Get().(*exchange)
		ctx, span := a.Traces.Start(r.Context(), propagation.HeaderCarrier(r.Header), r.Method)
		if span != nil {
			r = r.WithContext(ctx)
		}
		*x = exchange{ResponseWriter: w, request: r, span: span, call: telemetry.Call{
			Transport: "http", RequestID: requestID(r.Header), Refused: true,
		}}
		header := w.Header()
		if x.call.RequestID != "" {
			header["X-Request-Id"] = []string{x.call.RequestID}
		}
		if a.draining.Load() {
			header["Connection"] = closeHeader
		}
		defer func() {
			if value := recover(); value != nil {
				if value == http.ErrAbortHandler {
					panic(value)
				}
				a.panicked(x, value)
			}
			x.done(a.Calls, r, start)
		}()
		next.ServeHTTP(x, r)
	})
}

func (x *exchange) done(calls *telemetry.Calls, r *http.Request, start time.Time) {
	if x.call.Err != nil || x.span != nil || calls.Verbose(r.Context()) {
		x.call.Duration = time.Since(start)
		x.call.TraceID = telemetry.TraceID(r.Header.Get("Traceparent"))
		x.call.Operation = r.Method + " " + r.URL.Path
		if route := chi.RouteContext(r.Context()); route != nil && route.RoutePattern() != "" {
			x.call.Operation = r.Method + " " + route.RoutePattern()
		}
		calls.Done(r.Context(), &x.call)
		x.call.End(x.span)
	}
	*x = exchange{}
	exchanges.Put(x)
}

func (a *API) panicked(x *exchange, value any) {
	cause := fmt.Errorf("panic in an HTTP handler: %v\n%s", value, debug.Stack())
	p := problem.From(cause)
	if !x.answered {
		a.fail(x, p, "")
		return
	}
	x.call.Err = p
}

// requestID is the caller's X-Request-Id if it can be repeated safely.
func requestID(h http.Header) string {
	values := h["X-Request-Id"]
	if len(values) == 0 || len(values[0]) > 128 {
		return ""
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c < 0x21 || c > 0x7e {
			return ""
		}
	}
	return values[0]
}
