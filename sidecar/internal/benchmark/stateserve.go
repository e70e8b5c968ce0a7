package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

const stateKeys = 10_000

// served is a session of a sidecar, by HTTP.
type served struct {
	*process
	name    string
	epoch   atomic.Int64
	highest atomic.Int64 // number of the newest call
	keys    []string     // members of "state", ready-made
	groups  []uint16     // of the keys
}

// openServed opens a session.
func openServed(ctx context.Context, p *process, job string) (*served, error) {
	s := &served{process: p}
	var opened struct{ Session string }
	body := fmt.Sprintf(`{"job":%q,"operator":"op","subtask":0,"max_parallelism":%d,"key_groups":[0,%d],"restored":false}`, job, stateGroups, stateGroups-1)
	if err := s.ask(ctx, http.MethodPost, "/v1/state/sessions", body, &opened); err != nil {
		return nil, err
	}
	s.name = opened.Session
	s.keys, s.groups = make([]string, stateKeys), make([]uint16, stateKeys)
	for i := range s.keys {
		key := fmt.Sprint("key-", i)
		s.groups[i] = statestore.KeyGroup(statestore.HashString(key), stateGroups)
		s.keys[i] = fmt.Sprintf(`"key_group":%d,"key":%q`, s.groups[i], key)
	}
	return s, nil
}

