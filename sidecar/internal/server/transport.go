package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/grpcapi"
)

// bound is an open listener of a section of the configuration.
type bound struct {
	net.Listener
	section string
	tls     *tls.Config // nil = plaintext
}

func (b *bound) address() string {
	if b == nil {
		return ""
	}
	return address(b.Listener)
}

// transport is a server on a listener, in the terms that HTTP and gRPC have in common.
type transport struct {
	section string
	serve   func() error
	finish  func(context.Context) bool // closes the listener, waits for calls in flight; false if they were not all answered
	close   func() error               // at once
	ended   chan struct{}
}

// run serves in a goroutine of its own, which kill waits for. An end that nobody asked for is reported.
func (t *transport) run(failed chan<- error) {
	t.ended = make(chan struct{})
	go func() {
		defer close(t.ended)
		if err := t.serve(); err != nil {
			failed <- fmt.Errorf("%s: %w", t.section, err)
		}
	}()
}

func (t *transport) kill() error {
	err := t.close()
	<-t.ended
	return err
}

func newHTTP(b *bound, handler http.Handler, c config.HTTP, log *slog.Logger) *transport {
	srv := &http.Server{
		Handler: handler, TLSConfig: b.tls, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: c.ReadHeaderTimeout, ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, IdleTimeout: c.IdleTimeout,
		ErrorLog: slog.NewLogLogger(log.With("listener", b.section).Handler(), slog.LevelDebug), // mostly what strangers send
	}
	return &transport{
		section: b.section,
		serve: func() error {
			serve := srv.Serve
			if b.tls != nil {
				serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
			}
			if err := serve(b.Listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		finish: func(ctx context.Context) bool { return srv.Shutdown(ctx) == nil },
		close:  srv.Close,
	}
}

func newGRPC(b *bound, api *grpcapi.API) *transport {
	return &transport{
		section: b.section,
		serve:   func() error { return api.Serve(b.Listener) },
		finish: func(ctx context.Context) bool {
			finished := make(chan struct{})
			go func() {
				defer close(finished)
				api.GracefulStop()
			}()
			select {
			case <-finished:
				return true
			case <-ctx.Done():
				api.Stop() // makes GracefulStop return
				<-finished
				return false
			}
		},
		close: func() error {
			api.Stop()
			return nil
		},
	}
}

func grpcOptions(b *bound) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 10 * time.Minute}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if b.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(b.tls)))
	}
	return options
}
