package flinkrest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
)

const job = "14ab15ac1452e671ba95b9cfcafa7c47"

func TestSeveralJobManagers(t *testing.T) {
	first, second := flinkresttest.New(t), flinkresttest.New(t)
	first.AddJob(job, "fraud")
	second.AddJob(job, "fraud")
	c := flinkrest.New(first.URL, second.URL)
	ask := func() {
		t.Helper()
		if jobs, err := c.Jobs(t.Context()); err != nil || len(jobs) != 1 {
			t.Fatalf("jobs = %v, %v", jobs, err)
		}
	}

	ask()
	if n := len(second.Requests()); n != 0 {
		t.Errorf("the second JobManager was asked %d times though the first answers", n)
	}
	first.Kill()
	ask()
	ask()
	if n := len(second.Requests()); n != 2 {
		t.Errorf("the second JobManager was asked %d times, want 2", n)
	}
	first.Revive()
	second.Elect(true)
	ask() // an election on the one that answered last: the other one may know the leader
	asked := len(second.Requests())
	ask()
	if len(second.Requests()) != asked {
		t.Error("the JobManager in election is asked again though the other one answered last")
	}

	first.Elect(true)
	_, err := c.Jobs(t.Context())
	if !flinkrest.IsUnavailable(err) || !strings.Contains(err.Error(), "leader election") {
		t.Errorf("both in election: %v, unavailable = %v", err, flinkrest.IsUnavailable(err))
	}
}

func TestUnavailable(t *testing.T) {
	jm := flinkresttest.New(t)
	scripted := jm.AddJob(job, "fraud")
	c := flinkrest.New(jm.URL)

	scripted.Initializing(true)
	if _, err := c.Checkpoints(t.Context(), job); !flinkrest.IsUnavailable(err) {
		t.Errorf("while the job initializes: %v is not unavailable", err)
	}
	scripted.Initializing(false)
	if _, err := c.Checkpoints(t.Context(), job); err != nil {
		t.Errorf("after that: %v", err)
	}

	jm.Script("GET /jobs/overview", flinkresttest.Answer{Status: 200, Body: `{"jobs":[{"jid"`})
	if _, err := c.Jobs(t.Context()); err == nil || flinkrest.IsUnavailable(err) {
		t.Errorf("garbage: %v", err)
	}
	jm.Script("GET /jobs/overview", flinkresttest.Answer{Status: 0})
	// Go's client itself asks again once when an idle connection was closed without an answer.
	jm.Script("GET /jobs/overview", flinkresttest.Answer{Status: 0})
	if _, err := c.Jobs(t.Context()); !flinkrest.IsUnavailable(err) {
		t.Errorf("connection closed without an answer: %v", err)
	}
	jm.Script("GET /jobs/overview", flinkresttest.Answer{
		Status: 200, Header: http.Header{"Content-Length": {"1000"}}, Body: `{"jobs":[`,
	})
	if _, err := c.Jobs(t.Context()); !flinkrest.IsUnavailable(err) {
		t.Errorf("connection closed in the middle of an answer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Jobs(ctx); flinkrest.IsUnavailable(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("own cancellation: %v", err)
	}
}

func TestNotAJobManager(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed to another host")
	}))
	defer elsewhere.Close()
	tests := map[string]struct {
		answer flinkresttest.Answer
		want   string
	}{
		"an HTML page":  {flinkresttest.Answer{Status: 200, Body: "<html><body>Welcome</body></html>"}, "does http://127.0.0.1"},
		"an HTML error": {flinkresttest.Answer{Status: 502, Body: "<html>Bad Gateway</html>"}, "flink answered 502: (no message)"},
		"a redirect": {
			flinkresttest.Answer{Status: 302, Header: http.Header{"Location": {elsewhere.URL}}},
			"a redirect, which no JobManager sends",
		},
		"100 MB": {flinkresttest.Answer{Status: 200, Body: `"` + strings.Repeat("x", 100<<20) + `"`}, "answer of more than 33554432 bytes"},
		"1e999":  {flinkresttest.Answer{Status: 200, Body: `{"jobs":[{"jid":1e999}]}`}, "not what Flink sends"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			jm := flinkresttest.New(t)
			jm.Script("GET /jobs/overview", test.answer)
			_, err := flinkrest.New(jm.URL).Jobs(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || flinkrest.IsUnavailable(err) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"jobs":[{"jid":"` + r.TLS.PeerCertificates[0].Subject.Organization[0] + `"}]}`)) //nolint:errcheck
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	if _, err := flinkrest.New(server.URL).Jobs(t.Context()); err == nil || flinkrest.IsUnavailable(err) {
		t.Errorf("unknown authority: %v; want an error that a retry does not mend", err)
	}
	if _, err := flinkrest.NewTLS(&tls.Config{RootCAs: roots}, server.URL).Jobs(t.Context()); err == nil {
		t.Error("no client certificate, and no error")
	}
	c := flinkrest.NewTLS(&tls.Config{RootCAs: roots, Certificates: server.TLS.Certificates}, server.URL)
	if jobs, err := c.Jobs(t.Context()); err != nil || jobs[0].ID != "Acme Co" {
		t.Errorf("mutual TLS: %v, %v", jobs, err)
	}
}

func TestOperations(t *testing.T) {
	jm := flinkresttest.New(t)
	scripted := jm.AddJob(job, "fraud")
	results := map[string]map[string]any{
		"savepoints":  {"location": "s3://flink/savepoint-14ab15-3ec17979d5be"},
		"stop":        {"location": "s3://flink/stopped"},
		"checkpoints": {"checkpointId": 21},
	}
	scripted.OnTrigger = func(kind string) map[string]any { return results[kind] }
	c := flinkrest.New(jm.URL)

	if at, err := c.TriggerSavepoint(t.Context(), job, "", flinkrest.Canonical); err != nil || at != "s3://flink/savepoint-14ab15-3ec17979d5be" {
		t.Errorf("savepoint: %q, %v", at, err)
	}
	if at, err := c.Stop(t.Context(), job, "s3://flink", flinkrest.Native, true); err != nil || at != "s3://flink/stopped" {
		t.Errorf("stop: %q, %v", at, err)
	}
	if id, err := c.TriggerCheckpoint(t.Context(), job, true); err != nil || id != 21 {
		t.Errorf("checkpoint: %d, %v", id, err)
	}

	results["checkpoints"] = map[string]any{"failureCause": map[string]any{
		"class":       "java.util.concurrent.CompletionException",
		"stack-trace": "java.util.concurrent.CompletionException: x\n\tat y\nCaused by: CheckpointException: Checkpoint triggering task is not running.\n\tat z",
	}}
	_, err := c.TriggerCheckpoint(t.Context(), job, false)
	if err == nil || !strings.HasSuffix(err.Error(), "CheckpointException: Checkpoint triggering task is not running.") {
		t.Errorf("failed checkpoint: %v", err)
	}

	jm.Script("GET /jobs/"+job+"/savepoints/"+"00000000000000000000000000000005",
		flinkresttest.Answer{Status: 503, Body: `{"errors":["election"]}`},
		flinkresttest.Answer{Status: 200, Body: `{"status":{"id":"IN_PROGRESS"},"operation":null}`})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if at, err := c.TriggerSavepoint(ctx, job, "", flinkrest.Canonical); err != nil || at == "" {
		t.Errorf("savepoint through an election: %q, %v", at, err)
	}
}
