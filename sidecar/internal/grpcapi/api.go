// Package grpcapi translates drey.v1.Evaluator to the domain service and back. What a failure means is decided in package
// problem, for HTTP and gRPC alike; here it only takes the form of a status with the standard details.
package grpcapi

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

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

// New returns a server that is not yet serving; options carry the certificate and what else the server decides.
func New(service Service, functions *udf.Registry, watch Watch, options ...grpc.ServerOption) *API {
	options = append(options,
		// Somewhat more is read than is allowed, so that the refusal can come with the details of the table.
		grpc.MaxRecvMsgSize(4*watch.MaxMessageBytes),
		// A later authentication goes between the two: it is seen by the log, and comes before any work.
		grpc.ChainUnaryInterceptor(watch.observed, recovered, watch.limited),
	)
	api := &API{Server: grpc.NewServer(options...), health: health.NewServer()}
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
	state, err := stateOf(in, field)
	if err != nil {
		return evaluate.Request{}, err
	}
	origin, err := originOf(in.GetOrigin(), field)
	if err != nil {
		return evaluate.Request{}, err
	}
	return evaluate.Request{ID: in.GetId(), Function: in.GetFunction(), Event: event, State: state, Origin: origin}, nil
}

func invalid(field, message string) error {
	p := problem.New(problem.InvalidRequest, "%s: %s", field, message)
	p.Violations = []problem.Violation{{Field: field, Message: message}}
	return p
}

func (e *evaluator) Evaluate(ctx context.Context, in *dreyv1.EvaluateRequest) (*dreyv1.EvaluateResponse, error) {
	req, err := request(in, "")
	if err != nil {
		return nil, failed(named(err, in.GetId()))
	}
	answer, err := e.service.Evaluate(ctx, req)
	if err != nil {
		return nil, failed(problem.From(err))
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
			return nil, failed(problem.From(err))
		}
		if req.Function == "" {
			req.Function = in.GetFunction()
		}
		reqs[i] = req
	}
	outcomes, err := e.service.EvaluateBatch(ctx, reqs)
	if err != nil {
		return nil, failed(problem.From(err))
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
	p := &dreyv1.Problem{
		Code: string(o.Err.Code), Detail: o.Err.Detail, Retryable: o.Err.Code.Retryable(),
		RetryAfterMs: o.Err.RetryAfter.Milliseconds(), DecisionId: o.Err.DecisionID,
	}
	for _, v := range o.Err.Violations {
		p.Violations = append(p.Violations, &dreyv1.Violation{Field: v.Field, Message: v.Message})
	}
	return &dreyv1.EvaluateBatchItem{Outcome: &dreyv1.EvaluateBatchItem_Error{Error: p}}
}

func response(a evaluate.Answer) *dreyv1.EvaluateResponse {
	out := &dreyv1.EvaluateResponse{
		Id: a.ID, Function: a.Function, Timestamp: a.Time.UnixMilli(),
		Result: &dreyv1.Payload{Encoding: &dreyv1.Payload_Json{Json: a.Result}},
	}
	if a.State != nil {
		out.State = &dreyv1.StateAnswer{Guarantee: a.State.Guarantee, Version: a.State.Version}
	}
	return out
}

// named gives a refused request an id under which its line in the log is found.
func named(err error, id string) *problem.Error {
	p := *problem.From(err)
	if p.DecisionID = id; id == "" {
		p.DecisionID = ulid.Make().String()
	}
	return &p
}

func (e *evaluator) ListFunctions(context.Context, *dreyv1.ListFunctionsRequest) (*dreyv1.ListFunctionsResponse, error) {
	out := &dreyv1.ListFunctionsResponse{}
	for _, f := range e.functions.Functions() {
		out.Functions = append(out.Functions, function(f.Describe()))
	}
	return out, nil
}
