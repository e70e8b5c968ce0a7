package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// replays plays package replay: one that runs, until the test ends it.
type replays struct {
	now     replay.Replay
	changed chan struct{}
	asked   []replay.Request
}

func (r *replays) Start(in replay.Request) (replay.Replay, bool, error) {
	r.asked = append(r.asked, in)
	if in.Mode == replay.Job {
		return replay.Replay{}, false, problem.New(problem.Forbidden, "not here")
	}
	return r.now, len(r.asked) == 1, nil
}

func (r *replays) Get(id string) (replay.Replay, error) {
	if id != r.now.ID {
		return replay.Replay{}, problem.New(problem.NotFound, "no replay %q", id)
	}
	return r.now, nil
}

func (r *replays) List() ([]replay.Replay, error)          { return []replay.Replay{r.now}, nil }
func (r *replays) Cancel(id string) (replay.Replay, error) { return r.Get(id) }
func (r *replays) Pause(id string) (replay.Replay, error)  { return r.Get(id) }
func (r *replays) Resume(id string) (replay.Replay, error) { return r.Get(id) }
func (r *replays) Changed() <-chan struct{}                { return r.changed }
func (r *replays) Report(id string) (*report.Report, error) {
	if _, err := r.Get(id); err != nil {
		return nil, err
	}
	built := &report.Report{Job: job, CheckpointID: 7}
	report.NewBuilder(built, 1, time.Time{}, time.Time{})
	return built, nil
}

func newReplays() *replays {
	return &replays{changed: make(chan struct{}), now: replay.Replay{
		ID: "r-1", Request: replay.Request{Job: job, CheckpointID: 7, Mode: replay.Audit}, State: replay.Applying, Created: time.Unix(1, 0), Updated: time.Unix(2, 0),
	}}
}

func TestReplays(t *testing.T) {
	f := newFixture(t)
	if w := f.do("GET", "/v1/replays", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "replay.enabled") {
		t.Errorf("without replay: %d %s", w.Code, w.Body)
	}
	r := newReplays()
	f.api.Replays = r
	body := `{"job":"` + job + `","checkpoint_id":7,"mode":"audit","ignore":["version"]}`
	for i, status := range []int{http.StatusAccepted, http.StatusOK} {
		w := f.do("POST", "/v1/replays", body)
		if w.Code != status || w.Header().Get("Location") != "/v1/replays/r-1" {
			t.Errorf("start %d: %d %s", i, w.Code, w.Body)
		}
	}
	if len(r.asked) != 2 || r.asked[0].CheckpointID != 7 || r.asked[0].Ignore[0] != "version" {
		t.Errorf("%+v", r.asked)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/v1/replays", "", 200, `"replays"`},
		{"GET", "/v1/replays/r-1", "", 200, `"APPLYING"`},
		{"GET", "/v1/replays/r-2", "", 404, "not_found"},
		{"POST", "/v1/replays/r-1/cancel", "", 200, `"r-1"`},
		{"POST", "/v1/replays/r-1/pause", "", 200, `"r-1"`},
		{"POST", "/v1/replays/r-2/resume", "", 404, "not_found"},
		{"POST", "/v1/replays", `{"job":"x","checkpoint":7}`, 400, "checkpoint"},
		{"POST", "/v1/replays", `{`, 400, "invalid_request"},
		{"POST", "/v1/replays", strings.Replace(body, "audit", "job", 1), 403, "forbidden"},
		{"GET", "/v1/replays/r-1/report", "", 200, `"checkpoint_id"`},
		{"GET", "/v1/replays/r-1/report?format=html", "", 200, "<!doctype html>"},
		{"GET", "/v1/replays/r-2/report", "", 404, "not_found"},
		{"GET", "/v1/replays/r-2/events", "", 404, "not_found"},
	} {
		if w := f.do(c.method, c.path, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	if w := f.do("GET", "/v1/replays/r-1/report", "", "Accept", "text/html"); !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%v", w.Header())
	}
}

// A reader is told of each change, and let go at the end.
func TestReplayEvents(t *testing.T) {
	f := newFixture(t)
	r := newReplays()
	ended := *r
	ended.now.State = replay.Completed
	// The next look finds it ended.
	first := r.now
	f.api.Replays = &turns{replays: r, states: []replay.Replay{first, ended.now}}
	close(r.changed)
	w := httptest.NewRecorder()
	f.data.ServeHTTP(w, request("GET", "/v1/replays/r-1/events", ""))
	events := strings.Split(strings.TrimSpace(w.Body.String()), "\n\n")
	if len(events) != 2 || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%q", w.Body)
	}
	for i, state := range []replay.State{replay.Applying, replay.Completed} {
		var got replay.Replay
		data, _ := strings.CutPrefix(events[i], "event: replay\ndata: ")
		if err := json.Unmarshal([]byte(data), &got); err != nil || got.State != state {
			t.Errorf("%q: %v", events[i], err)
		}
	}
}

// turns answers with one state after the other.
type turns struct {
	*replays
	states []replay.Replay
}

func (t *turns) Get(string) (replay.Replay, error) {
	now := t.states[0]
	if len(t.states) > 1 {
		t.states = t.states[1:]
	}
	return now, nil
}
