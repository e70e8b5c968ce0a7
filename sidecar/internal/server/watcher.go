package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// watcher runs the watcher of checkpoints beside the listeners: it is started when all of them answer, and told to stop before
// any of them is closed. Whether Flink and the store are there makes no difference to them.
type watcher struct {
	*watch.Watch
	stop  context.CancelFunc // nil until it is started
	ended chan struct{}
}

func newWatcher(ctx context.Context, c config.Loaded, metrics *telemetry.Metrics, log *slog.Logger) (*watcher, error) {
	w, err := watch.New(ctx, c.Watch, c.DataDir, metrics, log)
	if err != nil {
		return nil, err
	}
	if err := metrics.WatchCheckpoints(w.Gauges); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &watcher{Watch: w, ended: make(chan struct{})}, nil
}

func (w *watcher) start(ctx context.Context) {
	ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(w.ended)
		w.Run(ctx)
	}()
}

// end tells it to stop; close waits for that. What is being copied goes on at the next start.
func (w *watcher) end() {
	if w.stop != nil {
		w.stop()
	}
}

func (w *watcher) close() error {
	if w.end(); w.stop != nil {
		<-w.ended
	}
	return w.Close()
}
