// Package server puts the sidecar together and takes it down: the only place where every part is known. What is started
// is pushed on a stack, and the stack is undone from the top.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/grpcapi"
	"github.com/drey-flink/drey/sidecar/internal/httpapi"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/stateapi"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Options are what a sidecar is made of.
type Options struct {
	Config    config.Loaded
	Register  []func(*udf.Registry) // the user's functions
	WatchOnly bool                  // checkpoints are watched, and nothing is evaluated
	ReadyFile string                // written once ready; empty = none
	Version   string
	LogOutput io.Writer
	Signals   <-chan os.Signal // SIGHUP reloads, anything else is the way down; the second one at once
}

// ErrCut says that calls were still running when the sidecar ended.
var ErrCut = errors.New("ended before all calls in flight were answered")

// Run serves until a signal or the end of the context, and returns when everything it started has ended. The error is
// nil if every call that was accepted has been answered.
func Run(ctx context.Context, o Options) (err error) {
	s := &sidecar{Options: o, started: time.Now()}
	defer func() { err = errors.Join(err, s.down()) }()
	if err := s.up(ctx); err != nil {
		return err
	}
	return s.serve(ctx)
}

// sidecar is a running one.
type sidecar struct {
	Options
	started time.Time
	undo    []func() error

	log       *slog.Logger
	metrics   *telemetry.Metrics
	traces    *telemetry.Traces
	data      *dataDir
	rules     *rules.Rules      // nil without a file
	service   *evaluate.Service // nil with WatchOnly
	watch     *watcher          // nil if nothing is watched
	decisions *decisionLog      // nil if none are kept
	sessions  *session.Manager  // nil without a store of state
	replays   *replay.Manager   // nil if nothing is replayed

	stateStore snapshotStore // nil without a store of state
	api        *httpapi.API
	grpc       *grpcapi.API
	state      atomic.Value // string
	bound      Bound
	servers    []*transport
	failed     chan error
}

func (s *sidecar) onDown(undo func() error) { s.undo = append(s.undo, undo) }

// up starts everything, in the order in which one part needs another. It waits for nothing outside this process.
func (s *sidecar) up(ctx context.Context) (err error) {
	c := s.Config
	s.state.Store("starting")
	s.heapFloor()
	if s.log, err = telemetry.NewLog(s.LogOutput, c.Log.Level, c.Log.Format); err != nil {
		return err
	}
	if err := removeReady(s.ReadyFile); err != nil {
		return err
	}
	if s.metrics, err = telemetry.NewMetrics(s.Version); err != nil {
		return err
	}
	s.onDown(func() error { return s.metrics.Close(context.Background()) })
	if s.traces, err = telemetry.NewTraces(ctx, c.Telemetry.OTLPEndpoint, c.Telemetry.ServiceName, c.Telemetry.SampleRatio); err != nil {
		return err
	}
	if s.traces.On() {
		// The exporter's errors go to a handler of the whole process, which would print them as plain text.
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { s.log.Warn("telemetry", "error", err) }))
	}
	s.onDown(s.flushTraces)
	if s.data, err = openDataDir(c.DataDir); err != nil {
		return err
	}
	s.onDown(s.data.close)
	if crash := s.data.lastCrash(); crash != nil {
		s.log.Error("an earlier run crashed", "message", crash.Message, "report", crash.Report, "time", crash.Time)
	}
	if c.Watch.On() {
		if s.watch, err = newWatcher(ctx, c, s.metrics, s.log); err != nil {
			return err
		}
		s.onDown(s.watch.close) // after the listeners, which answer from its ledger
	}
	if s.WatchOnly {
		return s.listen(nil)
	}
	registry, err := s.functions(ctx)
	if err != nil {
		return err
	}
	if s.service, err = evaluate.New(c.Evaluate, registry, c.Functions.Parameters, s.metrics); err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	if err := s.keepDecisions(ctx); err != nil {
		return err
	}
	keeper, err := s.keepState(ctx)
	if err != nil {
		return err
	}
	s.onDown(s.service.Close) // after the listeners: no call comes any more
	if err := s.collectGarbage(ctx); err != nil {
		return fmt.Errorf("state.gc: %w", err)
	}
	if err := s.keepReplays(ctx, keeper); err != nil {
		return err
	}
	return s.listen(registry)
}

// functions registers what is served; the watcher of the rules file runs until the way down gets here.
func (s *sidecar) functions(ctx context.Context) (*udf.Registry, error) {
	if s.Config.Rules.File == "" {
		return Functions(s.Register)
	}
	var err error
	if s.rules, err = rules.New(s.Config.Rules, s.log, s.metrics); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.rules.Run(watching); err != nil {
			s.log.Error("the rules file is not watched any more, send SIGHUP after a change", "error", err)
		}
	}()
	s.onDown(func() error {
		stop()
		<-ended
		return nil
	})
	return Functions(s.Register, s.rules.Register)
}

