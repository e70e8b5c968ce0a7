package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/invoke"
)

// Call is what is known of a call when it has been answered.
type Call struct {
	Transport  string // http or grpc
	Operation  string // POST /evaluate, or the gRPC method
	Status     int    // HTTP status, or gRPC code
	Function   string
	DecisionID string
	RequestID  string
	TraceID    string // from the caller's traceparent; used if there is no span
	Items      int    // of a batch
	Failed     int    // items of the batch that failed; Err is the first of their errors
	Err        *problem.Error
	Refused    bool // no function was asked
	Duration   time.Duration
}

// Calls is the log of calls: good ones at debug, bad ones as warnings. A flood of bad calls must not become a flood of
// log lines, so of each kind of problem only a few a second are written, with the number of those left out.
type Calls struct {
	log     *slog.Logger
	metrics *Metrics
	kinds   map[problem.Code]*kind
}

type kind struct {
	limit      *rate.Limiter
	suppressed atomic.Int64
}

// NewCalls returns the log of calls.
func NewCalls(log *slog.Logger, metrics *Metrics) *Calls {
	const aSecond, atOnce = 5, 10
	c := &Calls{log: log, metrics: metrics, kinds: map[problem.Code]*kind{}}
	for _, code := range problem.Codes() {
		c.kinds[code] = &kind{limit: rate.NewLimiter(aSecond, atOnce)}
	}
	return c
}

// Done notes an answered call.
func (c *Calls) Done(ctx context.Context, call *Call) {
	if call.Err == nil {
		if c.log.Enabled(ctx, slog.LevelDebug) {
			c.log.LogAttrs(ctx, slog.LevelDebug, "call answered", call.attrs(ctx)...)
		}
		return
	}
	if call.Refused {
		c.metrics.Refused(call.Transport, call.Err.Code)
	}
	k, level := c.kinds[call.Err.Code], slog.LevelWarn
	if call.Err.Code == problem.Internal || call.Err.Code == problem.FunctionPanic {
		level = slog.LevelError
	}
	if k == nil || !c.log.Enabled(ctx, level) {
		return
	}
	if !k.limit.Allow() {
		k.suppressed.Add(1)
		c.metrics.suppressed.Add(ctx, 1)
		return
	}
	c.log.LogAttrs(ctx, level, "call failed", append(call.attrs(ctx), call.problem(k.suppressed.Swap(0))...)...)
}

func (call *Call) attrs(ctx context.Context) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("transport", call.Transport), slog.String("operation", call.Operation), slog.Int("status", call.Status),
		slog.Float64("duration_ms", float64(call.Duration.Microseconds())/1000),
	}
	for _, each := range [...]struct{ key, value string }{
		{"function", call.Function}, {"decision_id", call.DecisionID}, {"request_id", call.RequestID},
	} {
		if each.value != "" {
			attrs = append(attrs, slog.String(each.key, each.value))
		}
	}
	if call.TraceID != "" && !trace.SpanContextFromContext(ctx).IsValid() {
		attrs = append(attrs, slog.String("trace_id", call.TraceID))
	}
	if call.Items > 0 {
		attrs = append(attrs, slog.Int("items", call.Items), slog.Int("failed", call.Failed))
	}
	return attrs
}

// problem leaves payloads out: of an event that does not fit, the fields are named, and what stands in them is not. (A
// function's own error is its author's choice of words.)
func (call *Call) problem(suppressed int64) []slog.Attr {
	attrs := []slog.Attr{slog.String("code", string(call.Err.Code))}
	if call.Err.Code == problem.InvalidEvent && len(call.Err.Violations) > 0 {
		fields := make([]string, len(call.Err.Violations))
		for i, v := range call.Err.Violations {
			fields[i] = v.Field
		}
		attrs = append(attrs, slog.Any("fields", fields))
	} else {
		attrs = append(attrs, slog.String("detail", call.Err.Detail))
	}
	if cause := call.Err.Err; cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
		var panicked *invoke.PanicError
		if errors.As(cause, &panicked) {
			attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
		}
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int64("suppressed", suppressed))
	}
	return attrs
}

// End closes the span of a call; a nil span is none.
func (call *Call) End(span trace.Span) {
	if span == nil {
		return
	}
	span.SetName(call.Operation)
	span.SetAttributes(attribute.String("drey.function", call.Function), attribute.String("drey.decision_id", call.DecisionID))
	if call.Transport == "http" {
		span.SetAttributes(attribute.Int("http.response.status_code", call.Status))
	} else {
		span.SetAttributes(attribute.Int("rpc.grpc.status_code", call.Status))
	}
	if call.Err != nil {
		span.SetAttributes(attribute.String("drey.code", string(call.Err.Code)))
		span.SetStatus(codes.Error, string(call.Err.Code))
	}
	span.End()
}

// Verbose says whether good calls are written too.
func (c *Calls) Verbose(ctx context.Context) bool { return c.log.Enabled(ctx, slog.LevelDebug) }
