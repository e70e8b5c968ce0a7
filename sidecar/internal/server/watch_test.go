package server_test

import (
	"bufio"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
)

// Flink is away, or hangs: the sidecar is ready, answers at once, and says so.
func TestServingWithoutFlink(t *testing.T) {
	jm := flinkresttest.New(t)
	hang := make(chan struct{})
	defer close(hang)
	jm.Script("GET /jobs/overview", flinkresttest.Answer{Status: 200, Body: `{"jobs":[]}`, Wait: hang})
	dead := flinkresttest.New(t)
	dead.Kill()
	for name, flink := range map[string]string{"away": dead.URL, "hangs": jm.URL} {
		t.Run(name, func(t *testing.T) {
			s := start(t,
				config.Flag{Name: "watch-flink", Value: flink}, config.Flag{Name: "data-dir", Value: t.TempDir()}, config.Flag{Name: "watch-interval", Value: "50ms"},
				config.Flag{Name: "watch-s3-endpoint", Value: "http://127.0.0.1:1"})
			if a := s.admin("/readyz"); a.status != 200 {
				t.Errorf("ready: %d %s", a.status, a.body)
			}
			began := time.Now()
			for range 20 {
				if a := s.do("POST", "/evaluate", `{"function":"number","event":{"n":1}}`); a.status != 200 {
					t.Fatalf("%d %s", a.status, a.body)
				}
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("20 calls took %s", took)
			}
			if name == "away" {
				eventually(t, "the status tells", func() bool { return strings.Contains(s.do("GET", "/v1/status", "").body, "connection refused") })
				eventually(t, "the metrics tell", func() bool { return strings.Contains(s.admin("/metrics").body, "drey_flink_up 0") })
			}
			for _, path := range []string{"/v1/checkpoints", "/v1/jobs"} {
				if a := s.do("GET", path, ""); a.status != 200 {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
				if a := s.admin(path); a.status != 200 {
					t.Errorf("admin %s: %d %s", path, a.status, a.body)
				}
			}
			if a := s.do("POST", "/v1/checkpoints/notify", `{}`); a.status != 403 || !strings.Contains(a.body, "watch.notify_token_file") {
				t.Errorf("webhook without a token configured: %d %s", a.status, a.body)
			}
		})
	}
}

// The copies go to a folder in data_dir, and the watcher sees what completes.
func TestWatchingBesideEvaluating(t *testing.T) {
	jm := flinkresttest.New(t)
	job := jm.AddJob("14ab15ac1452e671ba95b9cfcafa7c47", "fraud")
	job.Complete(1, "file:/nowhere/14ab15ac1452e671ba95b9cfcafa7c47/chk-1", 1000)
	data := t.TempDir()
	s := start(t, config.Flag{Name: "watch-flink", Value: jm.URL}, config.Flag{Name: "data-dir", Value: data}, config.Flag{Name: "watch-interval", Value: "50ms"})
	eventually(t, "the checkpoint is known", func() bool {
		var list struct {
			Checkpoints []struct{ State string }
		}
		err := json.Unmarshal([]byte(s.do("GET", "/v1/checkpoints?job=fraud", "").body), &list)
		return err == nil && len(list.Checkpoints) == 1 && list.Checkpoints[0].State != "SEEN"
	})
	if found, err := filepath.Glob(filepath.Join(data, "checkpoints", "ledger.db")); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// The end of a replay is told to those who read events: here it fails, since nobody knows checkpoint 7.
func TestReplayEnds(t *testing.T) {
	const job = "14ab15ac1452e671ba95b9cfcafa7c47"
	jm := flinkresttest.New(t)
	jm.AddJob(job, "fraud").Complete(1, "file:/nowhere/"+job+"/chk-1", 1000)
	s := start(t, config.Flag{Name: "watch-flink", Value: jm.URL}, config.Flag{Name: "data-dir", Value: t.TempDir()}, config.Flag{Name: "watch-interval", Value: "50ms"},
		config.Flag{Name: "replay-enabled", Value: "true"}, config.Flag{Name: "decisions-dir", Value: t.TempDir()})
	a := s.do("POST", "/v1/replays", `{"job":"`+job+`","checkpoint_id":7}`)
	var started struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &started); err != nil || started.ID == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	events, err := s.client.Get("http://" + s.bound.HTTP + "/v1/events?after=0&job=" + job) // its timeout ends the test
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !strings.Contains(text, `"kind":"replay.`) {
			continue
		}
		var e checkpoint.Event
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind != checkpoint.EventReplayFailed || e.Job != job || e.Checkpoint != 7 || !strings.Contains(e.Message, started.ID) || !strings.Contains(e.Message, "audit: ") {
			t.Errorf("%+v", e)
		}
		return
	}
	t.Fatalf("no event: %v", lines.Err())
}

func TestNoWatcherByDefault(t *testing.T) {
	s := start(t)
	if a := s.do("GET", "/v1/checkpoints", ""); a.status != 404 || !strings.Contains(a.body, "watch.flink") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.admin("/metrics"); strings.Contains(a.body, "drey_flink_up") || strings.Contains(a.body, "drey_checkpoint") {
		t.Error("metrics of a watcher that is not there")
	}
	if a := s.do("GET", "/v1/status", ""); strings.Contains(a.body, `"watch"`) {
		t.Errorf("status %s", a.body)
	}
}

// A folder that cannot be used is known at the start, and named.
func TestWatchFolderInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "watch")
	flags := []config.Flag{{Name: "watch-flink", Value: "http://127.0.0.1:1"}, {Name: "watch-dir", Value: dir}}
	start(t, flags...)
	if _, err := tryStart(t, flags...); err == nil || !strings.Contains(err.Error(), "another drey holds it") {
		t.Errorf("got %v", err)
	}
}
