package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/httpapi"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

type payment struct {
	Amount float64
	Do     *string
}

type decision struct {
	Score    float64
	Decision string
}

func decide(_ context.Context, p payment) (decision, error) {
	if p.Do != nil {
		switch *p.Do {
		case "error":
			return decision{}, errors.New("no such account")
		case "panic":
			panic("told to")
		}
	}
	return decision{Score: p.Amount / 100, Decision: "pass"}, nil
}

// service lets a test play a failure that is hard to bring about.
type service struct {
	*evaluate.Service
	fail func() error
}

func (s *service) Evaluate(ctx context.Context, r evaluate.Request) (evaluate.Answer, error) {
	if s.fail != nil {
		return evaluate.Answer{}, s.fail()
	}
	return s.Service.Evaluate(ctx, r)
}

func (s *service) EvaluateBatch(ctx context.Context, r []evaluate.Request) ([]evaluate.Outcome, error) {
	if s.fail != nil {
		return nil, s.fail()
	}
	return s.Service.EvaluateBatch(ctx, r)
}

type fixture struct {
	api     *httpapi.API
	data    chi.Router
	service *service
	watch   *watch
	log     *bytes.Buffer
	auth    *gate
}

// gate is an Authenticator.
type gate struct{ err error }

func (g *gate) Authenticate(*http.Request) error { return g.err }

