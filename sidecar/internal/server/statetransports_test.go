package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	dreyv1 "github.com/drey-flink/drey/proto/gen/go/drey/v1"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/problem"
)

// counted is an answer of the function count over HTTP.
type counted struct {
	Result struct{ Count int64 }
	State  struct {
		Guarantee string
		Version   uint64
	}
}

func stateful(t *testing.T, flags ...config.Flag) (*sidecar, dreyv1.EvaluatorClient) {
	t.Helper()
	s := start(t, append([]config.Flag{{Name: "state-enabled", Value: "true"}, {Name: "evaluate-default-function", Value: "count"}}, flags...)...)
	return s, dreyv1.NewEvaluatorClient(s.dialGRPC(t, insecure.NewCredentials()))
}

// openSession opens a session of all 128 key groups.
func (s *sidecar) openSession(t *testing.T, job string) string {
	t.Helper()
	a := s.do("POST", "/v1/state/sessions", fmt.Sprintf(`{"job":%q,"operator":"op","subtask":0,"max_parallelism":128,"key_groups":[0,127],"restored":false}`, job))
	var opened struct{ Session string }
	if err := json.Unmarshal([]byte(a.body), &opened); err != nil || a.status != 201 {
		t.Fatalf("open: %d %s", a.status, a.body)
	}
	return opened.Session
}

// One function with one state, by both transports in turn: each sees what the other has written, and answers its ids.
func TestStateOverBothTransports(t *testing.T) {
	s, client := stateful(t, config.Flag{Name: "state-store", Value: "file://" + t.TempDir()})
	session := s.openSession(t, "j")
	for _, c := range []struct {
		name, guarantee, json string
		state                 *dreyv1.State
	}{
		{"of a session", "checkpointed", fmt.Sprintf(`{"session":%q,"epoch":0,"key_group":7,"key":"k","watermark":1000}`, session),
			&dreyv1.State{Session: session, Epoch: proto.Uint64(0), KeyGroup: proto.Uint32(7), Key: proto.String("k"), Watermark: proto.Int64(1000)}},
		{"of the sidecar", "at-least-once", `{"key":""}`, &dreyv1.State{Key: proto.String("")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			over := map[string]func(id string) (counted, error){
				"HTTP": func(id string) (out counted, err error) {
					a := s.do("POST", "/evaluate", fmt.Sprintf(`{"id":%q,"event":{},"state":%s}`, id, c.json))
					if a.status != 200 {
						return out, fmt.Errorf("%d %s", a.status, a.body)
					}
					return out, json.Unmarshal([]byte(a.body), &out)
				},
				"gRPC": func(id string) (out counted, err error) {
					resp, err := client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Id: id, Event: event(`{}`), State: c.state})
					if err != nil {
						return out, err
					}
					out.State.Guarantee, out.State.Version = resp.GetState().GetGuarantee(), resp.GetState().GetVersion()
					return out, json.Unmarshal(resp.GetResult().GetJson(), &out.Result)
				},
				"gRPC, as a batch": func(id string) (out counted, err error) {
					resp, err := client.EvaluateBatch(context.Background(), &dreyv1.EvaluateBatchRequest{
						Items: []*dreyv1.EvaluateRequest{{Id: id, Event: event(`{}`), State: c.state}},
					})
					if err != nil || resp.GetItems()[0].GetError() != nil {
						return out, fmt.Errorf("%w %v", err, resp.GetItems())
					}
					answer := resp.GetItems()[0].GetAnswer()
					out.State.Guarantee, out.State.Version = answer.GetState().GetGuarantee(), answer.GetState().GetVersion()
					return out, json.Unmarshal(answer.GetResult().GetJson(), &out.Result)
				},
			}
			var n int64
			for _, first := range []string{"HTTP", "gRPC", "gRPC, as a batch"} {
				n++
				id := fmt.Sprintf("%s %d", c.guarantee, n)
				for _, transport := range []string{first, "HTTP", "gRPC", "gRPC, as a batch"} {
					got, err := over[transport](id)
					if err != nil || got.Result.Count != n || got.State.Guarantee != c.guarantee || got.State.Version != uint64(n-1) {
						t.Errorf("%s, first over %s: over %s: %+v, %v", id, first, transport, got, err)
					}
				}
			}
		})
	}
}

