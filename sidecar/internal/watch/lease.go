package watch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// held is the lease and the store that it is in.
type held struct {
	lease *lease.Lease
	owner string
	close func() error
}

// newLease opens the store of the lease: a bucket of the S3 that the checkpoints are on, or a folder that the sidecars share.
func newLease(ctx context.Context, c Lease, settings s3.Config, log *slog.Logger) (*held, error) {
	at, err := metadata.ParseLocation(c.Object)
	if err != nil {
		return nil, fmt.Errorf("watch.lease.object: %w", err)
	}
	owner := c.Owner
	if owner == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("watch.lease.owner: %w; set it", err)
		}
		owner = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	config := lease.Config{Owner: owner, TTL: c.TTL}
	if at.IsLocal() {
		store, err := dir.Open(path.Dir(at.Path))
		if err != nil {
			return nil, fmt.Errorf("watch.lease.object: %w", err)
		}
		return &held{lease: lease.New(store, path.Base(at.Path), config, log), owner: owner, close: store.Close}, nil
	}
	client, err := s3.New(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("watch.lease.object: %w", err)
	}
	store, err := client.Bucket(at.Authority)
	if err != nil {
		return nil, fmt.Errorf("watch.lease.object: %w", err)
	}
	return &held{lease: lease.New(store, strings.TrimPrefix(at.Path, "/"), config, log), owner: owner, close: func() error { return nil }}, nil
}

// run does the work while the lease is held, until ctx ends.
func (h *held) run(ctx context.Context, work func(context.Context) error) error {
	return h.lease.Run(ctx, func(ctx context.Context, _ uint64) error { return work(ctx) })
}

func (h *held) status() lease.Status { return h.lease.Status() }
