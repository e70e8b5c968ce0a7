package watch_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/server"
)

// served is drey watch, with real listeners.
type served struct {
	t    *testing.T
	url  string
	stop func()
}

// serve runs drey watch with the configuration of the world, until stop or the end of the test.
func (w *world) serve() *served {
	w.t.Helper()
	dir := w.t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	loaded, err := config.Load(config.Sources{Flags: []config.Flag{
		{Name: "http-addr", Value: "127.0.0.1:0"}, {Name: "admin-addr", Value: ""}, {Name: "drain-delay", Value: "0s"},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	loaded.Watch = w.config
	signals, done := make(chan os.Signal, 1), make(chan error, 1)
	go func() {
		done <- server.Run(context.Background(), server.Options{
			Config: loaded, WatchOnly: true, ReadyFile: ready, Version: "test", LogOutput: w.t.Output(), Signals: signals,
		})
	}()
	s := &served{t: w.t}
	s.stop = sync.OnceFunc(func() {
		signals <- syscall.SIGTERM
		select {
		case err := <-done:
			if err != nil {
				w.t.Error(err)
			}
		case <-time.After(patience):
			w.t.Error("it does not end")
		}
	})
	w.t.Cleanup(s.stop)
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		var bound server.Bound
		if text, err := os.ReadFile(ready); err == nil && json.Unmarshal(text, &bound) == nil {
			s.url = "http://" + bound.HTTP
			return s
		}
		if time.Now().After(limit) {
			w.t.Fatal("not ready in time")
		}
	}
}

func (s *served) do(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// events follows the stream after a number, and answers with the kind, checkpoint and number of each.
func (s *served) events(after uint64) (next func() (checkpoint.Event, bool)) {
	s.t.Helper()
	resp, err := http.Get(s.url + fmt.Sprintf("/v1/events?after=%d", after)) //nolint:noctx // the server ends it
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() }) //nolint:errcheck
	lines := bufio.NewScanner(resp.Body)
	return func() (checkpoint.Event, bool) {
		for lines.Scan() {
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			if !found {
				continue
			}
			var e checkpoint.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				s.t.Error(err)
			}
			return e, true
		}
		if err := lines.Err(); err != nil {
			s.t.Errorf("the stream broke off: %v", err)
		}
		return checkpoint.Event{}, false
	}
}

// The whole way: Flink's REST API, S3, the copies, the API and its events, with a restart in between.
func TestServed(t *testing.T) {
	w := newWorld(t)
	w.complete(1)
	s := w.serve()
	next := s.events(0)
	var seen []string
	var last uint64
	until := func(kind checkpoint.Kind, id int64) {
		t.Helper()
		for {
			e, more := next()
			if !more {
				t.Fatalf("the stream ended; so far %v", seen)
			}
			if e.Seq != last+1 {
				t.Errorf("event %d comes after %d", e.Seq, last)
			}
			seen, last = append(seen, string(e.Kind)), e.Seq
			if e.Kind == kind && e.Checkpoint == id {
				return
			}
		}
	}
	until(checkpoint.EventCopied, 1)
	w.complete(2)
	until(checkpoint.EventCopied, 2)

	code, text := s.do("GET", "/v1/checkpoints/"+job+"/2", "")
	var found struct {
		checkpoint.Record
		Restorable bool
		Folder     string
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil || code != 200 || !found.Restorable || found.Path != path(2) {
		t.Errorf("%d %s", code, text)
	}
	if _, err := os.Stat(filepath.Join(found.Folder, "_metadata")); err != nil {
		t.Errorf("the copy: %v", err)
	}
	if code, text := s.do("GET", "/metrics", ""); code != 200 ||
		!strings.Contains(text, `drey_checkpoint_copy_age_seconds{job="`+job+`",name="fraud"}`) ||
		!strings.Contains(text, `drey_checkpoints_finished_total{result="copied"} 2`) || !strings.Contains(text, "drey_flink_up 1") ||
		!strings.Contains(text, "drey_watch_leads 1") || !strings.Contains(text, "drey_checkpoint_copied_bytes_total") {
		t.Errorf("metrics: %d\n%s", code, text)
	}
	if code, text := s.do("GET", "/v1/status", ""); code != 200 || !strings.Contains(text, `"watch":{"polled"`) {
		t.Errorf("status: %d %s", code, text)
	}
	if code, _ := s.do("POST", "/evaluate", `{"event":{}}`); code != 404 {
		t.Errorf("evaluate: %d, want 404", code)
	}
	w.upload(3)
	body := fmt.Sprintf(`{"job":%q,"checkpoint_id":3,"path":%q}`, job, path(3))
	if code, text := s.do("POST", "/v1/checkpoints/notify", body); code != 401 {
		t.Errorf("without the token: %d %s", code, text)
	}
	if code, text := s.do("POST", "/v1/checkpoints/notify", body, "Authorization", "Bearer "+token); code != 202 {
		t.Errorf("with the token: %d %s", code, text)
	}
	until(checkpoint.EventCopied, 3)

	// The stream ends at once, though nobody has closed it.
	s.stop()
	for _, more := next(); more; _, more = next() {
	}
	w.job.Complete(3, path(3), time.Now().UnixMilli())
	w.complete(4)
	s = w.serve()
	next = s.events(last)
	until(checkpoint.EventCopied, 4)
	for _, kind := range seen {
		if kind == string(checkpoint.EventDropped) || kind == string(checkpoint.EventFailed) {
			t.Errorf("events %v", seen)
		}
	}
}
