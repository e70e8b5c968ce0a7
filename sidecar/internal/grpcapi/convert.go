package grpcapi

import (
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Domain is the domain of the google.rpc.ErrorInfo in every status.
const Domain = "drey.dev"

// Status is a problem as a gRPC status with the standard details.
func Status(p *problem.Error) *status.Status {
	info := &errdetails.ErrorInfo{
		Reason: string(p.Code), Domain: Domain,
		Metadata: map[string]string{"retryable": strconv.FormatBool(p.Code.Retryable())},
	}
	if p.DecisionID != "" {
		info.Metadata["decision_id"] = p.DecisionID
	}
	details := []protoadapt.MessageV1{protoadapt.MessageV1Of(info)}
	if p.RetryAfter > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(p.RetryAfter)}))
	}
	if len(p.Violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range p.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Message})
		}
		details = append(details, protoadapt.MessageV1Of(bad))
	}
	message := p.Detail
	if message == "" {
		message = p.Code.Title()
	}
	plain := status.New(p.Code.GRPC(), message)
	detailed, err := plain.WithDetails(details...)
	if err != nil { // only for a status OK, which no problem has
		return plain
	}
	return detailed
}

func function(d udf.Description) *dreyv1.Function {
	return &dreyv1.Function{
		Name: d.Name, Kind: string(d.Kind), Doc: d.Doc, Deterministic: d.Deterministic,
		Arguments: fields(d.Arguments), Result: field(d.Result), Signature: d.Signature(),
	}
}

func fields(in []udf.Field) []*dreyv1.Field {
	out := make([]*dreyv1.Field, len(in))
	for i, f := range in {
		out[i] = field(f)
	}
	return out
}

func field(f udf.Field) *dreyv1.Field {
	return &dreyv1.Field{Name: f.Name, Type: typeOf(f.Type), Nullable: f.Nullable}
}

func typeOf(t udf.Type) *dreyv1.Type {
	out := &dreyv1.Type{Root: string(t.Root)}
	if t.Key != nil {
		out.Key = typeOf(*t.Key)
	}
	if t.Element != nil {
		out.Element = field(*t.Element)
	}
	if len(t.Fields) > 0 {
		out.Fields = fields(t.Fields)
	}
	return out
}
