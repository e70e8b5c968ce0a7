package grpcapi

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
)

// Watch is what surrounds every call: its limit, its line in the log, its span.
type Watch struct {
	Calls           *telemetry.Calls
	Traces          *telemetry.Traces
	MaxMessageBytes int
}

// failure is a problem as an error of gRPC that is still known as a problem inside this process.
type failure struct{ p *problem.Error }

func failed(p *problem.Error) error { return failure{p} }

// GRPCStatus is what grpc-go sends.
func (f failure) GRPCStatus() *status.Status { return Status(f.p) }

func (f failure) Error() string { return f.p.Error() }

func (f failure) Unwrap() error { return f.p }

// carrier reads the caller's traceparent from the metadata.
type carrier metadata.MD

func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}
func (c carrier) Set(key, value string) { metadata.MD(c).Set(key, value) }
func (c carrier) Keys() []string        { return nil }

func (w Watch) observed(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !strings.HasPrefix(info.FullMethod, "/drey.") {
		return next(ctx, req) // health checks are no calls
	}
	start := time.Now()
	md, _ := metadata.FromIncomingContext(ctx)
	ctx, span := w.Traces.Start(ctx, carrier(md), info.FullMethod)
	resp, err := next(ctx, req)
	if err == nil && span == nil && !w.Calls.Verbose(ctx) && !batchFailed(resp) {
		return resp, nil
	}
	call := telemetry.Call{
		Transport: "grpc", Operation: info.FullMethod, Status: int(status.Code(err)), Duration: time.Since(start),
		RequestID: carrier(md).Get("x-request-id"), TraceID: telemetry.TraceID(carrier(md).Get("traceparent")),
	}
	describe(&call, req, resp, err)
	w.Calls.Done(ctx, &call)
	call.End(span)
	return resp, err
}

// describe adds what the messages tell.
func describe(call *telemetry.Call, req, resp any, err error) {
	if in, ok := req.(interface{ GetFunction() string }); ok {
		call.Function = in.GetFunction()
	}
	switch out := resp.(type) {
	case *dreyv1.EvaluateResponse:
		call.DecisionID, call.Function = out.GetId(), out.GetFunction()
	case *dreyv1.EvaluateBatchResponse:
		call.Items = len(out.GetItems())
		for _, item := range out.GetItems() {
			if p := item.GetError(); p != nil {
				if call.Failed++; call.Err == nil {
					call.Err = &problem.Error{Code: problem.Code(p.GetCode()), Detail: p.GetDetail()}
				}
			}
		}
	}
	if err != nil {
		call.Err = problem.From(err)
		call.DecisionID = call.Err.DecisionID
		call.Refused = call.Err.Code == problem.InvalidRequest || call.Err.Code == problem.BodyTooLarge
	}
}

func batchFailed(resp any) bool {
	out, ok := resp.(*dreyv1.EvaluateBatchResponse)
	if !ok {
		return false
	}
	for _, item := range out.GetItems() {
		if item.GetError() != nil {
			return true
		}
	}
	return false
}

// recovered makes a panic of the adapter the error of that call. (A panic of a function never gets here.)
func recovered(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if value := recover(); value != nil {
			resp, err = nil, failed(named(fmt.Errorf("panic in a gRPC handler: %v\n%s", value, debug.Stack()), ""))
		}
	}()
	return next(ctx, req)
}

func (w Watch) limited(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if m, ok := req.(proto.Message); ok && proto.Size(m) > w.MaxMessageBytes {
		p := problem.New(problem.BodyTooLarge, "the limit is %d bytes (grpc.max_message_bytes)", w.MaxMessageBytes)
		id := ""
		if in, ok := req.(interface{ GetId() string }); ok {
			id = in.GetId()
		}
		return nil, failed(named(p, id))
	}
	return next(ctx, req)
}
