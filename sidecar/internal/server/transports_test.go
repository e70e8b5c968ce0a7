package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// TestTransportsAgree sends the same bad input over both transports: what it means must be the same.
func TestTransportsAgree(t *testing.T) {
	s := start(t, config.Flag{Name: "evaluate-function-deadlines", Value: "slow=20ms"}, config.Flag{Name: "evaluate-quarantine-after", Value: "2"})
	client := dreyv1.NewEvaluatorClient(s.dialGRPC(t, insecure.NewCredentials()))
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }

	for _, c := range []struct {
		name, function, id, event string
		code                      problem.Code // "" = answered
		detail                    string
	}{
		{name: "answered", function: "number", event: `{"n":9223372036854775807,"x":1.5}`},
		{name: "unknown keys of the event are allowed", function: "number", event: `{"n":1,"other":[{}]}`},
		{name: "malformed", function: "number", event: `{"n":`, code: problem.InvalidRequest, detail: "event.n: "},
		{name: "duplicate key", function: "number", event: `{"n":1,"n":2}`, code: problem.InvalidRequest, detail: "event.n: the name stands twice in its object"},
		{name: "invalid UTF-8", function: "number", event: "{\"n\":1,\"name\":\"\xff\"}", code: problem.InvalidRequest, detail: "invalid UTF-8"},
		{name: "lone surrogate", function: "number", event: `{"n":1,"name":"\ud800"}`, code: problem.InvalidRequest, detail: "surrogate"},
		{name: "NaN", function: "number", event: `{"n":NaN}`, code: problem.InvalidRequest, detail: "event.n: invalid character 'N'"},
		{name: "129 levels", function: "number", event: nested(129), code: problem.InvalidRequest, detail: "event: is nested deeper than 128 levels"},
		{name: "100,000 levels", function: "number", event: nested(100_000), code: problem.InvalidRequest, detail: "depth"},
		{name: "128 levels", function: "number", event: nested(128), code: problem.InvalidEvent, detail: "n: "},
		{name: "wrong type", function: "number", event: `{"n":"1","name":2}`, code: problem.InvalidEvent, detail: "n: is a string, the function takes BIGINT; name: is a number, the function takes STRING"},
		{name: "missing field", function: "number", event: `{}`, code: problem.InvalidEvent, detail: "n: is missing"},
		{name: "null where none is allowed", function: "number", event: `{"n":null}`, code: problem.InvalidEvent, detail: "n: is null"},
		{name: "event that is no object", function: "number", event: `null`, code: problem.InvalidEvent, detail: "event: "},
		{name: "huge integer", function: "number", event: `{"n":1e400}`, code: problem.InvalidEvent, detail: "n: "},
		{name: "integer out of range", function: "number", event: `{"n":9223372036854775808}`, code: problem.InvalidEvent, detail: "out of range"},
		{name: "huge double", function: "number", event: `{"n":1,"x":1e999}`, code: problem.InvalidEvent, detail: "out of range"},
		{name: "unknown function", function: "numbr", event: `{"n":1}`, code: problem.UnknownFunction, detail: "did you mean number?"},
		{name: "long id", function: "number", id: strings.Repeat("x", 257), event: `{"n":1}`, code: problem.InvalidRequest, detail: "id: has 257 bytes, the limit is 256"},
		{name: "control character in the id", function: "number", id: "a\x01", event: `{"n":1}`, code: problem.InvalidRequest, detail: "id: has a control character"},
		{name: "the function's error", function: "bad", event: `{"n":1}`, code: problem.FunctionError, detail: "bad: no such account"},
		{name: "deadline", function: "slow", event: `{"n":1}`, code: problem.DeadlineExceeded, detail: "slow did not answer within 20ms"},
		{name: "panic", function: "panics", event: `{"n":1}`, code: problem.FunctionPanic, detail: "panics: panic: told to"},
		{name: "quarantined", function: "panics", event: `{"n":1}`, code: problem.FunctionQuarantined, detail: "panics: quarantined after 2 panics"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := json.Marshal(c.id)
			if err != nil {
				t.Fatal(err)
			}
			if c.id == "" {
				id = []byte("null")
			}
			a := s.do("POST", "/evaluate", fmt.Sprintf(`{"function":%q,"id":%s,"event":%s}`, c.function, id, c.event))
			var p problem.Document
			_ = json.Unmarshal([]byte(a.body), &p)
			resp, err := client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Function: c.function, Id: c.id, Event: event(c.event)})
			if c.code == "" {
				if a.status != 200 || err != nil {
					t.Fatalf("HTTP %d %s, gRPC %v", a.status, a.body, err)
				}
				if !strings.Contains(a.body, `"result":`+string(resp.GetResult().GetJson())) {
					t.Errorf("HTTP %s, gRPC %s", a.body, resp.GetResult().GetJson())
				}
				return
			}
			if p.Code != c.code || a.status != c.code.HTTP() || p.Status != a.status || p.Retryable != c.code.Retryable() || p.DecisionID == "" || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("HTTP: %d %s", a.status, a.body)
			}
			if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Decision-Id") == "" || (a.status == 503) != (a.header.Get("Retry-After") != "") {
				t.Errorf("HTTP: %v", a.header)
			}
			st := status.Convert(err)
			info := errorInfo(st)
			if info.GetReason() != string(c.code) || st.Code() != c.code.GRPC() || info.GetMetadata()["decision_id"] == "" || !strings.Contains(st.Message(), c.detail) {
				t.Errorf("gRPC: %v %v", st, info)
			}
			if got, want := len(violations(st)), len(p.Violations); got != want {
				t.Errorf("%d violations over gRPC, %d over HTTP", got, want)
			}
		})
	}
	t.Run("id reused", func(t *testing.T) {
		if a := s.do("POST", "/evaluate", `{"function":"number","id":"one","event":{"n":1}}`); a.status != 200 {
			t.Fatal(a.body)
		}
		// The same in another spelling: the stored answer, over the other transport.
		resp, err := client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Function: "number", Id: "one", Event: event(`{ "n" : 1 }`)})
		if err != nil || !strings.Contains(string(resp.GetResult().GetJson()), `"n":1`) {
			t.Errorf("replay over gRPC: %v, %v", resp, err)
		}
		if a := s.do("POST", "/evaluate", `{"function":"number","id":"one","event":{"n":2}}`); a.status != 422 || a.code() != "id_reused" {
			t.Errorf("HTTP: %d %s", a.status, a.body)
		}
		_, err = client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Function: "number", Id: "one", Event: event(`{"n":2}`)})
		if info := errorInfo(status.Convert(err)); info.GetReason() != "id_reused" {
			t.Errorf("gRPC: %v", err)
		}
	})
}

