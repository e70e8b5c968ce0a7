package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

// checkpointSizes is how much benchCheckpoint measures.
type checkpointSizes struct {
	rounds  int     // of reading _metadata, after one that warms the JVM up
	seconds float64 // of each

	pulls      int // rounds of pulling all objects
	objects    int
	objectSize int

	jobs    int
	watched time.Duration // with nothing new, and as long with new checkpoints
	pace    time.Duration // between two checkpoints of a job
}

var (
	fullCheckpoint = checkpointSizes{
		rounds: 7, seconds: 2, pulls: 5, objects: 200, objectSize: 5_000_000,
		jobs: 200, watched: 2 * time.Minute, pace: time.Minute,
	}
	quickCheckpoint = checkpointSizes{
		rounds: 1, seconds: 0.5, pulls: 1, objects: 20, objectSize: 5_000_000,
		jobs: 200, watched: 10 * time.Second, pace: time.Minute,
	}
)

// benchCheckpoint measures what reads, copies and follows checkpoints.
func benchCheckpoint(ctx context.Context, r *Report) error {
	dir, err := os.MkdirTemp("", "drey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	sizes := fullCheckpoint
	if r.quick {
		sizes = quickCheckpoint
	}
	if err := benchMetadata(ctx, r, root, dir, sizes); err != nil {
		return fmt.Errorf("_metadata: %w", err)
	}
	s3, err := startStore(ctx, root, dir)
	if err != nil {
		return err
	}
	defer s3.stop()
	if err := benchPull(ctx, r, s3, filepath.Join(dir, "pull"), sizes); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	if err := benchWatch(ctx, r, root, s3, filepath.Join(dir, "watch"), sizes); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return nil
}

// say tells who waits for the report how far it is.
func say(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }

// quantile is the value that a share q of all are not above.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
