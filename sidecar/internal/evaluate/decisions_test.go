package evaluate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

type nobody struct{}

func (nobody) Evaluated(context.Context, string, problem.Code, time.Duration, bool) {}
func (nobody) Shed(string)                                                          {}
func (nobody) Panicked(string)                                                      {}
func (nobody) Quarantined(string, bool)                                             {}
func (nobody) InFlight(int)                                                         {}

type decisionList struct {
	kept []decisions.Decision
	err  error
}

func (l *decisionList) Append(_ context.Context, d *decisions.Decision) error {
	if l.err == nil {
		l.kept = append(l.kept, *d)
	}
	return l.err
}

// What cannot be logged is not given, though it was decided; the next try gets it, and is logged.
func TestDecisionIsLoggedOrNotGiven(t *testing.T) {
	registry := udf.NewRegistry()
	udf.Raw(registry, "fraud", func(_ context.Context, event []byte) ([]byte, error) {
		if string(event) == `{"bad":1}` {
			return nil, errors.New("no such account")
		}
		return []byte(`{"ok":true,"rules":["large","late"]}`), nil
	})
	s, err := New(DefaultConfig(), registry, nil, nobody{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log := &decisionList{err: errors.New("no space")}
	s.KeepDecisions(log, "build-1")
	req := Request{ID: "a", Event: []byte(`{}`), Origin: Origin{Job: "j", Epoch: 7, Subtask: 2}}
	if _, err := s.Evaluate(t.Context(), req); problem.From(err).Code != problem.LogUnavailable {
		t.Fatalf("got %v", err)
	}
	log.err = nil
	if _, err := s.Evaluate(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Evaluate(t.Context(), Request{ID: "b", Event: []byte(`{"bad":1}`)}); problem.From(err).Code != problem.FunctionError {
		t.Fatalf("got %v", err)
	}
	if len(log.kept) != 2 {
		t.Fatalf("kept %+v", log.kept)
	}
	first, second := log.kept[0], log.kept[1]
	if first.ID != "a" || first.Job != "j" || first.Epoch != 7 || first.Subtask != 2 || first.Build != "build-1" || !first.Replayed || len(first.Rules) != 2 || first.Rules[1] != "late" {
		t.Errorf("kept %+v", first)
	}
	for _, none := range []string{`{"rules":7}`, `{"rules":`, `{"other":"rules"}`, `["rules"]`} {
		if got := rulesOf([]byte(none)); got != nil {
			t.Errorf("%s: %v", none, got)
		}
	}
	if second.ErrorCode != "function_error" || string(second.Input) != `{"bad":1}` || second.Result != nil {
		t.Errorf("kept %+v", second)
	}
}
