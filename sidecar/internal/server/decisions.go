package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
)

// anchorEvery is how often the head of the chain goes to the sidecar's log: whoever keeps that log elsewhere can show later that
// nobody cut off the end of the decision log before it.
const anchorEvery = 10 * time.Minute

// decisionLog runs the decision log beside the listeners: it takes decisions before the first of them is open, and is closed
// after the last call was answered.
type decisionLog struct {
	*decisions.Log
	reader *decisions.Reader
	log    *slog.Logger
	stop   context.CancelFunc
	ended  chan error
}

// keepDecisions opens the decision log, if one is configured.
func (s *sidecar) keepDecisions(ctx context.Context) error {
	if !s.Config.Decisions.On() {
		return nil
	}
	build, err := buildHash()
	if err != nil {
		return fmt.Errorf("decision log: hash of this program: %w", err)
	}
	l, err := decisions.Open(s.Config.Decisions, build, s.log)
	if err != nil {
		return err
	}
	d := &decisionLog{Log: l, reader: decisions.NewReader(s.Config.Decisions.Dir), log: s.log, ended: make(chan error, 1)}
	ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { d.ended <- l.Run(ctx) }()
	anchored := make(chan struct{})
	go func() {
		defer close(anchored)
		d.anchor(ctx)
	}()
	s.onDown(func() error {
		d.stop()
		err := <-d.ended
		<-anchored
		d.tell()
		return err
	})
	if err := s.metrics.WatchDecisions(func() (uint64, int64, int, map[string]uint64) {
		now := l.Status()
		return now.Written, now.Bytes, now.QueuedBytes, now.Lost
	}); err != nil {
		return err
	}
	s.service.KeepDecisions(l, build)
	s.decisions = d
	return nil
}

func (d *decisionLog) anchor(ctx context.Context) {
	ticker := time.NewTicker(anchorEvery)
	defer ticker.Stop()
	d.tell()
	for {
		select {
		case <-ticker.C:
			d.tell()
		case <-ctx.Done():
			return
		}
	}
}

func (d *decisionLog) tell() {
	now := d.Status()
	d.log.Info("decision log: drey decisions verify --head shows later that nothing before this was cut off", "dir", now.Dir, "head", now.Head)
}

// buildHash is that of the program's file: a version would not tell two builds of a dirty checkout apart.
func buildHash() (_ string, err error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// flushed reads the log as it is at the moment when its end is asked for: what was decided before that is in the folder.
type flushed struct {
	*decisions.Reader
	log *decisions.Log
}

// Last is the number of the last record.
func (f flushed) Last() (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	if err := f.log.Flush(ctx); err != nil {
		return 0, err
	}
	return f.Reader.Last()
}

// flushPatience is for a disk that is slow.
const flushPatience = time.Minute
