package httpapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-chi/chi/v5"

	"github.com/drey-flink/drey/sidecar/internal/problem"
)

func document(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil { // examples too
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

// Every route is in the document, and nothing else is.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc, _ := document(t)
	documented := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	err := chi.Walk(newFixture(t).data, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !documented[method+" "+route] {
			t.Errorf("%s %s is not in openapi.yaml", method, route)
		}
		delete(documented, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for left := range documented {
		t.Errorf("openapi.yaml has %s, the router has not", left)
	}
}

func TestOpenAPIHasEveryCode(t *testing.T) {
	doc, _ := document(t)
	listed := map[string]bool{}
	for _, code := range doc.Components.Schemas["Code"].Value.Enum {
		listed[code.(string)] = true
	}
	for _, code := range problem.Codes() {
		if !listed[string(code)] {
			t.Errorf("openapi.yaml does not list the code %s", code)
		}
		delete(listed, string(code))
	}
	if len(listed) > 0 {
		t.Errorf("openapi.yaml lists codes that do not exist: %v", listed)
	}
}

// What the handlers really take and answer fits the document.
func TestOpenAPIFitsTheHandlers(t *testing.T) {
	_, router := document(t)
	f := newFixture(t)
	f.api.SetReady(true)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		fail                     func() error
		badRequest               bool // the document must refuse it too
		status                   int
	}{
		{name: "answer", method: "POST", path: "/evaluate", body: `{"id":"a","function":"fraud","event":{"amount":1}}`, status: 200},
		{name: "answer v1", method: "POST", path: "/v1/evaluate", body: `{"event":{"amount":1},"id":null,"function":null}`, status: 200},
		{name: "in band", method: "POST", path: "/evaluate", body: `{"event":{"amount":"x"}}`, header: []string{"Prefer", "errors=in-band"}, status: 200},
		{name: "missing event", method: "POST", path: "/evaluate", body: `{"id":"a"}`, badRequest: true, status: 400},
		{name: "unknown key", method: "POST", path: "/evaluate", body: `{"event":1,"x":1}`, badRequest: true, status: 400},
		{name: "wrong type", method: "POST", path: "/evaluate", body: `{"event":1,"id":1}`, badRequest: true, status: 400},
		{name: "empty id", method: "POST", path: "/evaluate", body: `{"event":1,"id":""}`, badRequest: true, status: 400},
		{name: "event that does not fit", method: "POST", path: "/evaluate", body: `{"event":[]}`, status: 400},
		{name: "unknown function", method: "POST", path: "/evaluate", body: `{"event":1,"function":"fruad"}`, status: 404},
		{name: "too large", method: "POST", path: "/evaluate", body: `{"event":"` + strings.Repeat("x", 2<<20) + `"}`, status: 413},
		{name: "function error", method: "POST", path: "/evaluate", body: `{"event":{"amount":1,"do":"error"}}`, status: 422},
		{name: "panic", method: "POST", path: "/evaluate", body: `{"event":{"amount":1,"do":"panic"}}`, status: 500},
		{name: "overload", method: "POST", path: "/evaluate", body: `{"event":1}`, fail: func() error { return &problem.Error{Code: problem.Overloaded, RetryAfter: time.Second} }, status: 503},
		{name: "deadline", method: "POST", path: "/evaluate", body: `{"event":1}`, fail: func() error { return context.DeadlineExceeded }, status: 504},
		{name: "internal", method: "POST", path: "/evaluate", body: `{"event":1}`, fail: func() error { return errors.New("disk on fire") }, status: 500},
		{name: "batch", method: "POST", path: "/v1/evaluate:batch", body: `{"function":"fraud","items":[{"event":{"amount":1}},{"event":{}},{"event":1,"function":"nosuch"}]}`, status: 200},
		{name: "batch of nothing", method: "POST", path: "/v1/evaluate:batch", body: `{}`, badRequest: true, status: 400},
		{name: "batch too large", method: "POST", path: "/v1/evaluate:batch", body: `{"items":[{"event":1},{"event":1},{"event":1},{"event":1}]}`, status: 413},
		{name: "batch drained", method: "POST", path: "/v1/evaluate:batch", body: `{"items":[]}`, fail: func() error { return problem.New(problem.Draining, "") }, status: 503},
		{name: "functions", method: "GET", path: "/v1/functions", status: 200},
		{name: "function", method: "GET", path: "/v1/functions/fraud", status: 200},
		{name: "no function", method: "GET", path: "/v1/functions/fruad", status: 404},
		{name: "status", method: "GET", path: "/v1/status", status: 200},
		{name: "checkpoints", method: "GET", path: "/v1/checkpoints?job=fraud&limit=1", status: 200},
		{name: "checkpoints, wrong limit", method: "GET", path: "/v1/checkpoints?limit=x", badRequest: true, status: 400},
		{name: "checkpoint", method: "GET", path: "/v1/checkpoints/" + job + "/7", status: 200},
		{name: "no checkpoint", method: "GET", path: "/v1/checkpoints/" + job + "/8", status: 404},
		{name: "jobs", method: "GET", path: "/v1/jobs", status: 200},
		{name: "notify", method: "POST", path: "/v1/checkpoints/notify", header: []string{"Authorization", "Bearer " + secret}, body: `{"job":"` + job + `","checkpoint_id":6,"path":"s3://flink/6"}`, status: 202},
		{name: "notify without a token", method: "POST", path: "/v1/checkpoints/notify", body: `{"job":"` + job + `","checkpoint_id":6,"path":"s3://flink/6"}`, status: 403},
		{name: "notify with another", method: "POST", path: "/v1/checkpoints/notify", header: []string{"Authorization", "Bearer x"}, body: `{"job":"` + job + `","checkpoint_id":6,"path":"s3://flink/6"}`, status: 401},
		{name: "notify of nothing", method: "POST", path: "/v1/checkpoints/notify", header: []string{"Authorization", "Bearer " + secret}, body: `{}`, badRequest: true, status: 400},
		{name: "events of a job that is none", method: "GET", path: "/v1/events?job=fraud", status: 400},
		{name: "document", method: "GET", path: "/openapi.yaml", status: 200},
		{name: "health", method: "GET", path: "/healthz", status: 200},
		{name: "ready", method: "GET", path: "/readyz", status: 200},
		{name: "ready, verbose", method: "GET", path: "/readyz?verbose", status: 200},
		{name: "metrics", method: "GET", path: "/metrics", status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.service.fail = c.fail
			header := c.header
			if c.method == "POST" {
				header = append(header, "Content-Type", "application/json")
			}
			r := request(c.method, c.path, c.body, header...)
			route, params, err := router.FindRoute(r)
			if err != nil {
				t.Fatal(err)
			}
			in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route,
				Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
			if err := openapi3filter.ValidateRequest(context.Background(), in); (err != nil) != c.badRequest {
				t.Errorf("request: %v", err)
			}
			w := httptest.NewRecorder()
			f.data.ServeHTTP(w, request(c.method, c.path, c.body, header...))
			if w.Code != c.status {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			out := &openapi3filter.ResponseValidationInput{
				RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
				Options: &openapi3filter.Options{IncludeResponseStatus: true},
			}
			if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
				t.Errorf("answer: %v\n%s", err, w.Body)
			}
		})
	}
}
