package watch_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// The file system fills up while the watcher works, and somebody makes room.
func TestDiskFull(t *testing.T) {
	w := newWorld(t)
	small := snapshottest.SmallFS(t, 2<<20)
	w.config.Dir, w.config.Retain = filepath.Join(small, "watch"), 1
	w.complete(1)
	r := w.start()
	r.awaitState(1, checkpoint.Copied)
	filler, err := os.Create(filepath.Join(small, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4<<10); err == nil; {
		_, err = filler.Write(block)
	}
	if err := filler.Close(); err != nil {
		t.Fatal(err)
	}
	w.complete(2)
	// Either the ledger cannot note it, or the copy does not fit: which, depends on how the pages fall.
	r.await("the disk is full", func() bool {
		record, err := r.Checkpoint(job, 2)
		return strings.Contains(r.Status().Ledger, "no space") || err == nil && strings.Contains(record.Error, "no space")
	})
	if record, err := r.Checkpoint(job, 1); err != nil || record.State != checkpoint.Copied {
		t.Errorf("what is there stays: %+v, %v", record, err)
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	r.awaitState(2, checkpoint.Copied)
}

// What is no answer of Flink's ends nothing and is followed nowhere; the watcher says so, and goes on when Flink is itself again.
func TestFlinkTalksNonsense(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for name, answer := range map[string]flinkresttest.Answer{
		"garbage":                       {Status: 200, Body: `{"jobs":[{"jid":`},
		"another type":                  {Status: 200, Body: `[]`},
		"an HTML page":                  {Status: 200, Body: "<html>"},
		"an HTML error":                 {Status: 502, Body: "<html>bad gateway</html>"},
		"a redirect":                    {Status: 307, Header: http.Header{"Location": {elsewhere.URL}}},
		"100 MB":                        {Status: 200, Body: `"` + strings.Repeat("x", 100<<20) + `"`},
		"an election":                   {Status: 503, Body: `{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}`},
		"cut off":                       {Status: 200, Header: http.Header{"Content-Length": {"1000"}}, Body: `{"jobs":[`},
		"absurd numbers":                {Status: 200, Body: `{"jobs":[{"jid":"` + job + `","start-time":1e300}]}`},
		"a job id that leads elsewhere": {Status: 200, Body: `{"jobs":[{"jid":"../../etc","name":"x","state":"RUNNING","start-time":1}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.jm.Script("GET /jobs/overview", answer)
			w.jm.Script("GET /jobs/"+job+"/checkpoints", answer)
			w.complete(1)
			r := w.start()
			r.awaitState(1, checkpoint.Copied)
			for _, request := range w.jm.Requests() {
				if strings.Contains(request, "etc") {
					t.Errorf("asked for %s", request)
				}
			}
		})
	}
}

func TestStartThatCannotWork(t *testing.T) {
	w := newWorld(t)
	try := func(change func(c *watch.Config)) error {
		c := w.config
		c.Dir = filepath.Join(t.TempDir(), "watch")
		change(&c)
		made, err := watch.New(t.Context(), c, "", &observer{}, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Error("it works")
			made.Close() //nolint:errcheck
		}
		return err
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(c *watch.Config)
		says   string
	}{
		"no folder":          {func(c *watch.Config) { c.Dir = "" }, "--watch-dir"},
		"a file in the way":  {func(c *watch.Config) { c.Dir = file }, "give a folder that this user may write to"},
		"no token":           {func(c *watch.Config) { c.NotifyTokenFile = file + "x" }, "watch.notify_token_file: open"},
		"a short token":      {func(c *watch.Config) { c.NotifyTokenFile = file }, "openssl rand"},
		"no authorities":     {func(c *watch.Config) { c.FlinkTLS.CAFile = file }, "holds no certificate in PEM"},
		"no certificate":     {func(c *watch.Config) { c.FlinkTLS.CertFile, c.FlinkTLS.KeyFile = file, file }, "watch.flink_tls.cert_file"},
		"what is allowed":    {func(c *watch.Config) { c.Allow = []string{"x"} }, "write s3://bucket/prefix"},
		"a full file system": {func(c *watch.Config) { c.Dir = snapshottest.SmallFS(t, 4<<10) }, "free some space"},
		"a read-only one": {func(c *watch.Config) {
			c.Dir = snapshottest.SmallFS(t, 1<<20)
			snapshottest.ReadOnly(t, c.Dir)
		}, "give a folder that this user may write to"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := try(c.change); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	r := w.start()
	if err := try(func(c *watch.Config) { c.Dir = w.config.Dir }); err == nil || !strings.Contains(err.Error(), "another drey holds it") {
		t.Errorf("a folder for two: %v", err)
	}
	r.stop()
	if again, err := watch.New(context.Background(), w.config, "", &observer{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("after the other one ended: %v", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
}
