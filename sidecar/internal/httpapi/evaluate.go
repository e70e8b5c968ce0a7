package httpapi

import (
	"bytes"
	"context"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/drey-flink/drey/sidecar/internal/envelope"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
)

// callContext outlives the connection on purpose. net/http takes a client that has only closed its sending half for one
// that is gone; and the answer to a client that really went away is remembered for its next try. What bounds a call is
// its deadline.
func (x *exchange) callContext() context.Context {
	if x.span == nil {
		return context.Background()
	}
	return trace.ContextWithSpan(context.Background(), x.span)
}

func (a *API) evaluate(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	body, err := a.read(r)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	call, err := envelope.ReadCall(body.bytes)
	event := bytes.Clone(call.Event) // the service owns it from here on
	body.release()
	if err != nil {
		a.fail(x, err, call.ID)
		return
	}
	x.call.Refused = false
	answer, err := a.Service.Evaluate(x.callContext(), evaluate.Request{ID: call.ID, Function: call.Function, Event: event, State: stateOf(call), Origin: originOf(call)})
	if err != nil {
		x.call.Function = call.Function
		a.fail(x, err, call.ID)
		return
	}
	x.decided(answer.ID, answer.Function)
	out := newBuffer()
	defer out.release()
	out.bytes = append(appendAnswer(out.bytes, answer), '\n')
	x.send(http.StatusOK, jsonHeader, out.bytes)
}

func (a *API) evaluateBatch(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	body, err := a.read(r)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	batch, err := envelope.ReadBatch(body.bytes) // the events are part of the body, which is theirs now
	if err != nil {
		a.fail(x, err, "")
		return
	}
	requests := make([]evaluate.Request, len(batch.Items))
	for i, item := range batch.Items {
		requests[i] = evaluate.Request{ID: item.ID, Function: item.Function, Event: item.Event, State: stateOf(item), Origin: originOf(item)}
		if item.Function == "" {
			requests[i].Function = batch.Function
		}
	}
	outcomes, err := a.Service.EvaluateBatch(x.callContext(), requests)
	if err != nil {
		a.fail(x, err, "")
		return
	}
	x.call.Refused, x.call.Function, x.call.Items = false, batch.Function, len(outcomes)
	out := newBuffer()
	defer out.release()
	out.bytes = append(out.bytes, `{"items":[`...)
	for i, o := range outcomes {
		if i > 0 {
			out.bytes = append(out.bytes, ',')
		}
		if o.Err == nil {
			out.bytes = appendAnswer(out.bytes, o.Answer)
			continue
		}
		out.bytes = appendFailure(out.bytes, o.Err)
		if x.call.Failed++; x.call.Err == nil {
			x.call.Err = o.Err
		}
	}
	out.bytes = append(out.bytes, "]}\n"...)
	x.send(http.StatusOK, jsonHeader, out.bytes)
}

func originOf(call envelope.Call) evaluate.Origin {
	return evaluate.Origin{Job: call.Origin.Job, Subtask: call.Origin.Subtask}
}

func stateOf(call envelope.Call) *evaluate.State {
	if call.State == nil {
		return nil
	}
	return &evaluate.State{
		Session: call.State.Session, Key: call.State.Key, KeyGroup: call.State.KeyGroup, Epoch: call.State.Epoch, Watermark: call.State.Watermark,
		LowWatermark: call.State.LowWatermark,
	}
}
