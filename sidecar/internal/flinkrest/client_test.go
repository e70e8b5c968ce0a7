package flinkrest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replay answers each path with a capture of a real JobManager (Flink 2.3.0): "STATUS file" or "STATUS".
func replay(t *testing.T, answers map[string]capture) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			t.Errorf("unexpected %s %s", r.Method, r.URL.RequestURI())
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(answer.status)
		if answer.file == "" {
			return
		}
		text, err := os.ReadFile(filepath.Join("testdata", answer.file))
		if err != nil {
			t.Error(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return New(server.URL + "/")
}

type capture struct {
	status int
	file   string
}

const job = "14ab15ac1452e671ba95b9cfcafa7c47"

func TestOverview(t *testing.T) {
	c := replay(t, map[string]capture{
		"GET /overview":     {200, "overview.json"},
		"GET /taskmanagers": {200, "taskmanagers.json"},
	})
	got, err := c.Overview(t.Context())
	want := Overview{Version: "2.3.0", TaskManagers: 1, SlotsTotal: 4, SlotsAvailable: 2}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	managers, err := c.TaskManagers(t.Context())
	if err != nil || len(managers) != 1 || managers[0].ID != "127.0.0.1:41005-f6b5dc" || managers[0].Slots != 4 || managers[0].FreeSlots != 2 ||
		managers[0].LastHeartbeat.Time().Year() != 2026 {
		t.Errorf("got %+v, %v", managers, err)
	}
}

func TestJobs(t *testing.T) {
	c := replay(t, map[string]capture{
		"GET /jobs/overview":               {200, "jobs_overview.json"},
		"GET /jobs/" + job:                 {200, "job.json"},
		"GET /jobs/" + job + "/exceptions": {200, "exceptions.json"},
	})
	jobs, err := c.Jobs(t.Context())
	if err != nil || len(jobs) < 2 || jobs[0] != (JobSummary{ID: job, Name: "lab-hashmap-files", State: Running, StartTime: 1795345523401}) || !jobs[1].State.Ended() {
		t.Errorf("got %+v, %v", jobs, err)
	}
	j, err := c.Job(t.Context(), job)
	if err != nil || j.State != Running || len(j.Vertices) != 3 {
		t.Fatalf("got %+v, %v", j, err)
	}
	if v := j.Vertices[0]; v.ID != "5582eb47ebd694f76960115c721d418e" || v.Name != "Source: lab-source -> Go async" || v.Parallelism != 2 || v.Tasks["RUNNING"] != 2 {
		t.Errorf("got %+v", v)
	}
	if !j.EndTime.Time().IsZero() || j.StartTime.Time().Year() != 2026 {
		t.Errorf("from %v to %v", j.StartTime.Time(), j.EndTime.Time())
	}
	cause, err := c.RootCause(t.Context(), job)
	if want := "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager with id 127.0.0.1:45599-0b95f5 is no longer reachable."; err != nil || cause != want {
		t.Errorf("got %q, %v", cause, err)
	}
}

func TestCheckpoints(t *testing.T) {
	for file, want := range map[string]struct {
		completed, savepoint, restored int64 // latest, 0 = none
		path                           string
		discarded                      bool
		counted                        int
		history                        []int64 // completed checkpoints, newest first
	}{
		"checkpoints.json": {completed: 5, counted: 5, history: []int64{5, 4, 3, 2, 1},
			path: "s3://flink/ck-hashmap-files/14ab15ac1452e671ba95b9cfcafa7c47/chk-5"},
		"checkpoints_none.json": {},
		"checkpoints_restored.json": {completed: 8, restored: 5, counted: 3, history: []int64{8, 7, 6},
			path: "s3://flink/ck-jm-kill-ha/0c2852008a6b9d33577373c45d8b1739/chk-8"},
		// Two savepoints, which are no checkpoints; the job has finished, so Flink has deleted its checkpoints.
		"checkpoints_savepoint.json": {completed: 18, savepoint: 19, counted: 19, discarded: true, history: []int64{18, 17, 16, 15, 13, 12, 11, 10},
			path: "s3://flink/ck-rocksdb/bebc0882deb33d0f54f88e272bd50e53/chk-18"},
	} {
		t.Run(file, func(t *testing.T) {
			c := replay(t, map[string]capture{"GET /jobs/" + job + "/checkpoints": {200, file}})
			got, err := c.Checkpoints(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			id := func(c *Checkpoint) int64 {
				if c == nil {
					return 0
				}
				return c.ID
			}
			if id(got.Latest.Completed) != want.completed || id(got.Latest.Savepoint) != want.savepoint || got.Counts.Completed != want.counted {
				t.Errorf("completed %d, savepoint %d, %+v", id(got.Latest.Completed), id(got.Latest.Savepoint), got.Counts)
			}
			if c := got.Latest.Completed; c != nil && (c.Discarded != want.discarded || c.ExternalPath != want.path || !c.Completed()) {
				t.Errorf("got %+v", c)
			}
			var restored int64
			if r := got.Latest.Restored; r != nil {
				restored = r.ID
			}
			if restored != want.restored {
				t.Errorf("restored %d", restored)
			}
			var ids []int64
			for _, c := range got.History {
				if c.Completed() {
					ids = append(ids, c.ID)
				}
			}
			if !cmp.Equal(ids, want.history) {
				t.Errorf("history %v, want %v", ids, want.history)
			}
		})
	}
}

func TestCheckpointConfig(t *testing.T) {
	c := replay(t, map[string]capture{"GET /jobs/" + job + "/checkpoints/config": {200, "checkpoints_config.json"}})
	got, err := c.CheckpointConfig(t.Context(), job)
	if err != nil || got.Mode != "exactly_once" || got.Interval != 2000 || !got.Periodic() || got.Externalization.DeleteOnCancellation || got.StateBackend != "HashMapStateBackend" {
		t.Errorf("got %+v, %v", got, err)
	}
	// What Flink sends for a job without periodic checkpoints.
	if err := json.Unmarshal([]byte(`{"mode":"exactly_once","interval":9223372036854775807,"a_new_key":{}}`), &got); err != nil || got.Interval != math.MaxInt64 || got.Periodic() {
		t.Errorf("got %+v, %v", got, err)
	}
}

type capturedError struct {
	status  int
	message string
}

// Every failure is Flink's own status and one line, never a stack trace.
func TestErrors(t *testing.T) {
	for file, want := range map[string]capturedError{
		"error_unknown_job.json":     {404, "org.apache.flink.runtime.rest.NotFoundException: Job 00000000000000000000000000000000 not found"},
		"error_bad_job.json":         {400, `org.apache.flink.runtime.rest.handler.RestHandlerException: Bad request, could not parse parameters: Cannot resolve path parameter (jobid) from value "nothex".`},
		"error_internal.json":        {500, "org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (00000000000000000000000000000000)"},
		"error_initializing.json":    {500, "org.apache.flink.runtime.dispatcher.UnavailableDispatcherOperationException: Unable to get JobMasterGateway for initializing job. The requested operation is not available while the JobManager is initializing."},
		"error_leader_election.json": {503, "Service temporarily unavailable due to an ongoing leader election. Please refresh."},
		"":                           {502, "(no message)"},
	} {
		t.Run(file, func(t *testing.T) {
			c := replay(t, map[string]capture{"GET /jobs/" + job: {want.status, file}})
			_, err := c.Job(t.Context(), job)
			var got *Error
			if !errors.As(err, &got) || got.Status != want.status || got.Message != want.message || strings.Contains(got.Cause, "\n") {
				t.Errorf("got %v", err)
			}
			if IsNotFound(err) != (want.status == 404) {
				t.Errorf("IsNotFound is %v", IsNotFound(err))
			}
		})
	}
}

func TestDeepCause(t *testing.T) {
	trace := "<Exception on server side:\njava.util.concurrent.CompletionException: x\n\tat a.b(C.java:1)\nCaused by: org.Outer: y\n\tat d\nCaused by: java.lang.IllegalArgumentException: say --output-path\n\tat e\n\t... 4 more\n"
	body, err := json.Marshal(map[string]any{"errors": []string{"Internal server error.", trace}})
	if err != nil {
		t.Fatal(err)
	}
	if got := newError(500, body); got.Message != "java.lang.IllegalArgumentException: say --output-path" || got.Cause != "" {
		t.Errorf("got %+v", got)
	}
	body, err = json.Marshal(map[string]any{"errors": []string{strings.Replace(trace, "<Exception on server side:\n", "", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	want := Error{400, "java.util.concurrent.CompletionException: x", "java.lang.IllegalArgumentException: say --output-path"}
	if got := newError(400, body); *got != want {
		t.Errorf("got %+v", got)
	}
	body, err = json.Marshal(map[string]any{"errors": []string{strings.Repeat("ä", 1000)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := newError(400, body).Message; len(got) > 510 || !strings.HasSuffix(got, "ä...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

// An answer that is no JSON, or too long, is an error and not a crash or all of the memory.
func TestBadAnswers(t *testing.T) {
	body := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if body != "" {
			_, _ = io.WriteString(w, body)
			return
		}
		chunk := make([]byte, 1<<20)
		for range maxBody/len(chunk) + 2 {
			if _, err := w.Write(chunk); err != nil {
				return // the client has hung up, as it should
			}
		}
	}))
	defer server.Close()
	for text, want := range map[string]string{
		"<html>not flink</html>": "not what Flink sends",
		`{"slots-total":"many"}`: "not what Flink sends",
		"":                       "answer of more than",
	} {
		body = text
		if _, err := New(server.URL).Overview(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	server.Close()
	if _, err := New(server.URL).Overview(t.Context()); err == nil {
		t.Error("no error from a closed port")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(server.URL).Overview(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The way of a jar, against a handler that checks what Flink checks.
func TestJars(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jars/upload", func(w http.ResponseWriter, r *http.Request) {
		file, header, err := r.FormFile("jarfile")
		if err != nil {
			t.Error(err)
			return
		}
		content, err := io.ReadAll(file)
		if err != nil || string(content) != "PK" || header.Filename != "my jobs.jar" || header.Header.Get("Content-Type") != "application/java-archive" {
			t.Errorf("got %q, %+v, %v", content, header, err)
		}
		_, _ = io.WriteString(w, `{"filename":"/tmp/flink-web-upload/0a1b_my jobs.jar","status":"success"}`)
	})
	mux.HandleFunc("POST /jars/{id}/run", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		want := `{"entryClass":"a.Job","programArgsList":["--events","1"],"parallelism":2,"flinkConfiguration":{"k":"v"}}`
		if err != nil || r.PathValue("id") != "0a1b_my jobs.jar" || string(body) != want {
			t.Errorf("%s: got %s, %v", r.PathValue("id"), body, err)
		}
		_, _ = io.WriteString(w, `{"jobid":"`+job+`"}`)
	})
	mux.HandleFunc("GET /jars", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"address":"http://jm:8081","files":[{"id":"0a1b_my jobs.jar","name":"my jobs.jar","uploaded":1,"entry":[]}]}`)
	})
	mux.HandleFunc("DELETE /jars/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") })
	mux.HandleFunc("PATCH /jobs/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("mode") != "cancel" {
			t.Errorf("got %s", r.URL)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "{}")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	c := New(server.URL)
	path := filepath.Join(t.TempDir(), "my jobs.jar")
	if err := os.WriteFile(path, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	jar, err := c.UploadJar(t.Context(), path)
	if err != nil || jar != "0a1b_my jobs.jar" {
		t.Fatalf("got %q, %v", jar, err)
	}
	if ids, err := c.Jars(t.Context()); err != nil || len(ids) != 1 || ids[0] != jar {
		t.Errorf("got %q, %v", ids, err)
	}
	id, err := c.RunJar(t.Context(), jar, Run{EntryClass: "a.Job", Args: []string{"--events", "1"}, Parallelism: 2, Config: map[string]string{"k": "v"}})
	if err != nil || id != job {
		t.Errorf("got %q, %v", id, err)
	}
	if err := errors.Join(c.Cancel(t.Context(), job), c.DeleteJar(t.Context(), jar)); err != nil {
		t.Error(err)
	}
	if _, err := c.UploadJar(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("get") != "0.go-fraud.drey.requests,0.go-fraud.drey.latencyMicros_p99" {
			t.Errorf("got %s", r.URL)
		}
		_, _ = io.WriteString(w, `[{"id":"0.go-fraud.drey.requests","value":"17"},{"id":"0.go-fraud.drey.latencyMicros_p99","value":"NaN"}]`)
	}))
	defer server.Close()
	got, err := New(server.URL).Metrics(t.Context(), job, "v", "0.go-fraud.drey.requests", "0.go-fraud.drey.latencyMicros_p99")
	want := map[string]string{"0.go-fraud.drey.requests": "17", "0.go-fraud.drey.latencyMicros_p99": "NaN"}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestNumber(t *testing.T) {
	var got struct{ A, B, C Number }
	if err := json.Unmarshal([]byte(`{"A":"NaN","B":-1,"C":1.5}`), &got); err != nil || !math.IsNaN(float64(got.A)) || got.B != -1 || got.C != 1.5 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"many"}`), &got); err == nil {
		t.Error("a word was taken for a number")
	}
}

// No bytes of a JobManager, or of what poses as one, crash the client.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, into := range []any{&Overview{}, &Job{}, &Checkpoints{}, &CheckpointConfig{}, &[]TaskManager{}} {
			_ = json.Unmarshal(text, into)
		}
		if e := newError(500, text); strings.ContainsRune(e.Message+e.Cause, '\n') {
			t.Error("an error of several lines")
		}
	})
}
