package cli_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/cli"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// Whoever follows a replay, CI for one, is not thrown off by a sidecar that is started anew; and sees what differs.
func TestReplayIsFollowedThroughARestart(t *testing.T) {
	r := replay.Replay{ID: "r-1", Request: replay.Request{Job: fraudJob, CheckpointID: 7, Mode: replay.Audit}, State: replay.Applying}
	found := report.Report{Decisions: 12, Different: 12, Build: "b", Builds: map[string]int64{"a": 12}}
	for i := range 12 {
		found.Differences = append(found.Differences, report.Difference{
			ID: "d-" + string(rune('a'+i)), Key: "account", Then: report.Decided{Outcome: "alert", Reasons: []string{"a large amount"}}, Now: report.Decided{Outcome: "pass"},
		})
	}
	looks := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/report") {
			_ = json.NewEncoder(w).Encode(found)
			return
		}
		switch looks++; looks {
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case 4:
			r.State, r.Summary = replay.Completed, &replay.Summary{Decisions: 12, Different: 12}
		}
		_ = json.NewEncoder(w).Encode(r)
	}))
	defer server.Close()
	stdout, stderr, code := drey(t, "replay", "watch", "r-1", "--server", server.URL)
	if code != cli.ExitDiffer || !strings.Contains(stderr, "the sidecar does not answer") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"the first 10 of 12 differences", "d-j  account  alert  pass  a large amount  -", "then a (12); now b"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "d-k") {
		t.Errorf("more than ten:\n%s", stdout)
	}
	// What does not pass is said at once.
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	if _, _, code := drey(t, "replay", "watch", "r-1", "--server", refusing.URL); code != cli.ExitFailure {
		t.Errorf("exit %d", code)
	}
}
