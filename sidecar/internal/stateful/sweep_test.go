package stateful_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// What has expired in key groups to which nobody writes any more is given back, under a session and without one. What a request in flight may
// still see is not.
func TestSweep(t *testing.T) {
	sessions, err := session.New(session.DefaultConfig(), memory.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sessions.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	token, err := sessions.Open(t.Context(), session.Spec{Job: "j", Operator: "op", MaxParallelism: groups, KeyGroups: statestore.Range{To: groups - 1}})
	if err != nil {
		t.Fatal(err)
	}
	k := stateful.New(sessions, statestore.Limits{})
	call := func(id, session string, keyGroup uint16, watermark, low int64, expires int64) {
		t.Helper()
		if _, err := k.Apply(t.Context(), evaluate.StateCall{
			ID: id, Name: "f", At: &evaluate.State{Session: session, Key: id, KeyGroup: keyGroup, Watermark: watermark, LowWatermark: low},
			Function: func(ctx context.Context) ([]byte, error) {
				scope, _ := statescope.From(ctx)
				scope.Change("v", statestore.Set([]byte("x"), expires))
				return []byte(`{}`), nil
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range []string{"", token.String()} {
		call("idle", of, 1, 5, 5, 10)
		call("busy", of, 2, 20, 7, 0)
	}
	if n := k.Sweep(100); n != 1 {
		t.Errorf("%d values were removed, want that without a session alone: nothing holds it back", n)
	}
	if keys := sessions.Stats().Keys; keys != 2 {
		t.Errorf("%d values under the session, want 2: a request of the watermark 7 may come", keys)
	}
	call("later", token.String(), 2, 20, 20, 0)
	if n := k.Sweep(100); n != 1 || sessions.Stats().Keys != 2 {
		t.Errorf("%d values were removed, %d are left, want 1 and 2", n, sessions.Stats().Keys)
	}
}
