package server_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/credentials/insecure"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/config"
)

// A call without a session says by which job it is made, over both transports, and its decision is found by that.
func TestOriginIsInTheDecisionLog(t *testing.T) {
	s := start(t, config.Flag{Name: "decisions-dir", Value: t.TempDir()})
	client := dreyv1.NewEvaluatorClient(s.dialGRPC(t, insecure.NewCredentials()))
	if a := s.do("POST", "/evaluate", `{"id":"over-http","function":"number","event":{"n":1},"origin":{"job":"j","subtask":3}}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.do("POST", "/evaluate", `{"id":"of-nobody","function":"number","event":{"n":1}}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	call := &dreyv1.EvaluateRequest{Id: "over-grpc", Function: "number", Event: event(`{"n":1}`), Origin: &dreyv1.Origin{Job: "j", Subtask: 3}}
	if _, err := client.Evaluate(context.Background(), call); err != nil {
		t.Fatal(err)
	}
	var a answer
	eventually(t, "both decisions of the job are in the log", func() bool { // which writes some at a time
		a = s.do("GET", "/v1/decisions?job=j", "")
		return strings.Count(a.body, `"seq"`) == 2
	})
	for text, times := range map[string]int{`"over-http"`: 1, `"over-grpc"`: 1, `"of-nobody"`: 0, `"job":"j"`: 2, `"subtask":3`: 2} {
		if a.status != 200 || strings.Count(a.body, text) != times {
			t.Errorf("%s is not there %d times: %d %s", text, times, a.status, a.body)
		}
	}
	call.Origin = &dreyv1.Origin{Subtask: 1 << 20}
	if _, err := client.Evaluate(context.Background(), call); err == nil || !strings.Contains(err.Error(), "origin.job: is missing; origin.subtask: is 1048576") {
		t.Errorf("an origin without a job: %v", err)
	}
}
