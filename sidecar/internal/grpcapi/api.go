// Package grpcapi translates drey.v1.Evaluator to the domain service and back. What a failure means is decided in package
// problem, for HTTP and gRPC alike; here it only takes the form of a status with the standard details.
package grpcapi

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/envelope"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Service is what the adapter needs of the domain.
type Service interface {
	Evaluate(context.Context, evaluate.Request) (evaluate.Answer, error)
	EvaluateBatch(context.Context, []evaluate.Request) ([]evaluate.Outcome, error)
}

// API is the gRPC server: Evaluator, health and reflection. It is not ready until SetReady(true).
type API struct {
	*grpc.Server
	health *health.Server
}

// New returns a server that is not yet serving; options carry the limits and the certificate.
func New(service Service, functions *udf.Registry, log *slog.Logger, options ...grpc.ServerOption) *API {
	api := &API{
		Server: grpc.NewServer(append(options, grpc.ChainUnaryInterceptor(recovered(log)))...),
		health: health.NewServer(),
	}
	dreyv1.RegisterEvaluatorServer(api.Server, &evaluator{service: service, functions: functions})
	healthv1.RegisterHealthServer(api.Server, api.health)
	reflection.Register(api.Server)
	api.SetReady(false)
	return api
}

// SetReady says to those who watch the server's health, as a whole and of the Evaluator, whether to send calls.
func (a *API) SetReady(ready bool) {
	state := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", dreyv1.Evaluator_ServiceDesc.ServiceName} {
		a.health.SetServingStatus(service, state)
	}
}

// recovered makes a panic of the adapter the error of that call. (A panic of a function never gets here.)
func recovered(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
		defer func() {
			if value := recover(); value != nil {
				log.Error("panic in a gRPC handler", "method", info.FullMethod, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
				resp, err = nil, status.Error(codes.Internal, problem.Internal.Title())
			}
		}()
		return next(ctx, req)
	}
}

type evaluator struct {
	dreyv1.UnimplementedEvaluatorServer
	service   Service
	functions *udf.Registry
}

// request reads one call under the rules that hold over HTTP too.
func request(in *dreyv1.EvaluateRequest, field string) (evaluate.Request, error) {
	event := in.GetEvent().GetJson()
	if event == nil {
		return evaluate.Request{}, invalid(field+"event", "is missing: set event.json")
	}
	if wrong := envelope.CheckID(in.GetId()); wrong != "" {
		return evaluate.Request{}, invalid(field+"id", wrong)
	}
	if err := envelope.CheckEvent(event, field+"event"); err != nil {
		return evaluate.Request{}, err
	}
	return evaluate.Request{ID: in.GetId(), Function: in.GetFunction(), Event: event}, nil
}

func invalid(field, message string) error {
	p := problem.New(problem.InvalidRequest, "%s: %s", field, message)
	p.Violations = []problem.Violation{{Field: field, Message: message}}
	return p
}

func (e *evaluator) Evaluate(ctx context.Context, in *dreyv1.EvaluateRequest) (*dreyv1.EvaluateResponse, error) {
	req, err := request(in, "")
	if err != nil {
		return nil, Status(named(err, in.GetId())).Err()
	}
	answer, err := e.service.Evaluate(ctx, req)
	if err != nil {
		return nil, Status(problem.From(err)).Err()
	}
	return response(answer), nil
}

// EvaluateBatch refuses a batch with a malformed item as a whole, as HTTP does: it shows a broken sender, not a poison
// record.
func (e *evaluator) EvaluateBatch(ctx context.Context, in *dreyv1.EvaluateBatchRequest) (*dreyv1.EvaluateBatchResponse, error) {
	reqs := make([]evaluate.Request, len(in.GetItems()))
	for i, item := range in.GetItems() {
		req, err := request(item, fmt.Sprintf("items.%d.", i))
		if err != nil {
			return nil, Status(problem.From(err)).Err()
		}
		if req.Function == "" {
			req.Function = in.GetFunction()
		}
		reqs[i] = req
	}
	outcomes, err := e.service.EvaluateBatch(ctx, reqs)
	if err != nil {
		return nil, Status(problem.From(err)).Err()
	}
	out := &dreyv1.EvaluateBatchResponse{Items: make([]*dreyv1.EvaluateBatchItem, len(outcomes))}
	for i, o := range outcomes {
		out.Items[i] = batchItem(o)
	}
	return out, nil
}

func batchItem(o evaluate.Outcome) *dreyv1.EvaluateBatchItem {
	if o.Err == nil {
		return &dreyv1.EvaluateBatchItem{Outcome: &dreyv1.EvaluateBatchItem_Answer{Answer: response(o.Answer)}}
	}
	failed := &dreyv1.Problem{
		Code: string(o.Err.Code), Detail: o.Err.Detail, Retryable: o.Err.Code.Retryable(),
		RetryAfterMs: o.Err.RetryAfter.Milliseconds(), DecisionId: o.Err.DecisionID,
	}
	for _, v := range o.Err.Violations {
		failed.Violations = append(failed.Violations, &dreyv1.Violation{Field: v.Field, Message: v.Message})
	}
	return &dreyv1.EvaluateBatchItem{Outcome: &dreyv1.EvaluateBatchItem_Error{Error: failed}}
}

func response(a evaluate.Answer) *dreyv1.EvaluateResponse {
	return &dreyv1.EvaluateResponse{
		Id: a.ID, Function: a.Function, Timestamp: a.Time.UnixMilli(),
		Result: &dreyv1.Payload{Encoding: &dreyv1.Payload_Json{Json: a.Result}},
	}
}

func named(err error, id string) *problem.Error {
	p := *problem.From(err)
	p.DecisionID = id
	return &p
}

func (e *evaluator) ListFunctions(context.Context, *dreyv1.ListFunctionsRequest) (*dreyv1.ListFunctionsResponse, error) {
	out := &dreyv1.ListFunctionsResponse{}
	for _, f := range e.functions.Functions() {
		out.Functions = append(out.Functions, function(f.Describe()))
	}
	return out, nil
}
