package telemetry

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
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
		options = append(options, otlptracehttp.WithEndpointURL(endpoint))
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

// Close sends what is left.
func (t *Traces) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
