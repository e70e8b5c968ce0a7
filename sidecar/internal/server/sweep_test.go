package server

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// A value that has expired is gone a moment later, though nobody asks for it, and the sweeping ends with the sidecar.
func TestExpiredValuesAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, err := session.New(session.DefaultConfig(), memory.New(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		token, err := sessions.Open(t.Context(), session.Spec{Job: "j", Operator: "op", MaxParallelism: 2, KeyGroups: statestore.Range{To: 1}})
		if err != nil {
			t.Fatal(err)
		}
		keeper := stateful.New(sessions, statestore.Limits{})
		call := func(id string, keyGroup uint16, watermark, expires int64) {
			t.Helper()
			if _, err := keeper.Apply(t.Context(), evaluate.StateCall{
				ID: id, Name: "f", At: &evaluate.State{Session: token.String(), Key: id, KeyGroup: keyGroup, Watermark: watermark, LowWatermark: watermark},
				Function: func(ctx context.Context) ([]byte, error) {
					scope, _ := statescope.From(ctx)
					scope.Change("v", statestore.Set([]byte("x"), expires))
					return []byte(`{}`), nil
				},
			}); err != nil {
				t.Fatal(err)
			}
		}
		call("expires", 0, 5, 10)
		call("goes on", 1, 20, 0)

		s := &sidecar{}
		s.during(func(stop <-chan struct{}) { sweep(keeper, stop) })
		time.Sleep(2 * sweepEvery) // of the bubble's clock
		synctest.Wait()
		if keys := sessions.Stats().Keys; keys != 1 {
			t.Errorf("%d values are kept, want the one that does not expire", keys)
		}
		if err := s.down(); err != nil {
			t.Error(err)
		}
		if err := sessions.Shutdown(); err != nil {
			t.Error(err)
		}
	})
}
