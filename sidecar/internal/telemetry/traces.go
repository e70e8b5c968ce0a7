package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Traces makes the spans of calls. Without a collector they cost nothing.
type Traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider // nil when off
}

// NewTraces sends spans to the OTLP/HTTP endpoint, or to the one in OTEL_EXPORTER_OTLP_ENDPOINT or
// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; with neither, it makes none. It does not wait for the collector: a decision must
// not depend on it. A caller's choice to sample is followed, ratio is for traces that begin here.
func NewTraces(ctx context.Context, endpoint, service string, ratio float64) (*Traces, error) {
	var options []otlptracehttp.Option
	switch {
	case endpoint != "":
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("telemetry.otlp_endpoint: %q is not a URL such as http://127.0.0.1:4318", endpoint)
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces" // as with OTEL_EXPORTER_OTLP_ENDPOINT, which names the collector and not the path
		}
		options = append(options, otlptracehttp.WithEndpointURL(u.String()))
	case os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "":
		return &Traces{tracer: noop.NewTracerProvider().Tracer("")}, nil
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
	)
	return &Traces{tracer: provider.Tracer("drey.dev/sidecar"), provider: provider}, nil
}

// On says whether spans go anywhere.
func (t *Traces) On() bool { return t.provider != nil }

// Tracer makes spans.
func (t *Traces) Tracer() trace.Tracer { return t.tracer }

// Start begins the span of a call that arrived; carrier holds the caller's traceparent. Without a collector there is no
// span, which is nil.
func (t *Traces) Start(ctx context.Context, carrier propagation.TextMapCarrier, name string) (context.Context, trace.Span) {
	if t.provider == nil {
		return ctx, nil
	}
	return t.tracer.Start(propagation.TraceContext{}.Extract(ctx, carrier), name, trace.WithSpanKind(trace.SpanKindServer))
}

// TraceID is the trace id of a W3C traceparent header, or "".
func TraceID(traceparent string) string {
	if len(traceparent) < 55 || traceparent[2] != '-' || traceparent[35] != '-' {
		return ""
	}
	id, err := trace.TraceIDFromHex(traceparent[3:35])
	if err != nil {
		return ""
	}
	return id.String()
}

// Close sends what is left.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
