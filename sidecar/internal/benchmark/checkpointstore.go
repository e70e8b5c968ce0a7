package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
)

const (
	benchBucket = "bench"
	benchRegion = "us-east-1"
	benchKey    = "benchkey"
	benchSecret = "benchsecret"
)

// objectStore is the development S3 server (scripts/devs3), a process of its own.
type objectStore struct {
	*tied
	config s3.Config
	bucket *s3.Store
}

// startStore builds the server and starts it on a free port over an empty folder.
func startStore(ctx context.Context, root, dir string) (*objectStore, error) {
	binary := filepath.Join(dir, "devs3")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./scripts/devs3")
	build.Dir, build.Env, build.Stderr = root, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build the S3 server: %w", err)
	}
	var last error
	for range 5 { // a port may be taken between its choice and its use
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		server := exec.CommandContext(ctx, binary, "--addr", address, "--dir", filepath.Join(dir, "s3"),
			"--bucket", benchBucket, "--region", benchRegion)
		server.Env = append(os.Environ(), "S3_ACCESS_KEY="+benchKey, "S3_SECRET_KEY="+benchSecret)
		child, err := tie(dir, server)
		if err != nil {
			return nil, err
		}
		s := &objectStore{tied: child, config: s3.Config{
			Endpoint: "http://" + address, Region: benchRegion, PathStyle: true, AccessKey: benchKey, SecretKey: benchSecret,
		}}
		if last = s.await(ctx); last == nil {
			return s, nil
		}
		s.stop()
	}
	return nil, last
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// await waits until the server answers. Without credentials it says 403, which will do.
func (s *objectStore) await(ctx context.Context) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.Endpoint, nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			client, clientErr := s3.New(ctx, s.config)
			if err := errors.Join(answer.Body.Close(), clientErr); err != nil {
				return err
			}
			s.bucket, err = client.Bucket(benchBucket)
			return err
		}
		select {
		case <-s.ended:
			return s.died()
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