func newFixture(t testing.TB) *fixture {
	t.Helper()
	registry := udf.NewRegistry()
	udf.Scalar(registry, "fraud", decide, udf.Doc("a decision"))
	udf.Raw(registry, "noop", func(context.Context, []byte) ([]byte, error) { return []byte(`{"score":0.5}`), nil })
	metrics, err := telemetry.NewMetrics("test")
	if err != nil {
		t.Fatal(err)
	}
	cfg := evaluate.DefaultConfig()
	cfg.Batch.MaxItems = 3
	domain, err := evaluate.New(cfg, registry, nil, metrics)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{service: &service{Service: domain}, watch: newWatch(), log: &bytes.Buffer{}, auth: &gate{}}
	f.api, err = httpapi.New(httpapi.Options{
		Service: f.service, Functions: registry, Watch: f.watch, Metrics: metrics.Handler(),
		Calls:  telemetry.NewCalls(slog.New(slog.NewJSONHandler(f.log, nil)), metrics),
		Traces: &telemetry.Traces{}, Authenticator: f.auth, MaxBodyBytes: 1 << 20,
		Status: func() any {
			return struct {
				State        string         `json:"state"`
				Version      string         `json:"version"`
				StartedAt    time.Time      `json:"started_at"`
				ConfigDigest string         `json:"config_digest"`
				Listeners    map[string]any `json:"listeners"`
				evaluate.Status
			}{"ready", "test", time.Now(), "sha256:0", map[string]any{"http": "127.0.0.1:1", "pid": 1}, domain.Status()}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.data = f.api.Data()
	return f
}

func (f *fixture) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.data.ServeHTTP(w, request(method, path, body, header...))
	return w
}

func request(method, path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func codeOf(w *httptest.ResponseRecorder) problem.Code {
	var p problem.Document
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	return p.Code
}

func TestAnswer(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/evaluate", "/v1/evaluate"} {
		w := f.do("POST", path, `{"id":"a \"quoted\" ü","event":{"amount":50}}`, "X-Request-Id", "r-1", "Content-Type", "application/json; charset=utf-8")
		var got struct {
			ID, Function string
			Timestamp    int64
			Result       decision
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if got.Timestamp == 0 || got.ID != `a "quoted" ü` || got.Function != "fraud" || got.Result != (decision{0.5, "pass"}) {
			t.Errorf("got %s", w.Body)
		}
		if h := w.Header(); h.Get("X-Request-Id") != "r-1" || h.Get("Decision-Id") != "a%20%22quoted%22%20%C3%BC" || h.Get("Content-Type") != "application/json" {
			t.Errorf("header %v", h)
		}
	}
	w := f.do("POST", "/evaluate", `{"event":{"amount":50}}`)
	if id := w.Header().Get("Decision-Id"); len(id) != 26 || w.Header().Get("X-Request-Id") != id {
		t.Errorf("header %v", w.Header())
	}
}

func TestHeaders(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"none":                      {nil, 200},
		"json":                      {[]string{"Content-Type", "application/json"}, 200},
		"a kind of json":            {[]string{"Content-Type", "application/cloudevents+json; charset=UTF-8"}, 200},
		"what curl -d claims":       {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 200},
		"text":                      {[]string{"Content-Type", "text/plain"}, 415},
		"another charset":           {[]string{"Content-Type", "application/json; charset=latin1"}, 415},
		"nonsense":                  {[]string{"Content-Type", ";;"}, 415},
		"gzip":                      {[]string{"Content-Encoding", "gzip"}, 415},
		"a page of this origin":     {[]string{"Origin", "http://127.0.0.1:8080", "Sec-Fetch-Site", "same-origin"}, 200},
		"a page of another origin":  {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 400},
		"an old browser":            {[]string{"Origin", "https://evil.example"}, 400},
		"in band does not hide it":  {[]string{"Prefer", "errors=in-band", "Content-Type", "text/plain"}, 415},
		"request id with a newline": {[]string{"X-Request-Id", "a\nb"}, 200},
	} {
		w := f.do("POST", "/evaluate", `{"event":{"amount":1}}`, c.header...)
		if w.Code != c.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if id := w.Header().Get("X-Request-Id"); strings.Contains(id, "\n") {
			t.Errorf("%s: request id %q", name, id)
		}
	}
}

func TestInBand(t *testing.T) {
	f := newFixture(t)
	prefer := []string{"Prefer", "respond-async, Errors=In-Band"}
	for body, code := range map[string]problem.Code{
		`{"id":"a","event":{"amount":"x"}}`: problem.InvalidEvent, `{"id":"b","event":{"amount":1,"do":"error"}}`: problem.FunctionError,
		`{"id":"c","event":{"amount":1,"do":"panic"}}`: problem.FunctionPanic, `{"evnt":1}`: problem.InvalidRequest,
		`{"event":1,"function":"nosuch"}`: problem.UnknownFunction, `{"event":"` + strings.Repeat("x", 2<<20) + `"}`: problem.BodyTooLarge,
	} {
		w := f.do("POST", "/evaluate", body, prefer...)
		var got struct {
			ID    string
			Error struct {
				Code      problem.Code
				Retryable bool
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Error.Code != code || got.ID == "" || got.Error.Retryable {
			t.Errorf("%.40s: %d %s", body, w.Code, w.Body)
		}
		if w.Header().Get("Preference-Applied") != "errors=in-band" {
			t.Errorf("%.40s: %v", body, w.Header())
		}
	}
	f.service.fail = func() error { return &problem.Error{Code: problem.Overloaded, RetryAfter: 2500 * time.Millisecond} }
	if w := f.do("POST", "/evaluate", `{"event":1}`, prefer...); w.Code != 503 || w.Header().Get("Retry-After") != "3" || w.Header().Get("Preference-Applied") != "" {
		t.Errorf("what a retry may change stays a status: %d %v", w.Code, w.Header())
	}
}

func TestBatch(t *testing.T) {
	f := newFixture(t)
	w := f.do("POST", "/v1/evaluate:batch", `{"function":"fraud","items":[{"id":"a","event":{"amount":10}},{"id":"b","event":{"amount":1,"do":"error"}},{"event":{},"function":"noop"}]}`)
	var got struct {
		Items []struct {
			ID, Function string
			Result       json.RawMessage
			Error        *struct {
				Code   problem.Code
				Detail string
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || len(got.Items) != 3 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if a, b, c := got.Items[0], got.Items[1], got.Items[2]; a.ID != "a" || string(a.Result) != `{"score":0.1,"decision":"pass"}` ||
		b.ID != "b" || b.Error == nil || b.Error.Code != problem.FunctionError || c.Function != "noop" || c.ID == "" {
		t.Errorf("got %s", w.Body)
	}
	if !strings.Contains(f.log.String(), `"items":3,"failed":1`) {
		t.Errorf("log %s", f.log)
	}
	if w := f.do("POST", "/v1/evaluate:batch", `{"items":[]}`); w.Code != 200 || w.Body.String() != "{\"items\":[]}\n" {
		t.Errorf("empty: %d %s", w.Code, w.Body)
	}
	if w := f.do("POST", "/v1/evaluate:batch", `{"items":[{"event":1},{"event":1},{"event":1},{"event":1}]}`); w.Code != 413 || codeOf(w) != problem.BatchTooLarge {
		t.Errorf("too many: %d %s", w.Code, w.Body)
	}
	if w := f.do("POST", "/v1/evaluate:batch", `{"items":[{"event":1},{"evnt":1}]}`); w.Code != 400 || !strings.Contains(w.Body.String(), "items.1.evnt: unknown key") {
		t.Errorf("malformed: %d %s", w.Code, w.Body)
	}
}

func TestRoutingErrors(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		method, path string
		status       int
		code         problem.Code
		allow        string
	}{
		{"GET", "/nowhere", 404, problem.NotFound, ""},
		{"GET", "/debug/pprof/", 404, problem.NotFound, ""}, // admin only
		{"GET", "/evaluate", 405, problem.MethodNotAllowed, "POST"},
		{"DELETE", "/v1/functions", 405, problem.MethodNotAllowed, "GET, HEAD"},
		{"GET", "/v1/functions/fruad", 404, problem.UnknownFunction, ""},
	} {
		w := f.do(c.method, c.path, "")
		if w.Code != c.status || codeOf(w) != c.code || w.Header().Get("Allow") != c.allow || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, w.Code, w.Header(), w.Body)
		}
	}
	if w := f.do("HEAD", "/healthz", ""); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestReadiness(t *testing.T) {
	f := newFixture(t)
	check := func(status int, text string) {
		t.Helper()
		if w := f.do("GET", "/readyz", ""); w.Code != status || w.Body.String() != text {
			t.Errorf("got %d %q, want %d %q", w.Code, w.Body, status, text)
		}
	}
	check(503, "not ready: starting\n")
	f.api.SetReady(true)
	check(200, "ready\n")
	f.api.Drain()
	check(503, "not ready: draining\n")
	if w := f.do("GET", "/healthz", ""); w.Code != 200 || w.Header().Get("Connection") != "close" {
		t.Errorf("healthz while draining: %d %v", w.Code, w.Header())
	}
}

func TestAuthenticatorGuardsTheAPI(t *testing.T) {
	f := newFixture(t)
	f.auth.err = errors.New("who are you?")
	for path, want := range map[string]int{"/v1/status": 401, "/v1/functions": 401, "/healthz": 200, "/metrics": 200} {
		if w := f.do("GET", path, ""); w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := f.do("POST", "/evaluate", `{"event":1}`); w.Code != 401 || codeOf(w) != problem.Unauthenticated {
		t.Errorf("evaluate: %d %s", w.Code, w.Body)
	}
}

func TestPanicOfAHandlerIsAnAnswer(t *testing.T) {
	f := newFixture(t)
	f.service.fail = func() error { panic("a mistake of ours") }
	w := f.do("POST", "/evaluate", `{"event":1}`)
	if w.Code != 500 || codeOf(w) != problem.Internal || strings.Contains(w.Body.String(), "mistake") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(f.log.String(), "a mistake of ours") || !strings.Contains(f.log.String(), "api_test.go") {
		t.Errorf("log %s", f.log)
	}
}

func TestPayloadsAreNotLogged(t *testing.T) {
	f := newFixture(t)
	f.do("POST", "/evaluate", `{"event":{"amount":"secret-1","do":"x"}}`)
	f.do("POST", "/evaluate", `{"event":{"amount":1e400}}`)
	if got := f.log.String(); strings.Contains(got, "secret") || strings.Contains(got, "1e400") || !strings.Contains(got, `"fields":["amount"]`) {
		t.Errorf("log %s", got)
	}
}

// A flood of bad calls must not become a flood of lines; what was left out is counted.
func TestLogOfFailuresIsBounded(t *testing.T) {
	f := newFixture(t)
	for range 500 {
		f.do("POST", "/evaluate", `{"event":`, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	}
	if n := strings.Count(f.log.String(), "call failed"); n < 1 || n > 100 {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(f.log.String(), `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) {
		t.Errorf("no trace id in %s", f.log)
	}
	if w := f.do("GET", "/metrics", ""); !strings.Contains(w.Body.String(), `drey_requests_refused_total{code="invalid_request",transport="http"} 500`) {
		t.Error("the metrics do not tell")
	}
}

func TestFunctionDocuments(t *testing.T) {
	f := newFixture(t)
	var list struct {
		Functions []struct{ Name, Signature, Doc string }
		Default   string `json:"default_function"`
	}
	if err := json.Unmarshal(f.do("GET", "/v1/functions", "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list.Default != "fraud" || len(list.Functions) != 2 || list.Functions[0].Doc != "a decision" || !strings.HasPrefix(list.Functions[0].Signature, "fraud(amount DOUBLE NOT NULL, do STRING)") {
		t.Errorf("%+v", list)
	}
	f.do("POST", "/evaluate", `{"event":{"amount":1,"do":"panic"}}`)
	if w := f.do("GET", "/v1/functions/fraud", ""); !strings.Contains(w.Body.String(), `"panics":1`) || !strings.Contains(w.Body.String(), "told to") {
		t.Errorf("got %s", w.Body)
	}
}

func TestAdminHasProfiles(t *testing.T) {
	f := newFixture(t)
	admin := f.api.Admin()
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/cmdline", "/metrics", "/v1/status", "/readyz"} {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, request("GET", path, ""))
		if w.Code == 404 || w.Body.Len() == 0 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestEvaluateDoesNotAllocateMuch(t *testing.T) {
	f := newFixture(t)
	body := `{"function":"noop","event":{"amount":12.5}}`
	w := &discard{header: http.Header{}}
	r := request("POST", "/evaluate", "")
	n := testing.AllocsPerRun(500, func() {
		r.Body = io.NopCloser(strings.NewReader(body))
		clear(w.header)
		f.data.ServeHTTP(w, r)
	})
	if w.status != 200 {
		t.Fatal(w.status)
	}
	limit := 24.0 // 2 of them are this test's
	if raceDetector() {
		limit = 32 // it makes pools forget now and then
	}
	if n > limit {
		t.Errorf("%v allocations a call, want at most %v", n, limit)
	}
}

func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkEvaluate(b *testing.B) {
	f := newFixture(b)
	body := `{"function":"noop","event":{"accountId":4711,"timestamp":1764000000000,"amount":123.45,"device":"d-1234","region":"DE"}}`
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w, r := &discard{header: http.Header{}}, request("POST", "/evaluate", "")
		for pb.Next() {
			r.Body = io.NopCloser(strings.NewReader(body))
			clear(w.header)
			f.data.ServeHTTP(w, r)
		}
	})
}

func BenchmarkShed(b *testing.B) {
	f := newFixture(b)
	f.service.fail = func() error {
		return &problem.Error{Code: problem.Overloaded, RetryAfter: 100 * time.Millisecond, DecisionID: "01KB3Z5S8Y9V0M3X1N7Q2T4R6P", Detail: "256 calls run and 256 wait"}
	}
	body := `{"function":"noop","event":{"accountId":4711,"timestamp":1764000000000,"amount":123.45,"device":"d-1234","region":"DE"}}`
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w, r := &discard{header: http.Header{}}, request("POST", "/evaluate", "")
		for pb.Next() {
			r.Body = io.NopCloser(strings.NewReader(body))
			clear(w.header)
			f.data.ServeHTTP(w, r)
		}
	})
}

func TestRequestIsNotKept(t *testing.T) {
	f := newFixture(t)
	// The buffers of the first request are used again by the second: the first answer must not change.
	first := f.do("POST", "/evaluate", `{"function":"fraud","id":"x","event":{"amount":1}}`).Body.String()
	f.do("POST", "/evaluate", `{"function":"fraud","id":"y","event":{"amount":99}}`)
	if diff := cmp.Diff(first, f.do("POST", "/evaluate", `{"function":"fraud","id":"x","event":{"amount":1}}`).Body.String()); diff != "" {
		t.Error(diff)
	}
}
