package grpcapi

import (
	"math"
	"strconv"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/envelope"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// originOf reads where an event comes from, under the rules that hold over HTTP too.
func originOf(in *dreyv1.Origin, field string) (evaluate.Origin, error) {
	if in == nil {
		return evaluate.Origin{}, nil
	}
	var wrong []problem.Violation
	switch text := envelope.CheckID(in.GetJob()); {
	case in.GetJob() == "":
		wrong = append(wrong, problem.Violation{Field: field + "origin.job", Message: "is missing"})
	case text != "":
		wrong = append(wrong, problem.Violation{Field: field + "origin.job", Message: text})
	}
	if in.GetSubtask() > envelope.MaxSubtask {
		wrong = append(wrong, problem.Violation{
			Field: field + "origin.subtask", Message: envelope.OutOfRange(strconv.FormatUint(uint64(in.GetSubtask()), 10), 0, envelope.MaxSubtask),
		})
	}
	if len(wrong) > 0 {
		return evaluate.Origin{}, envelope.Refuse(wrong)
	}
	return evaluate.Origin{Job: in.GetJob(), Subtask: int(in.GetSubtask())}, nil
}

// stateOf reads which state a call is for, nil if it is for none, under the rules that hold over HTTP too. All that is wrong
// with it is in one error.
func stateOf(call *dreyv1.EvaluateRequest, field string) (*evaluate.State, error) {
	in := call.GetState()
	if in == nil {
		return nil, nil
	}
	session := in.GetSession() != ""
	var wrong []problem.Violation
	for _, limited := range []struct {
		name        string
		value, most uint64
	}{{"key_group", uint64(in.GetKeyGroup()), envelope.MaxKeyGroup}, {"epoch", in.GetEpoch(), math.MaxInt64}} {
		if limited.value > limited.most {
			wrong = append(wrong, problem.Violation{
				Field: limited.name, Message: envelope.OutOfRange(strconv.FormatUint(limited.value, 10), 0, int64(limited.most)), //nolint:gosec // both limits fit
			})
		}
	}
	wrong = append(wrong, envelope.CheckState(session, in.Key != nil, in.KeyGroup != nil, in.Epoch != nil)...)
	for i := range wrong {
		wrong[i].Field = field + "state." + wrong[i].Field
	}
	if session && call.GetId() == "" {
		wrong = append(wrong, problem.Violation{Field: field + "id", Message: envelope.MissingID})
	}
	if len(wrong) > 0 {
		return nil, envelope.Refuse(wrong)
	}
	state := &evaluate.State{
		Session: in.GetSession(), Key: in.GetKey(), KeyGroup: uint16(in.GetKeyGroup()), Epoch: in.GetEpoch(), Watermark: math.MinInt64, LowWatermark: math.MinInt64, //nolint:gosec // in the limits
	}
	if in.Watermark != nil {
		state.Watermark, state.LowWatermark = in.GetWatermark(), in.GetWatermark()
	}
	if in.LowWatermark != nil {
		state.LowWatermark = in.GetLowWatermark()
	}
	return state, nil
}
