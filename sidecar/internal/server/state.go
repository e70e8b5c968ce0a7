package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statestore/garbage"
)

// keepState gives functions state, if the configuration says so. The store is not asked for anything yet: it may come later.
func (s *sidecar) keepState(ctx context.Context) (*stateful.Keeper, error) {
	c := s.Config.State
	if !c.Enabled {
		return nil, nil
	}
	if c.Store != "" {
		if err := s.openSessions(ctx, c); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
	}
	keeper := stateful.New(s.sessions, c.Limits.Of())
	s.service.KeepState(keeper)
	s.during(func(stop <-chan struct{}) { sweep(keeper, stop) })
	return keeper, nil
}

func (s *sidecar) openSessions(ctx context.Context, c stateful.Config) error {
	store, closer, err := stateStore(ctx, c)
	if err != nil {
		return err
	}
	s.onDown(closer.Close)
	s.stateStore = store
	sessions := c.Sessions()
	sessions.Observe = session.Observer{Written: s.metrics.SnapshotWritten, Missed: s.metrics.SnapshotMissed, Full: s.metrics.AnswersFull}
	// The metrics come first, since sessions that come back go on with their snapshots at once.
	if err := s.metrics.WatchState(func() (n, pending int, keys, bytes int64) {
		if s.sessions == nil {
			return 0, 0, 0, 0
		}
		now := s.sessions.Stats()
		return now.Sessions, now.Pending, now.Keys, now.Bytes
	}); err != nil {
		return err
	}
	if s.sessions, err = session.New(sessions, store, s.log); err != nil {
		return err
	}
	s.onDown(s.sessions.Shutdown)
	s.during(func(stop <-chan struct{}) { dropIdle(s.sessions, c.IdleTimeout, stop) })
	return nil
}

// during runs something until the sidecar goes down.
func (s *sidecar) during(run func(stop <-chan struct{})) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		run(stop)
	}()
	s.onDown(func() error {
		close(stop)
		<-ended
		return nil
	})
}

const (
	// sweepEvery is how often the memory of what has expired is given back, and sweepMost of how many values of a key group at a time: calls wait
	// meanwhile.
	sweepEvery = time.Second
	sweepMost  = 512
)

// sweep gives back the memory of values that have expired and to whose key groups nobody writes.
func sweep(keeper *stateful.Keeper, stop <-chan struct{}) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			keeper.Sweep(sweepMost)
		case <-stop:
			return
		}
	}
}

// dropIdle ends sessions of tasks that vanished.
func dropIdle(sessions *session.Manager, idle time.Duration, stop <-chan struct{}) {
	if idle == 0 {
		<-stop
		return
	}
	ticker := time.NewTicker(max(idle/10, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			sessions.DropIdle(idle)
		case <-stop:
			return
		}
	}
}

// snapshotStore is what sessions need of the snapshot store, and what those need who look after it.
type snapshotStore interface {
	session.Store
	garbage.Store
}

// stateStore opens the snapshot store.
func stateStore(ctx context.Context, c stateful.Config) (snapshotStore, io.Closer, error) {
	at, err := c.Place()
	if err != nil {
		return nil, nil, fmt.Errorf("store %q: %w", c.Store, err)
	}
	if at.IsS3() {
		client, err := s3.New(context.WithoutCancel(ctx), c.S3)
		if err != nil {
			return nil, nil, fmt.Errorf("store: %w", err)
		}
		store, err := client.Bucket(at.Authority)
		return store, io.NopCloser(nil), err
	}
	folder := filepath.FromSlash(at.Path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	store, err := dir.Open(folder)
	return store, store, err
}
