package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/cli"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
)

const fraudJob, otherJob = "14ab15ac1452e671ba95b9cfcafa7c47", "24ab15ac1452e671ba95b9cfcafa7c47"

// drey runs one command and answers with what it printed and its exit code.
func drey(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}

type listLine struct {
	ID         int64  `json:"checkpoint_id"`
	Kind       string `json:"kind"`
	Verified   string `json:"verified"`
	Restorable string `json:"restorable"`
}

func lines(t *testing.T, text string) []listLine {
	t.Helper()
	var document struct{ Checkpoints []listLine }
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return document.Checkpoints
}

func capturePath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "metadata", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

// TestListFromFlink: COMPLETED says nothing; --verify looks.
func TestListFromFlink(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(fraudJob, "fraud")
	j.Complete(4, "file:"+t.TempDir()+"/"+fraudJob+"/chk-4", 1000)
	j.Complete(5, capturePath(t, "inline"), 2000)
	j.Savepoint(6, capturePath(t, "files"), 3000)
	j.Complete(7, capturePath(t, "files"), 4000)
	j.Discard(7)

	out, _, code := drey(t, "checkpoints", "list", "--flink", jm.URL, "-o", "json")
	want := []listLine{{7, "checkpoint", "no", "no"}, {6, "savepoint", "no", "unknown"}, {5, "checkpoint", "no", "unknown"}, {4, "checkpoint", "no", "unknown"}}
	if diff := cmp.Diff(want, lines(t, out)); diff != "" || code != 0 {
		t.Errorf("exit code %d, -want +got:\n%s", code, diff)
	}
	out, _, code = drey(t, "checkpoints", "list", "--flink", jm.URL, "--verify", "-o", "json", "--job", "fraud")
	want = []listLine{{7, "checkpoint", "no", "no"}, {6, "savepoint", "yes", "no"}, {5, "checkpoint", "yes", "yes"}, {4, "checkpoint", "yes", "no"}}
	if diff := cmp.Diff(want, lines(t, out)); diff != "" || code != 0 {
		t.Errorf("verified: exit code %d, -want +got:\n%s", code, diff)
	}
	out, _, _ = drey(t, "checkpoints", "list", "--flink", jm.URL, "--verify")
	for _, say := range []string{"Flink has deleted it", "it does not exist", "RESTORABLE"} {
		if !strings.Contains(out, say) {
			t.Errorf("no %q in\n%s", say, out)
		}
	}
}

func TestByID(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(fraudJob, "fraud")
	j.Complete(5, capturePath(t, "inline"), 2000)
	if out, errs, code := drey(t, "checkpoints", "verify", "5", "--flink", jm.URL); code != 0 {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if out, _, code := drey(t, "checkpoints", "show", "latest", "--flink", jm.URL); code != 0 || !strings.Contains(out, "checkpoint 5,") {
		t.Errorf("%d: %s", code, out)
	}
	if _, errs, code := drey(t, "checkpoints", "show", "99", "--flink", jm.URL); code != 1 || !strings.Contains(errs, "give its path") {
		t.Errorf("%d: %s", code, errs)
	}
	jm.AddJob(otherJob, "other")
	if _, errs, code := drey(t, "checkpoints", "show", "5", "--flink", jm.URL); code != 1 || !strings.Contains(errs, "say --job") {
		t.Errorf("two jobs: %d: %s", code, errs)
	}
	if _, errs, code := drey(t, "checkpoints", "show", "5", "--flink", jm.URL, "--job", "fraud"); code != 0 {
		t.Errorf("by name: %d: %s", code, errs)
	}
	if _, errs, code := drey(t, "checkpoints", "show", "latest", "--flink", jm.URL, "--job", otherJob); code != 1 || !strings.Contains(errs, "no checkpoint yet") {
		t.Errorf("none yet: %d: %s", code, errs)
	}
}

func TestJobsList(t *testing.T) {
	jm := flinkresttest.New(t)
	j := jm.AddJob(fraudJob, "fraud")
	j.Complete(5, "s3://flink/x", 2000)
	j.Restore(5, "s3://flink/x", 3000)
	jm.AddJob(otherJob, "other")
	out, _, code := drey(t, "jobs", "list", "--flink", jm.URL, "-o", "json")
	var document struct {
		Jobs []struct {
			Name       string
			Checkpoint *int64 `json:"latest_checkpoint"`
			Restored   *int64 `json:"restored_from"`
		}
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || code != 0 || len(document.Jobs) != 2 {
		t.Fatalf("%d, %v: %s", code, err, out)
	}
	for _, line := range document.Jobs {
		if known := line.Checkpoint != nil && *line.Checkpoint == 5 && line.Restored != nil && *line.Restored == 5; known != (line.Name == "fraud") {
			t.Errorf("%+v", line)
		}
	}
	jm.Kill()
	if _, errs, code := drey(t, "jobs", "list", "--flink", jm.URL); code != 1 || !strings.Contains(errs, jm.URL) {
		t.Errorf("no JobManager: %d: %s", code, errs)
	}
}

// TestListFromSidecar: what its ledger says, which is not more than was looked at.
func TestListFromSidecar(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/checkpoints" || r.URL.Query().Get("limit") != "20" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Write([]byte(`{"checkpoints":[
			{"job":"` + fraudJob + `","checkpoint_id":9,"path":"s3://flink/9","state":"FAILED","error":"slow"},
			{"job":"` + fraudJob + `","checkpoint_id":8,"path":"s3://flink/8","state":"COPIED","missing":["s3://flink/x"]},
			{"job":"` + fraudJob + `","checkpoint_id":7,"path":"s3://flink/7","state":"COPIED"},
			{"job":"` + fraudJob + `","checkpoint_id":6,"path":"s3://flink/6","state":"EXPIRED"},
			{"job":"` + fraudJob + `","checkpoint_id":5,"path":"s3://flink/5","state":"GONE"}]}`)) //nolint:errcheck // a test
	}))
	t.Cleanup(server.Close)
	out, _, code := drey(t, "checkpoints", "list", "--server", server.URL, "-o", "json")
	want := []listLine{
		{9, "checkpoint", "no", "unknown"}, {8, "checkpoint", "yes", "no"}, {7, "checkpoint", "yes", "yes"},
		{6, "checkpoint", "yes", "unknown"}, {5, "checkpoint", "no", "no"},
	}
	if diff := cmp.Diff(want, lines(t, out)); diff != "" || code != 0 {
		t.Errorf("exit code %d, -want +got:\n%s", code, diff)
	}
}