func (s *served) ask(ctx context.Context, method, path, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// request counts a key of the session.
func (s *served) request(first int64) request {
	return func(n int64) []byte {
		n += first
		// In this order: who marks takes the next epoch first, and then looks which calls may have the one before.
		for now := s.highest.Load(); now < n && !s.highest.CompareAndSwap(now, n); now = s.highest.Load() {
		}
		epoch := s.epoch.Load()
		return post("/evaluate", fmt.Sprintf(`{"function":"count","id":"bench-%09d","event":{"id":%d},"state":{"session":%q,"epoch":%d,%s}}`,
			n, n, s.name, epoch, s.keys[n%stateKeys]))
	}
}

// inFlight is how many of the newest calls a mark says are in flight: more than there are.
const inFlightCalls = 1000

// mark takes a snapshot, upon which stored answers are forgotten.
func (s *served) mark(ctx context.Context, full bool) (segment.Reference, error) {
	epoch := s.epoch.Add(1)
	var body strings.Builder
	fmt.Fprintf(&body, `{"epoch":%d,"full":%t,"in_flight":[`, epoch, full)
	highest := s.highest.Load()
	for n := max(0, highest-inFlightCalls); n <= highest; n++ {
		fmt.Fprintf(&body, `{"id":"bench-%09d","key_group":%d},`, n, s.groups[n%stateKeys])
	}
	path := fmt.Sprintf("/v1/state/sessions/%s/marks", s.name)
	if err := s.ask(ctx, http.MethodPost, path, strings.TrimSuffix(body.String(), ",")+"]}", nil); err != nil {
		return segment.Reference{}, err
	}
	var durable struct{ Reference segment.Reference }
	err := s.ask(ctx, http.MethodGet, fmt.Sprintf("%s/%d?wait=50s", path, epoch), "", &durable)
	return durable.Reference, err
}

// calls are numbered through, so that no id comes twice.
type calls struct{ next int64 }

func (c *calls) run(ctx context.Context, l load, of func(first int64) request) (result, error) {
	l.request = of(c.next)
	got, err := l.run(ctx)
	c.next += int64(len(got.samples)) + int64(l.connections)
	if err == nil {
		for _, s := range got.samples {
			if s.status != http.StatusOK {
				return got, fmt.Errorf("a call was answered with %d; the log of the sidecar says why", s.status)
			}
		}
	}
	return got, err
}

func stateFlags(dir string, log bool) []string {
	flags := []string{"--state-enabled", "--state-store", "file://" + filepath.Join(dir, "store"), "--evaluate-admission-max-in-flight", "1000"}
	if log {
		flags = append(flags, "--state-folder", filepath.Join(dir, "log"))
	}
	return flags
}

// benchStateful compares calls with state with the same without, and calls during a snapshot with calls without one.
func benchStateful(ctx context.Context, r *Report, dir string, sizes stateSizes) error {
	binary, err := buildSubject(ctx, dir)
	if err != nil {
		return err
	}
	for _, log := range []bool{true, false} {
		inner := filepath.Join(dir, fmt.Sprint("log-", log))
		sidecar, err := startSidecar(ctx, dir, binary, stateFlags(inner, log)...)
		if err != nil {
			return err
		}
		s, err := openServed(ctx, sidecar, "bench")
		if err == nil {
			err = benchStatefulRate(ctx, r, s, sizes, log)
		}
		if err == nil && log {
			err = benchDuringSnapshot(ctx, r, s, sizes)
		}
		sidecar.stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func benchStatefulRate(ctx context.Context, r *Report, s *served, sizes stateSizes, log bool) error {
	plain := func(first int64) request {
		return func(n int64) []byte {
			return post("/evaluate", fmt.Sprintf(`{"function":"plain","id":"plain-%09d","event":{"id":%d}}`, first+n, first+n))
		}
	}
	var with, without calls
	var ours, theirs, ratios []float64
	for round := range sizes.rounds + 1 {
		b, err := without.run(ctx, load{addr: s.addr, connections: connections, duration: sizes.roundTime}, plain)
		if err != nil {
			return fmt.Errorf("without state: %w", err)
		}
		a, err := with.run(ctx, load{addr: s.addr, connections: connections, duration: sizes.roundTime}, s.request)
		if err != nil {
			return fmt.Errorf("with state: %w", err)
		}
		if _, err := s.mark(ctx, false); err != nil {
			return err
		}
		if round > 0 {
			ours, theirs, ratios = append(ours, a.perSecond()), append(theirs, b.perSecond()), append(ratios, a.perSecond()/b.perSecond())
		}
	}
	name := "evaluate with state: read, update, decide"
	if log {
		name += ", with a local log"
	}
	r.Cases = append(r.Cases, Case{
		Case: name, Against: "the same without state", Unit: "requests/s", Goal: 0.6, Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("HTTP, %d connections, %d keys, each call with an id of its own; median of %d rounds in turn", connections, stateKeys, sizes.rounds),
	})
	return nil
}

// benchDuringSnapshot times paced calls with and without full snapshots that follow one another.
func benchDuringSnapshot(ctx context.Context, r *Report, s *served, sizes stateSizes) error {
	// More keys than the calls use, so that a snapshot takes a while.
	filler := make([]string, sizes.loaded)
	for i := range filler {
		key := fmt.Sprint("filler-", i)
		filler[i] = fmt.Sprintf(`"key_group":%d,"key":%q`, statestore.KeyGroup(statestore.HashString(key), stateGroups), key)
	}
	fill := func(n int64) []byte {
		return post("/evaluate", fmt.Sprintf(`{"function":"count","id":"fill-%d","event":{"id":1},"state":{"session":%q,"epoch":%d,%s}}`, n, s.name, s.epoch.Load(), filler[n]))
	}
	got, err := load{addr: s.addr, connections: connections, calls: int64(sizes.loaded), request: fill}.run(ctx)
	if err != nil {
		return err
	}
	rate := got.perSecond() / 4
	if _, err := s.mark(ctx, true); err != nil {
		return err
	}
	c := calls{next: 500_000_000}
	paced := load{addr: s.addr, connections: connections, duration: sizes.roundTime, rate: rate}
	var ours, theirs, ratios []float64
	snapshots := 0
	for range sizes.rounds {
		quiet, err := c.run(ctx, paced, s.request)
		if err != nil {
			return err
		}
		busy, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			for busy.Err() == nil {
				if _, err := s.mark(ctx, true); err != nil {
					ended <- err
					return
				}
				snapshots++
			}
			ended <- nil
		}()
		during, err := c.run(ctx, paced, s.request)
		cancel()
		if marked := <-ended; err == nil {
			err = marked
		}
		if err != nil {
			return err
		}
		with, without := ms(during.quantile(0.99, all)), ms(quiet.quantile(0.99, all))
		ours, theirs, ratios = append(ours, with), append(theirs, without), append(ratios, without/with)
	}
	r.Cases = append(r.Cases, Case{
		Case: "p99 of a request during snapshots", Against: "p99 without", Unit: "ms", Goal: 0.5, Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("%.0f requests/s, a quarter of what is possible, timed from when they were due; %d full snapshots of %d keys, one after another without a pause", rate, snapshots, sizes.loaded+stateKeys),
	})
	return nil
}
