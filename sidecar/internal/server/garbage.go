package server

import (
	"context"
	"errors"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/replay/source"
	"github.com/drey-flink/drey/sidecar/internal/statestore/garbage"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// retained tells the collector of garbage what Flink still has, and what that refers to.
type retained struct{ watch *watch.Watch }

func (r retained) Jobs(ctx context.Context) (all []garbage.Job, err error) {
	standing, err := r.watch.Standing(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range standing {
		job, err := collected(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, job)
	}
	return all, nil
}

// collected is a job as the collector knows it.
func collected(ctx context.Context, s watch.Standing) (garbage.Job, error) {
	job := garbage.Job{ID: s.Job, Ended: s.Ended, Unsettled: s.Unsettled}
	for _, c := range s.Retained {
		operators, err := source.Operators(ctx, c.Checkpoint)
		if err != nil {
			return job, err
		}
		kept := garbage.Checkpoint{ID: uint64(c.Meta.CheckpointID), Savepoint: c.Savepoint}
		for _, o := range operators {
			kept.References = append(kept.References, o.References...)
		}
		job.Retained = append(job.Retained, kept)
	}
	for _, r := range s.Gone {
		job.Gone = append(job.Gone, garbage.Gone{ID: uint64(r.ID), Begun: time.UnixMilli(r.Triggered), Known: r.SeenAt})
	}
	return job, nil
}

// collecting is the turn of the sidecar that watches: the others do not know what Flink has.
func collecting(w *watch.Watch) func(context.Context, func(context.Context) error) error {
	return func(ctx context.Context, work func(context.Context) error) error {
		err := w.Leading(ctx, work)
		if errors.Is(err, watch.ErrNotLeading) {
			return garbage.ErrNotHere
		}
		return err
	}
}

// collectGarbage removes snapshots that no checkpoint refers to, if the configuration says so.
func (s *sidecar) collectGarbage(ctx context.Context) error {
	c := s.Config.State
	if !c.GC.Enabled || s.stateStore == nil || s.watch == nil {
		return nil
	}
	if err := s.metrics.WatchGarbage(); err != nil {
		return err
	}
	collector := garbage.New(garbage.Config{
		Prefix: c.Sessions().Prefix, Interval: c.GC.Interval, Grace: c.GC.Grace, After: c.GC.After,
	}, s.stateStore, retained{s.watch.Watch}, s.log)
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		collector.Run(ctx, collecting(s.watch.Watch), func(r garbage.Report, err error) {
			s.metrics.GarbageCollected(len(r.Garbage), r.Bytes, err != nil)
		})
	}()
	s.onDown(func() error {
		stop()
		<-ended
		return nil
	})
	return nil
}
