package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
)

// checkpointID is a checkpoint of one of the jobs; their numbers are never used twice.
type checkpointID struct {
	job string
	id  int64
}

// heard is what a client hears of a watcher's events, and when.
type heard struct {
	mu      sync.Mutex
	when    map[checkpoint.Kind]map[checkpointID]time.Time
	bad     error         // an event that should not be
	changed chan struct{} // closed and replaced at each event
}

func newHeard() *heard {
	return &heard{changed: make(chan struct{}), when: map[checkpoint.Kind]map[checkpointID]time.Time{
		checkpoint.EventCompleted: {}, checkpoint.EventCopied: {},
	}}
}

// listen reads the events of a watcher from the first on, until ctx ends.
func (h *heard) listen(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/v1/events?after=0", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/v1/events: %s", answer.Status)
	}
	return h.read(answer.Body)
}

// read takes Server-Sent Events as drey writes them: the data of each is one line.
func (h *heard) read(stream io.Reader) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("/v1/events ended: %w", err)
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		now := time.Now()
		var e checkpoint.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("/v1/events: %q: %w", data, err)
		}
		h.take(e, now)
	}
}

func (h *heard) take(e checkpoint.Event, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch known := h.when[e.Kind]; {
	case known != nil:
		id := checkpointID{e.Job, e.Checkpoint}
		if _, twice := known[id]; twice {
			h.bad = fmt.Errorf("%s of %v came twice", e.Kind, id)
		}
		known[id] = now
		if e.Kind == checkpoint.EventCopied && e.Message != "" {
			h.bad = fmt.Errorf("%s of %v: %s", e.Kind, id, e.Message)
		}
	case e.Kind != checkpoint.EventNewRun:
		h.bad = fmt.Errorf("the watcher says %s of checkpoint %d of job %s: %s", e.Kind, e.Checkpoint, e.Job, e.Message)
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *heard) at(kind checkpoint.Kind, id checkpointID) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.when[kind][id]
}

// await waits until n checkpoints are copied.
func (h *heard) await(ctx context.Context, lost <-chan error, w *tied, what string, n int) error {
	limit := time.NewTimer(copyPatience)
	defer limit.Stop()
	for {
		h.mu.Lock()
		copied, bad, changed := len(h.when[checkpoint.EventCopied]), h.bad, h.changed
		h.mu.Unlock()
		switch {
		case bad != nil:
			return bad
		case copied >= n:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ended:
			return w.died()
		case err := <-lost:
			return err
		case <-limit.C:
			return fmt.Errorf("%s: %d of %d after %s", what, copied, n, copyPatience)
		}
	}
}
