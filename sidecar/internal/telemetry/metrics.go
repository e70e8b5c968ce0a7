// Package telemetry is what the sidecar tells of itself: metrics (always, for Prometheus), traces (when a collector is
// configured) and the log.
package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/drey-flink/drey/sidecar/internal/admission"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// The names of all metrics, as Prometheus shows them (counters get _total, histograms their unit _seconds).
const (
	nameDuration    = "drey_evaluate_duration" // by function and code ("ok" or a problem's code)
	nameReplayed    = "drey_evaluate_replayed" // answers from the idempotency store, by function
	nameInFlight    = "drey_in_flight"
	nameShed        = "drey_shed"                 // by reason
	namePanics      = "drey_function_panics"      // by function
	nameQuarantined = "drey_function_quarantined" // 1 while a function is quarantined
	nameReloadOK    = "drey_rules_reload_successful"
	nameReloads     = "drey_rules_reloads" // by result
	nameDraining    = "drey_draining"
	nameRefused     = "drey_requests_refused" // requests that reached no function, by transport and code
	nameSuppressed  = "drey_log_suppressed"   // lines about failed calls that were left out of the log
	nameBuild       = "drey_build_info"
)

const meterName = "drey.dev/sidecar"

// buckets in seconds: a no-op takes some 50 microseconds, the default deadline is a second.
var buckets = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
}

// Metrics counts what happens. It is the observer of the domain packages and safe for concurrent use; on the hot path it
// does not allocate, since the attributes of each function and code are made once.
type Metrics struct {
	provider *sdkmetric.MeterProvider
	handler  http.Handler

	duration    metric.Float64Histogram
	replayed    metric.Int64Counter
	inFlight    metric.Int64UpDownCounter
	shed        metric.Int64Counter
	panics      metric.Int64Counter
	quarantined metric.Int64Gauge
	reloadOK    metric.Int64Gauge
	reloads     metric.Int64Counter
	draining    metric.Int64Gauge
	refused     metric.Int64Counter
	suppressed  metric.Int64Counter
	checkpointMetrics
	garbageMetrics
	stateMetrics

	mu        sync.RWMutex
	evaluated map[evaluatedKey][]metric.RecordOption
}

type evaluatedKey struct {
	function string
	code     problem.Code
}

// NewMetrics returns metrics that are served by its Handler. Version is that of the program.
func NewMetrics(version string) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("prometheus exporter: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	m := &Metrics{
		provider: provider, handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		evaluated: map[evaluatedKey][]metric.RecordOption{},
	}
	if err := m.instruments(provider.Meter(meterName), version); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Metrics) instruments(meter metric.Meter, version string) error {
	var first error
	check := func(err error) {
		if first == nil && err != nil {
			first = fmt.Errorf("metric: %w", err)
		}
	}
	var err error
	m.duration, err = meter.Float64Histogram(nameDuration, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(buckets...),
		metric.WithDescription("time from a call's arrival to its answer, by function and by code of the answer"))
	check(err)
	m.replayed, err = meter.Int64Counter(nameReplayed, metric.WithDescription("calls answered from memory because their id was known"))
	check(err)
	m.inFlight, err = meter.Int64UpDownCounter(nameInFlight, metric.WithDescription("calls of functions that run now"))
	check(err)
	m.shed, err = meter.Int64Counter(nameShed, metric.WithDescription("calls refused with 503 because too many ran"))
	check(err)
	m.panics, err = meter.Int64Counter(namePanics, metric.WithDescription("panics of functions"))
	check(err)
	m.quarantined, err = meter.Int64Gauge(nameQuarantined, metric.WithDescription("1 while the function is quarantined"))
	check(err)
	m.reloadOK, err = meter.Int64Gauge(nameReloadOK, metric.WithDescription("1 if the newest attempt to load the rules succeeded; 0: the older set is in force"))
	check(err)
	m.reloads, err = meter.Int64Counter(nameReloads, metric.WithDescription("attempts to load the rules, by result"))
	check(err)
	m.draining, err = meter.Int64Gauge(nameDraining, metric.WithDescription("1 from SIGTERM on"))
	check(err)
	m.refused, err = meter.Int64Counter(nameRefused, metric.WithDescription("requests that were refused before a function was asked"))
	check(err)
	m.suppressed, err = meter.Int64Counter(nameSuppressed, metric.WithDescription("lines about failed calls that were left out to keep the log small"))
	check(err)
	build, err := meter.Int64Gauge(nameBuild, metric.WithDescription("always 1; its labels say what runs"))
	check(err)
	if first != nil {
		return first
	}
	ctx := context.Background()
	m.draining.Record(ctx, 0)
	m.inFlight.Add(ctx, 0)
	for _, reason := range []string{admission.QueueFull, admission.QueueWait} {
		m.shed.Add(ctx, 0, metric.WithAttributes(attribute.String("reason", reason)))
	}
	goVersion := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	build.Record(ctx, 1, metric.WithAttributes(attribute.String("version", version), attribute.String("go_version", goVersion)))
	return nil
}

// Handler serves the metrics in Prometheus' formats.
func (m *Metrics) Handler() http.Handler { return m.handler }

// Close ends the collection.
func (m *Metrics) Close(ctx context.Context) error { return m.provider.Shutdown(ctx) }

// Evaluated records one answered call. The function's name comes from the registry, never from the caller, so the
// number of label values is bounded.
func (m *Metrics) Evaluated(ctx context.Context, function string, code problem.Code, d time.Duration, replayed bool) {
	if code == "" {
		code = "ok"
	}
	key := evaluatedKey{function, code}
	m.mu.RLock()
	options, ok := m.evaluated[key]
	m.mu.RUnlock()
	if !ok {
		options = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
			attribute.String("function", function), attribute.String("code", string(code))))}
		m.mu.Lock()
		m.evaluated[key] = options
		m.mu.Unlock()
	}
	m.duration.Record(ctx, d.Seconds(), options...)
	if replayed {
		m.replayed.Add(ctx, 1, metric.WithAttributes(attribute.String("function", function)))
	}
}

// Shed counts a refused call.
func (m *Metrics) Shed(reason string) {
	m.shed.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", reason)))
}

// Panicked counts a panic.
func (m *Metrics) Panicked(function string) {
	m.panics.Add(context.Background(), 1, metric.WithAttributes(attribute.String("function", function)))
}

// Quarantined shows whether a function is quarantined.
func (m *Metrics) Quarantined(function string, on bool) {
	m.quarantined.Record(context.Background(), oneIf(on), metric.WithAttributes(attribute.String("function", function)))
}

// InFlight follows the number of running calls.
func (m *Metrics) InFlight(delta int) { m.inFlight.Add(context.Background(), int64(delta)) }

// Reloaded records an attempt to load the rules.
func (m *Metrics) Reloaded(ok bool, _ string) {
	result := "failed"
	if ok {
		result = "ok"
	}
	m.reloadOK.Record(context.Background(), oneIf(ok))
	m.reloads.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", result)))
}

// Refused counts a request that reached no function.
func (m *Metrics) Refused(transport string, code problem.Code) {
	m.refused.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("transport", transport), attribute.String("code", string(code))))
}

// Draining says that the sidecar goes down.
func (m *Metrics) Draining() { m.draining.Record(context.Background(), 1) }

func oneIf(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
