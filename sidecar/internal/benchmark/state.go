package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

// stateSizes is how much benchState measures.
type stateSizes struct {
	rounds    int
	keys      int           // of the barrier
	roundTime time.Duration // of a load
	loaded    int           // keys that are there while requests are timed
	restored  int64         // bytes
	decisions int64         // that are audited
	looked    int64         // decisions among which some are looked up
	jobTime   time.Duration
}

var (
	fullState = stateSizes{
		rounds: 5, keys: 1_000_000, roundTime: 4 * time.Second, loaded: 300_000, restored: 1 << 30, decisions: 1_000_000, looked: 10_000_000, jobTime: 75 * time.Second,
	}
	quickState = stateSizes{
		rounds: 1, keys: 100_000, roundTime: time.Second, loaded: 20_000, restored: 64 << 20, decisions: 20_000, looked: 100_000, jobTime: 8 * time.Second,
	}
)

// benchState measures what state costs: barriers, requests, restores, and deciding again.
func benchState(ctx context.Context, r *Report) error {
	// On a disk, not in memory: logs and snapshots are part of it.
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	parent := filepath.Join(root, ".drey")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sizes := fullState
	if r.quick {
		sizes = quickState
	}
	for _, part := range []struct {
		name string
		run  func(ctx context.Context, r *Report, dir string, sizes stateSizes) error
	}{{"barrier", benchBarrier}, {"requests", benchStateful}, {"restore", benchRestore}, {"audit", benchAudit}, {"lookup", benchLookup}, {"job", benchMark}} {
		say("state: %s", part.name)
		inner := filepath.Join(dir, part.name)
		if err := os.Mkdir(inner, 0o755); err != nil {
			return err
		}
		if err := part.run(ctx, r, inner, sizes); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		if err := os.RemoveAll(inner); err != nil {
			return err
		}
	}
	return nil
}