// What is wrong with a state, and what a session refuses, means the same on both transports.
func TestStateFailuresAgree(t *testing.T) {
	s, client := stateful(t, config.Flag{Name: "state-store", Value: "file://" + t.TempDir()})
	fenced, session := s.openSession(t, "j"), s.openSession(t, "j")
	narrow := s.do("POST", "/v1/state/sessions", `{"job":"narrow","operator":"op","subtask":0,"max_parallelism":128,"key_groups":[0,3],"restored":true}`)
	var restored struct{ Session string }
	if err := json.Unmarshal([]byte(narrow.body), &restored); err != nil || narrow.status != 201 {
		t.Fatalf("open: %d %s", narrow.status, narrow.body)
	}
	instance, _, _ := strings.Cut(session, "-")
	of := func(session string, keyGroup uint32) *dreyv1.State {
		return &dreyv1.State{Session: session, Epoch: proto.Uint64(0), KeyGroup: proto.Uint32(keyGroup), Key: proto.String("k")}
	}
	for _, c := range []struct {
		name, id string
		state    *dreyv1.State
		code     problem.Code
		detail   string
	}{
		{"no key", "a", &dreyv1.State{}, problem.InvalidRequest, "state.key: is missing"},
		{"parts of a session without one", "a", &dreyv1.State{Key: proto.String("k"), KeyGroup: proto.Uint32(1), Epoch: proto.Uint64(1)}, problem.InvalidRequest,
			"state.key_group: is of a session, and there is none; state.epoch: is of a session, and there is none"},
		{"a session without its parts", "a", &dreyv1.State{Session: session}, problem.InvalidRequest,
			"state.key: is missing; state.key_group: is missing; state.epoch: is missing"},
		{"no id", "", of(session, 1), problem.InvalidRequest, "id: is missing: a request of a session needs it"},
		{"key group that Flink does not have", "a", of(session, 1<<15), problem.InvalidRequest, "state.key_group: is 32768, must be a whole number from 0 to 32767"},
		{"epoch that Flink does not have", "a", &dreyv1.State{Session: session, Epoch: proto.Uint64(1 << 63), KeyGroup: proto.Uint32(1), Key: proto.String("k")},
			problem.InvalidRequest, "state.epoch: is 9223372036854775808, must be a whole number from 0 to 9223372036854775807"},
		{"all at once", "", &dreyv1.State{Session: session, KeyGroup: proto.Uint32(math.MaxUint32)}, problem.InvalidRequest, "id: is missing"},
		{"no token", "a", of("x", 1), problem.InvalidRequest, "is no token of a session"},
		{"unknown session", "a", of(instance+"-999", 1), problem.UnknownSession, "is unknown to this sidecar"},
		{"fenced", "a", of(fenced, 1), problem.Fenced, "was taken over by a newer attempt"},
		{"not restored", "a", of(restored.Session, 1), problem.NotRestored, "restore it first"},
		{"key group of another", "a", of(session, 200), problem.WrongKeyGroup, "key group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			document := map[string]any{}
			if c.state.GetSession() != "" {
				document["session"] = c.state.GetSession()
			}
			if c.state.Key != nil {
				document["key"] = c.state.GetKey()
			}
			if c.state.KeyGroup != nil {
				document["key_group"] = c.state.GetKeyGroup()
			}
			if c.state.Epoch != nil {
				document["epoch"] = c.state.GetEpoch()
			}
			call := map[string]any{"event": map[string]any{}, "state": document}
			if c.id != "" {
				call["id"] = c.id
			}
			body, err := json.Marshal(call)
			if err != nil {
				t.Fatal(err)
			}
			a := s.do("POST", "/evaluate", string(body))
			var p problem.Document
			if err := json.Unmarshal([]byte(a.body), &p); err != nil {
				t.Fatalf("%v: %s", err, a.body)
			}
			if p.Code != c.code || a.status != c.code.HTTP() || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("HTTP: %d %s", a.status, a.body)
			}
			_, err = client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Id: c.id, Event: event(`{}`), State: c.state})
			st := status.Convert(err)
			info := errorInfo(st)
			if info.GetReason() != string(c.code) || st.Code() != c.code.GRPC() || !strings.Contains(st.Message(), c.detail) || info.GetMetadata()["decision_id"] == "" {
				t.Errorf("gRPC: %v %v", st, info)
			}
			said := map[string]string{}
			for _, v := range p.Violations {
				said[v.Field] = v.Message
			}
			listed := violations(st)
			for _, v := range listed {
				if said[v.GetField()] != v.GetDescription() {
					t.Errorf("gRPC says %s: %s, HTTP %q", v.GetField(), v.GetDescription(), said[v.GetField()])
				}
			}
			if len(listed) != len(p.Violations) {
				t.Errorf("%d violations over gRPC, %d over HTTP", len(listed), len(p.Violations))
			}
			// An item that is malformed refuses its batch, one that its session refuses does not.
			batch, err := client.EvaluateBatch(context.Background(), &dreyv1.EvaluateBatchRequest{
				Items: []*dreyv1.EvaluateRequest{{Event: event(`{}`), State: &dreyv1.State{Key: proto.String(c.name)}}, {Id: c.id, Event: event(`{}`), State: c.state}},
			})
			if len(p.Violations) > 0 {
				if st := status.Convert(err); st.Code() != codes.InvalidArgument || len(violations(st)) != len(listed) || !strings.HasPrefix(violations(st)[0].GetField(), "items.1.") {
					t.Errorf("batch: %v", err)
				}
				return
			}
			if err != nil || batch.GetItems()[0].GetAnswer() == nil || batch.GetItems()[1].GetError().GetCode() != string(c.code) {
				t.Errorf("batch: %v %v", batch, err)
			}
		})
	}
	t.Run("no state here", func(t *testing.T) {
		plain := start(t)
		client := dreyv1.NewEvaluatorClient(plain.dialGRPC(t, insecure.NewCredentials()))
		a := plain.do("POST", "/evaluate", `{"function":"number","event":{"n":1},"state":{"key":"k"}}`)
		_, err := client.Evaluate(context.Background(), &dreyv1.EvaluateRequest{Function: "number", Event: event(`{"n":1}`), State: &dreyv1.State{Key: proto.String("k")}})
		if st := status.Convert(err); a.code() != "invalid_request" || errorInfo(st).GetReason() != "invalid_request" || !strings.Contains(a.body, st.Message()) {
			t.Errorf("HTTP %s, gRPC %v", a.body, err)
		}
	})
}