// listen binds every address before any is served: an address that is taken is known before the first call.
func (s *sidecar) listen(registry *udf.Registry) (err error) {
	c := s.Config
	calls := telemetry.NewCalls(s.log, s.metrics)
	options := httpapi.Options{
		Functions: registry, Status: func() any { return s.status() }, Metrics: s.metrics.Handler(),
		Calls: calls, Traces: s.traces, Authenticator: httpapi.Anyone{}, MaxBodyBytes: c.HTTP.MaxBodyBytes,
	}
	if s.service != nil {
		options.Service = s.service
	}
	if s.sessions != nil {
		options.Sessions = stateapi.New(s.sessions)
	}
	if s.replays != nil {
		options.Replays = s.replays
	}
	if s.decisions != nil {
		options.Decisions = s.decisions.reader
	}
	if s.watch != nil {
		options.Watch = s.watch.Watch
	}
	if s.api, err = httpapi.New(options); err != nil {
		return err
	}
	// The admin listener is first up and last down, so that health can be seen all the way.
	admin, err := s.open("admin", c.Admin.Addr, c.Admin.TLS)
	if err != nil {
		return err
	}
	web, err := s.open("http", c.HTTP.Addr, c.HTTP.TLS)
	if err != nil {
		return err
	}
	var rpc *bound
	if !s.WatchOnly {
		if rpc, err = s.open("grpc", c.GRPC.Addr, c.GRPC.TLS); err != nil {
			return err
		}
	}
	s.bound = Bound{HTTP: web.address(), GRPC: rpc.address(), Admin: admin.address(), PID: os.Getpid()}
	s.failed = make(chan error, 3)
	if admin != nil {
		s.start(newHTTP(admin, s.api.Admin(), config.HTTP{ReadHeaderTimeout: c.HTTP.ReadHeaderTimeout, IdleTimeout: c.HTTP.IdleTimeout}, s.log))
	}
	s.start(newHTTP(web, s.api.Data(), c.HTTP, s.log))
	if rpc != nil {
		s.grpc = grpcapi.New(s.service, registry, grpcapi.Watch{Calls: calls, Traces: s.traces, MaxMessageBytes: c.GRPC.MaxMessageBytes}, grpcOptions(rpc)...)
		s.start(newGRPC(rpc, s.grpc))
	}
	return nil
}

// open binds one address; nil if it is switched off.
func (s *sidecar) open(section, addr string, files config.TLS) (*bound, error) {
	if addr == "" {
		return nil, nil
	}
	b := &bound{section: section}
	if files.On() {
		cert, err := newCertificate(section, files, s.log)
		if err != nil {
			return nil, err
		}
		b.tls = cert.config()
	}
	var err error
	if b.Listener, err = listen(section, addr); err != nil {
		return nil, err
	}
	s.onDown(func() error { // a server closes it first; this is for a start that does not get so far
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return b, nil
}

func (s *sidecar) start(t *transport) {
	s.servers = append(s.servers, t)
	t.run(s.failed)
	s.onDown(t.kill)
}

// serve is the time between ready and the end.
func (s *sidecar) serve(ctx context.Context) error {
	s.api.SetReady(true)
	if s.grpc != nil {
		s.grpc.SetReady(true)
	}
	s.state.Store("ready")
	if s.ReadyFile != "" {
		s.onDown(func() error { return removeReady(s.ReadyFile) })
		if err := writeReady(s.ReadyFile, s.bound); err != nil {
			return err
		}
	}
	if s.watch != nil {
		s.watch.start(ctx)
	}
	s.log.Info("ready", "http", s.bound.HTTP, "grpc", s.bound.GRPC, "admin", s.bound.Admin, "version", s.Version, "config", s.Config.Digest())
	for {
		select {
		case sig := <-s.Signals:
			if sig == syscall.SIGHUP {
				s.reload()
				continue
			}
			return s.drain(sig.String())
		case <-ctx.Done():
			return s.drain("the context ended")
		case err := <-s.failed:
			return err
		}
	}
}

func (s *sidecar) reload() {
	if s.rules == nil {
		s.log.Info("nothing to reload: no rules.file is configured")
		return
	}
	if err := s.rules.Reload(); err != nil {
		s.log.Error("rules not reloaded, the old ones stay in force", "error", err)
	}
}

func (s *sidecar) flushTraces() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.traces.Close(ctx); err != nil {
		s.log.Warn("traces not sent", "error", err) // the collector's trouble, not ours
	}
	return nil
}

// down undoes what was done, last first.
func (s *sidecar) down() error {
	var errs []error
	for len(s.undo) > 0 {
		last := len(s.undo) - 1
		undo := s.undo[last]
		s.undo = s.undo[:last]
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}
