package grpcapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/grpcapi"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

type silent struct{}

func (silent) Evaluated(context.Context, string, problem.Code, time.Duration, bool) {}
func (silent) Shed(string)                                                          {}
func (silent) Panicked(string)                                                      {}
func (silent) Quarantined(string, bool)                                             {}
func (silent) InFlight(int)                                                         {}

type in struct {
	Do string
	N  *int64
}

// serve runs the API in memory, with the function "fraud", which does what its event says.
func serve(t *testing.T) (*grpc.ClientConn, *grpcapi.API) {
	t.Helper()
	registry := udf.NewRegistry()
	udf.Scalar(registry, "fraud", func(_ context.Context, x in) (map[string]string, error) {
		switch x.Do {
		case "error":
			return nil, errors.New("no such account")
		case "panic":
			panic("told to")
		}
		return map[string]string{"did": x.Do}, nil
	}, udf.Doc("does as told"))
	cfg := evaluate.DefaultConfig()
	cfg.Batch.MaxItems = 3
	service, err := evaluate.New(cfg, registry, nil, silent{})
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := telemetry.NewMetrics("test")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	api := grpcapi.New(service, registry, grpcapi.Watch{
		Calls: telemetry.NewCalls(log, metrics), Traces: &telemetry.Traces{}, MaxMessageBytes: 1 << 20,
	})
	listener := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- api.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return listener.Dial() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		api.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn, api
}

func call(event string) *dreyv1.EvaluateRequest {
	return &dreyv1.EvaluateRequest{Id: "mine", Event: &dreyv1.Payload{Encoding: &dreyv1.Payload_Json{Json: []byte(event)}}}
}

func TestEvaluate(t *testing.T) {
	conn, _ := serve(t)
	got, err := dreyv1.NewEvaluatorClient(conn).Evaluate(context.Background(), call(`{"do":"well"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Id != "mine" || got.Function != "fraud" || got.Timestamp == 0 || string(got.Result.GetJson()) != `{"value":{"did":"well"}}` {
		t.Errorf("got %v", got)
	}
}

func TestFailuresCarryTheTable(t *testing.T) {
	conn, _ := serve(t)
	client := dreyv1.NewEvaluatorClient(conn)
	for _, tc := range []struct {
		name   string
		req    *dreyv1.EvaluateRequest
		code   problem.Code
		detail string
		field  string
	}{
		{"no event", &dreyv1.EvaluateRequest{Id: "mine"}, problem.InvalidRequest, "event: is missing", "event"},
		{"malformed event", call(`{"do"`), problem.InvalidRequest, "too early", "event.do"},
		{"duplicate key", call(`{"do":"x","do":"y"}`), problem.InvalidRequest, "stands twice", "event.do"},
		{"deep", call(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)), problem.InvalidRequest, "", ""},
		{"too large", call(`"` + strings.Repeat("x", 2<<20) + `"`), problem.BodyTooLarge, "the limit is 1048576 bytes", ""},
		{"does not fit", call(`{"do":1}`), problem.InvalidEvent, "do: is a number, the function takes STRING", "do"},
		{"function error", call(`{"do":"error"}`), problem.FunctionError, "no such account", ""},
		{"panic", call(`{"do":"panic"}`), problem.FunctionPanic, "told to", ""},
		{"unknown function", &dreyv1.EvaluateRequest{Id: "mine", Function: "fruad", Event: call("1").Event}, problem.UnknownFunction, "did you mean fraud", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.Id = tc.name
			_, err := client.Evaluate(context.Background(), tc.req)
			s := status.Convert(err)
			if s.Code() != tc.code.GRPC() || !strings.Contains(s.Message(), tc.detail) {
				t.Errorf("got %s: %s", s.Code(), s.Message())
			}
			var info *errdetails.ErrorInfo
			var bad *errdetails.BadRequest
			for _, d := range s.Details() {
				switch d := d.(type) {
				case *errdetails.ErrorInfo:
					info = d
				case *errdetails.BadRequest:
					bad = d
				}
			}
			if info.GetReason() != string(tc.code) || info.GetDomain() != grpcapi.Domain || info.GetMetadata()["decision_id"] != tc.name {
				t.Errorf("info %v", info)
			}
			if tc.field != "" && (len(bad.GetFieldViolations()) == 0 || bad.GetFieldViolations()[0].Field != tc.field) {
				t.Errorf("violations %v", bad)
			}
		})
	}
}

func TestRetryInfo(t *testing.T) {
	s := grpcapi.Status(&problem.Error{Code: problem.Overloaded, RetryAfter: 250 * time.Millisecond})
	for _, d := range s.Details() {
		if retry, ok := d.(*errdetails.RetryInfo); ok && retry.RetryDelay.AsDuration() == 250*time.Millisecond {
			return
		}
	}
	t.Errorf("no RetryInfo in %v", s)
}

func TestBatch(t *testing.T) {
	conn, _ := serve(t)
	client := dreyv1.NewEvaluatorClient(conn)
	ctx := context.Background()
	one := func(id, event string) *dreyv1.EvaluateRequest {
		r := call(event)
		r.Id = id
		return r
	}
	got, err := client.EvaluateBatch(ctx, &dreyv1.EvaluateBatchRequest{Function: "fraud", Items: []*dreyv1.EvaluateRequest{
		one("a", `{"do":"a"}`), one("b", `{"do":"error"}`), one("c", `{}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Items[0].GetAnswer().GetId() != "a" || got.Items[1].GetError().GetCode() != "function_error" ||
		got.Items[2].GetError().GetViolations()[0].GetField() != "do" || got.Items[2].GetError().GetDecisionId() != "c" {
		t.Errorf("got %v", got)
	}
	if _, err := client.EvaluateBatch(ctx, &dreyv1.EvaluateBatchRequest{Items: []*dreyv1.EvaluateRequest{one("a", `1`), one("b", `{`)}}); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "items.1.event") {
		t.Errorf("a malformed item: %v", err)
	}
	four := []*dreyv1.EvaluateRequest{one("a", "1"), one("b", "1"), one("c", "1"), one("d", "1")}
	if _, err := client.EvaluateBatch(ctx, &dreyv1.EvaluateBatchRequest{Items: four}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("too large: %v", err)
	}
}

func TestListFunctions(t *testing.T) {
	conn, _ := serve(t)
	got, err := dreyv1.NewEvaluatorClient(conn).ListFunctions(context.Background(), &dreyv1.ListFunctionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	f := got.Functions[0]
	if f.Name != "fraud" || f.Doc != "does as told" || f.Arguments[1].Type.Root != "BIGINT" || !f.Arguments[1].Nullable || f.Result.Type.Key.Root != "STRING" {
		t.Errorf("got %v", f)
	}
}

func TestHealthAndReflection(t *testing.T) {
	conn, api := serve(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	health := healthv1.NewHealthClient(conn)
	for _, ready := range []bool{false, true, false} {
		api.SetReady(ready)
		for _, service := range []string{"", "drey.v1.Evaluator"} {
			got, err := health.Check(ctx, &healthv1.HealthCheckRequest{Service: service})
			if err != nil || (got.Status == healthv1.HealthCheckResponse_SERVING) != ready {
				t.Errorf("%q, ready %v: %v, %v", service, ready, got, err)
			}
		}
	}
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || !strings.Contains(got.String(), "drey.v1.Evaluator") {
		t.Errorf("reflection: %v, %v", got, err)
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("end of reflection: %v", err)
	}
}