func errorInfo(s *status.Status) *errdetails.ErrorInfo {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

func violations(s *status.Status) []*errdetails.BadRequest_FieldViolation {
	for _, d := range s.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			return bad.GetFieldViolations()
		}
	}
	return nil
}

// Ten times as many calls as may run: each is answered 200 or 503, and a 503 says when to come again.
func TestOverload(t *testing.T) {
	s := start(t, config.Flag{Name: "evaluate-admission-max-in-flight", Value: "4"}, config.Flag{Name: "evaluate-admission-queue", Value: "4"},
		config.Flag{Name: "evaluate-admission-queue-wait", Value: "50ms"}, config.Flag{Name: "evaluate-deadline", Value: "20s"})
	answers := make(chan answer, 40)
	for range 40 {
		go func() {
			a, err := s.try("POST", "http://"+s.bound.HTTP+"/evaluate", `{"function":"wait","event":{"n":1}}`)
			if err != nil {
				a.body = err.Error()
			}
			answers <- a
		}()
	}
	shed := 0
	for range 36 { // all but the four that run
		a := <-answers
		if a.status != 503 || a.code() != "overloaded" || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"retryable":true`) {
			t.Errorf("got %d %v %s", a.status, a.header, a.body)
		}
		shed++
	}
	close(s.release)
	for range 4 {
		if a := <-answers; a.status != 200 {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	if got := s.admin("/metrics").body; shed != 36 || !strings.Contains(got, `drey_evaluate_duration_seconds_count{code="overloaded",function="wait"} 36`) {
		t.Errorf("%d shed; the metrics do not tell", shed)
	}
}
