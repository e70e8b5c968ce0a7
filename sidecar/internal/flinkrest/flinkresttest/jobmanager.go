// Package flinkresttest is a scripted JobManager: a real HTTP server that answers as Flink 2.3 does, with the state that
// a test gives it. Shapes, status codes and oddities are those of captures from a real JobManager; [JobManager.Replay]
// serves such captures byte for byte.
package flinkresttest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// JobManager is one scripted JobManager. Its methods are safe for concurrent use; it ends with the test.
type JobManager struct {
	URL string

	t        testing.TB
	server   *httptest.Server
	mu       sync.Mutex
	jobs     []*Job
	captured map[string]Answer // by path, of Replay
	answers  map[string][]Answer
	election bool
	requests []string
}

// Answer is a scripted answer. The zero Status closes the connection without any answer.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	// Wait, if set, holds the answer back until it is closed, or the client gives up.
	Wait <-chan struct{}
}

// New starts a JobManager without jobs.
func New(t testing.TB) *JobManager {
	jm := &JobManager{t: t, captured: map[string]Answer{}, answers: map[string][]Answer{}}
	jm.server = httptest.NewServer(jm)
	jm.URL = jm.server.URL
	t.Cleanup(func() { jm.server.Close() })
	return jm
}

// Replay answers with the captures of a folder that has an index.json: a list of {method, path, status, contentType,
// file}, where file is relative to the folder above. A later capture of the same path stands in for an earlier one.
func (jm *JobManager) Replay(folder string) {
	jm.t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		jm.t.Fatal(err)
	}
	var index []struct {
		Method, Path, ContentType, File string
		Status                          int
	}
	if err := json.Unmarshal(text, &index); err != nil {
		jm.t.Fatal(err)
	}
	jm.mu.Lock()
	defer jm.mu.Unlock()
	for _, entry := range index {
		if entry.Method != http.MethodGet || entry.Status == 0 {
			continue
		}
		body, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Clean(folder)), filepath.FromSlash(entry.File)))
		if err != nil {
			jm.t.Fatal(err)
		}
		jm.captured[entry.Path] = Answer{
			Status: entry.Status, Header: http.Header{"Content-Type": {entry.ContentType}}, Body: string(body),
		}
	}
}

// Script answers the next requests of "METHOD /path" with these answers, one each, before anything else.
func (jm *JobManager) Script(request string, answers ...Answer) {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	jm.answers[request] = append(jm.answers[request], answers...)
}

// Elect begins or ends a leader election: meanwhile everything is 503.
func (jm *JobManager) Elect(running bool) {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	jm.election = running
}

// Kill ends the server: connections are refused until Revive. The jobs stay.
func (jm *JobManager) Kill() { jm.server.Close() }

// Revive listens again at the same address.
func (jm *JobManager) Revive() {
	jm.t.Helper()
	listener, err := net.Listen("tcp", strings.TrimPrefix(jm.URL, "http://"))
	if err != nil {
		jm.t.Fatal(err)
	}
	jm.server = httptest.NewUnstartedServer(jm)
	jm.server.Listener.Close()
	jm.server.Listener = listener
	jm.server.Start()
}

// Requests returns what was asked so far, as "METHOD /path".
func (jm *JobManager) Requests() []string {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	return slices.Clone(jm.requests)
}

func (jm *JobManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := jm.answer(r)
	if answer.Wait != nil {
		select {
		case <-answer.Wait:
		case <-r.Context().Done():
			return
		}
	}
	if answer.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	for key, values := range answer.Header {
		w.Header()[key] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	}
	w.WriteHeader(answer.Status)
	if _, err := w.Write([]byte(answer.Body)); err != nil && r.Context().Err() == nil {
		jm.t.Log("answer ", r.URL.Path, ": ", err)
	}
}

func (jm *JobManager) answer(r *http.Request) Answer {
	jm.mu.Lock()
	defer jm.mu.Unlock()
	request := r.Method + " " + r.URL.Path
	jm.requests = append(jm.requests, request)
	if scripted := jm.answers[request]; len(scripted) > 0 {
		jm.answers[request] = scripted[1:]
		return scripted[0]
	}
	if jm.election {
		return failure(http.StatusServiceUnavailable,
			"Service temporarily unavailable due to an ongoing leader election. Please refresh.")
	}
	if answer, ok := jm.captured[r.URL.Path]; ok && r.Method == http.MethodGet {
		return answer
	}
	return jm.route(r)
}

func (jm *JobManager) route(r *http.Request) Answer {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/overview":
		return ok(map[string]any{"flink-version": "2.3.0", "taskmanagers": 1, "slots-total": 2, "slots-available": 0})
	case r.URL.Path == "/jobs/overview":
		lines := []any{}
		for _, job := range jm.jobs {
			lines = append(lines, map[string]any{"jid": job.ID, "name": job.name, "state": job.state, "start-time": job.started, "last-modification": 0})
		}
		return ok(map[string]any{"jobs": lines})
	case len(parts) >= 2 && parts[0] == "jobs":
		i := slices.IndexFunc(jm.jobs, func(j *Job) bool { return strings.EqualFold(j.ID, parts[1]) })
		if i < 0 {
			return failure(http.StatusNotFound, fmt.Sprintf("Job %s not found", parts[1]))
		}
		return jm.jobs[i].route(r, parts[2:])
	}
	return failure(http.StatusNotFound, "Not found: "+r.URL.Path)
}

func ok(body any) Answer { return answerJSON(http.StatusOK, body) }

func failure(status int, message string) Answer {
	return answerJSON(status, map[string]any{"errors": []string{message}})
}

func answerJSON(status int, body any) Answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // only maps of plain values come here
	}
	return Answer{Status: status, Body: string(text)}
}
