package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cli"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/internal/server"
)

// checkpointOnDisk is a job whose checkpoint of a real job lies in a local folder.
func checkpointOnDisk(t *testing.T) (jm *flinkresttest.JobManager, folder string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "metadata", "testdata", "inline", "_metadata"))
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), job, "chk-5")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "_metadata"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	jm = flinkresttest.New(t)
	jm.AddJob(job, "fraud").Complete(5, "file:"+folder, 5000)
	return jm, folder
}

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, err := newOutput(), newOutput()
	code = cli.Run(t.Context(), args, strings.NewReader(""), out, err)
	return code, out.String(), err.String()
}

func TestWatchOnce(t *testing.T) {
	jm, folder := checkpointOnDisk(t)
	to := filepath.Join(t.TempDir(), "watch")
	args := []string{"watch", "--once", "--watch-flink", jm.URL, "--watch-dir", to, "--log-level", "error"}
	code, stdout, stderr := run(t, append(args, "-o", "json")...)
	var document struct {
		Checkpoints []struct {
			ID    int64 `json:"checkpoint_id"`
			State string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &document); err != nil || code != 0 || len(document.Checkpoints) != 1 || document.Checkpoints[0].State != "COPIED" {
		t.Fatalf("%d %s %s", code, stdout, stderr)
	}
	copies, err := filepath.Glob(filepath.Join(to, "copies", job, "chk-5-*", "_metadata"))
	if err != nil || len(copies) != 1 {
		t.Errorf("copies %v, %v", copies, err)
	}
	if code, stdout, _ := run(t, args...); code != 0 || stdout != "nothing new to copy\n" {
		t.Errorf("again: %d %q", code, stdout)
	}
	jm.AddJob(strings.Repeat("0", 32), "other").Complete(6, "file:"+folder, 6000)
	if code, stdout, stderr := run(t, args...); code != 1 || !strings.Contains(stdout, "FAILED") || !strings.Contains(stderr, "is checkpoint 5, and not 6") {
		t.Errorf("a checkpoint that cannot be copied: %d %q %q", code, stdout, stderr)
	}
	jm.Kill()
	if code, _, stderr := run(t, args...); code != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("without flink: %d %q", code, stderr)
	}
}

func TestWatchMistakes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nobody to watch": {nil, "--watch-flink http://host:8081"},
		"no folder":       {[]string{"--watch-flink", "http://127.0.0.1:1"}, "give one with --watch-dir"},
		"no URL":          {[]string{"--watch-flink", "jobmanager:8081", "--watch-dir", "x"}, "must be like http://host:8081"},
		"keys in flags":   {[]string{"--watch-flink", "http://x", "--watch-s3-secret-key", "s"}, "unknown flag: --watch-s3-secret-key"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, _, stderr := run(t, append([]string{"watch"}, c.args...)...); code != 2 || !strings.Contains(stderr, c.says) {
				t.Errorf("%d %q", code, stderr)
			}
		})
	}
	code, stdout, _ := run(t, "watch", "--help")
	if code != 0 || !strings.Contains(stdout, "--watch-interval") || strings.Contains(stdout, "--evaluate-deadline") {
		t.Errorf("help: %d %s", code, stdout)
	}
}

// drey watch as a daemon: it answers, tells drey checkpoints list, and ends with a signal.
func TestWatchServes(t *testing.T) {
	jm, _ := checkpointOnDisk(t)
	ready := filepath.Join(t.TempDir(), "ready.json")
	code := make(chan int, 1)
	log := newOutput()
	go func() {
		code <- cli.Run(t.Context(), []string{
			"watch", "--watch-flink", jm.URL, "--watch-interval", "50ms", "--watch-dir", filepath.Join(t.TempDir(), "watch"),
			"--http-addr", "127.0.0.1:0", "--admin-addr", "", "--drain-delay", "0s", "--ready-file", ready,
		}, strings.NewReader(""), newOutput(), log)
	}()
	log.await(t, `"msg":"ready"`)
	text, err := os.ReadFile(ready)
	var bound server.Bound
	if err != nil || json.Unmarshal(text, &bound) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	events := newOutput()
	watching := make(chan int, 1)
	go func() {
		watching <- cli.Run(t.Context(), []string{"checkpoints", "watch", "--server", bound.HTTP, "--after", "0", "-o", "json"}, strings.NewReader(""), events, newOutput())
	}()
	events.await(t, `"kind":"checkpoint.copied"`)
	if code, stdout, stderr := run(t, "checkpoints", "list", "--server", bound.HTTP); code != 0 || !strings.Contains(stdout, "COPIED") {
		t.Errorf("list: %d %s %s", code, stdout, stderr)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // both commands catch it
		t.Fatal(err)
	}
	for what, ended := range map[string]chan int{"drey watch": code, "drey checkpoints watch": watching} {
		select {
		case code := <-ended:
			if code != 0 {
				t.Errorf("%s: exit code %d; log\n%s", what, code, log)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s does not end", what)
		}
	}
}
