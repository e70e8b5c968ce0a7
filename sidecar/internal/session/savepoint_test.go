package session

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// held is a store that takes nothing for as long as it is away.
type held struct {
	*memory.Store
	away bool
}

func (h held) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if h.away {
		<-ctx.Done()
		return snapshot.Object{}, context.Cause(ctx)
	}
	return h.Store.Create(ctx, key, body, size)
}

// TestSavepointIsSaidByItsManifest: also if the sidecar was started anew between the mark and the snapshot. A mark of a client that does not know of
// it is one of a checkpoint.
func TestSavepointIsSaidByItsManifest(t *testing.T) {
	for name, savepoint := range map[string]bool{"savepoint": true, "checkpoint": false} {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.Prefix, config.Folder = "drey/", t.TempDir()
			store := memory.New()
			start := func(away bool) *Manager {
				t.Helper()
				m, err := New(config, held{store, away}, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			m := start(true)
			token, err := m.Open(t.Context(), Spec{Job: "job", Operator: "op", MaxParallelism: 4, KeyGroups: statestore.Range{To: 3}})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Mark(t.Context(), token, Mark{Epoch: 1, Full: true, Savepoint: savepoint}); err != nil {
				t.Fatal(err)
			}
			if err := m.Shutdown(); err != nil {
				t.Fatal(err)
			}
			m = start(false)
			ref, err := m.Durable(t.Context(), token, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Shutdown(); err != nil {
				t.Fatal(err)
			}
			manifest, err := segment.GetManifest(t.Context(), store, ref)
			if err != nil || manifest.Savepoint != savepoint {
				t.Errorf("%+v, %v", manifest, err)
			}
		})
	}
}
