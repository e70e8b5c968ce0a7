package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
	"github.com/drey-flink/drey/sidecar/internal/replay/source"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Audit decides again what is in a decision log, with the functions and the rules of this program, without serving: the log may be a
// copy, Flink need not run. The checkpoint is at the path of the request; since is when it was made, which only counts if it has no state in Go.
// Nothing is changed.
func Audit(ctx context.Context, o Options, r replay.Request, since time.Time, progress func(replay.Progress)) (_ *report.Report, err error) {
	s := &sidecar{Options: o}
	defer func() { err = errors.Join(err, s.down()) }()
	c := o.Config
	if s.log, err = telemetry.NewLog(o.LogOutput, c.Log.Level, c.Log.Format); err != nil {
		return nil, err
	}
	if s.metrics, err = telemetry.NewMetrics(o.Version); err != nil {
		return nil, err
	}
	s.onDown(func() error { return s.metrics.Close(context.Background()) })
	operators, err := s.auditedState(ctx, &r)
	if err != nil {
		return nil, err
	}
	if len(operators) == 0 && since.IsZero() {
		return nil, problem.New(problem.InvalidRequest, "checkpoint %d has no state in Go, so when it was made has to be said (--since): decisions are cut by time then", r.CheckpointID)
	}
	registry, err := s.functions(ctx)
	if err != nil {
		return nil, err
	}
	if s.service, err = evaluate.New(c.Evaluate, registry, c.Functions.Parameters, s.metrics); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	s.onDown(s.service.Close)
	build, err := buildHash()
	if err != nil {
		return nil, fmt.Errorf("hash of this program: %w", err)
	}
	return (&replay.Auditor{
		Job: r.Job, Checkpoint: r.CheckpointID, Since: since, Function: r.Function, Until: r.Until, Ignore: r.Ignore, Most: c.Replay.MaxDifferences,
		Build: build, Operators: operators, Snapshots: s.stateStore, Decisions: decisions.NewReader(c.Decisions.Dir), Functions: s.service, Progress: progress,
	}).Run(ctx)
}

// auditedState opens the checkpoint, and the store of the snapshots that it refers to.
func (s *sidecar) auditedState(ctx context.Context, r *replay.Request) ([]replay.OperatorState, error) {
	c := s.Config
	at, err := metadata.ParseLocation(r.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	places, err := locate.New(locate.Config{S3: c.Watch.S3, Allow: c.Watch.Allow, Map: c.Watch.Map})
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	s.onDown(places.Close)
	found, err := contents.Open(ctx, places, at)
	if err != nil {
		return nil, err
	}
	if found.Meta.CheckpointID != r.CheckpointID {
		return nil, problem.New(problem.InvalidRequest, "path: %s is checkpoint %d, not %d", r.Path, found.Meta.CheckpointID, r.CheckpointID)
	}
	all, err := source.Operators(ctx, found)
	if err != nil {
		return nil, err
	}
	operators, err := replay.Chosen(all, r)
	if err != nil || len(operators) == 0 {
		return nil, err
	}
	if c.State.Store == "" {
		return nil, problem.New(problem.InvalidRequest, "checkpoint %d refers to state in Go: say where its snapshots are (--state-enabled --state-store)", r.CheckpointID)
	}
	store, closer, err := stateStore(ctx, c.State)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	s.onDown(closer.Close)
	s.stateStore = store
	return operators, nil
}
