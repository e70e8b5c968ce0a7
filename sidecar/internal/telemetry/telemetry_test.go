package telemetry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
)

var (
	_ evaluate.Observer = (*telemetry.Metrics)(nil)
	_ rules.Observer    = (*telemetry.Metrics)(nil)
)

func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMetrics(t *testing.T) {
	m, err := telemetry.NewMetrics("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	m.Evaluated(ctx, "fraud", "", 3*time.Millisecond, false)
	m.Evaluated(ctx, "fraud", "", time.Millisecond, true)
	m.Evaluated(ctx, "fraud", problem.FunctionError, time.Millisecond, false)
	m.Shed("queue_full")
	m.Panicked("fraud")
	m.Quarantined("fraud", true)
	m.InFlight(2)
	m.InFlight(-1)
	m.Reloaded(false, "v1")
	m.Draining()
	text := scrape(t, m)
	for _, want := range []string{
		`drey_evaluate_duration_seconds_count{code="ok",function="fraud"} 2`,
		`drey_evaluate_duration_seconds_bucket{code="ok",function="fraud",le="0.001"} 1`,
		`drey_evaluate_duration_seconds_count{code="function_error",function="fraud"} 1`,
		`drey_evaluate_replayed_total{function="fraud"} 1`,
		`drey_shed_total{reason="queue_full"} 1`,
		`drey_function_panics_total{function="fraud"} 1`,
		`drey_function_quarantined{function="fraud"} 1`,
		`drey_in_flight 1`,
		`drey_rules_reload_successful 0`,
		`drey_rules_reloads_total{result="failed"} 1`,
		`drey_draining 1`,
		`version="1.2.3"`,
		`go_memstats_heap_alloc_bytes`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestEvaluatedDoesNotAllocate(t *testing.T) {
	m, err := telemetry.NewMetrics("test")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	m.Evaluated(ctx, "fraud", "", time.Millisecond, false)
	if n := testing.AllocsPerRun(1000, func() { m.Evaluated(ctx, "fraud", "", time.Millisecond, false) }); n > 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// Spans reach a collector, and a collector that is away holds nothing up.
func TestTraces(t *testing.T) {
	ctx := context.Background()
	received := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + string(body)
	}))
	defer collector.Close()
	traces, err := telemetry.NewTraces(ctx, collector.URL+"/v1/traces", "drey-test", 1)
	if err != nil || !traces.On() {
		t.Fatal(err)
	}
	_, span := traces.Tracer().Start(ctx, "evaluate")
	span.End()
	if err := traces.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-received; !strings.HasPrefix(got, "/v1/traces ") || !strings.Contains(got, "drey-test") || !strings.Contains(got, "evaluate") {
		t.Errorf("the collector got %q", got)
	}

	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	off, err := telemetry.NewTraces(ctx, "", "drey", 1)
	if err != nil || off.On() {
		t.Errorf("without an endpoint there are no traces: %v", err)
	}
	if err := off.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLog(&out, "warn", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud", "decision_id", "d1")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"decision_id":"d1"`) {
		t.Errorf("got %s", got)
	}
	if _, err := telemetry.NewLog(&out, "loudest", "json"); err == nil {
		t.Error("an unknown level must be an error")
	}
}
