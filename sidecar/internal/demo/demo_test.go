package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		options Options
		events  int64
	}{
		{Options{Via: HTTP, Input: Flights}, 336_776},
		{Options{Via: HTTP, Input: Flights, Quick: true}, 20_000},
		{Options{Via: HTTP, Input: Flights, Quick: true, Events: 5}, 5},
		{Options{Via: UDF, Input: Generated}, 1_000_000},
	} {
		if _, err := c.options.fill(); err != nil || c.options.Events != c.events {
			t.Errorf("%+v: %v", c.options, err)
		}
	}
	o := Options{Via: SQL, Input: Walkthrough}
	if _, err := o.fill(); err != nil || o.Rate == 0 {
		t.Errorf("the walkthrough is to be watched: rate %d, %v", o.Rate, err)
	}
	for _, bad := range []Options{
		{Via: HTTP, Input: "flight"}, {}, {Via: HTTP, Input: Flights, Events: -1}, {Via: HTTP, Input: Generated, Seed: -1}, {Input: Generated},
		{Via: "grpc", Input: Flights}, {Via: SQL, Input: Flights, Sidecar: "x"}, {Via: HTTP, Input: Flights, GoJar: "x"},
		{Via: HTTP, Input: Flights, Parallelism: -1},
	} {
		if err := bad.Check(); err == nil {
			t.Errorf("%+v passed", bad)
		}
	}
}

// The sample is of the judged months only, evenly spaced, in order, byte for byte.
func TestSampleJudged(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := range 120 {
		fmt.Fprintf(&all, `{"id":"f-%03d","month":%d,"arr_delay":null}`+"\n", i, i/10+1)
	}
	from, to := filepath.Join(dir, "all.jsonl"), filepath.Join(dir, "sample.jsonl")
	write(t, from, all.String())
	judged := 0
	for line := range strings.Lines(all.String()) {
		var id string
		var month int32
		if _, err := fmt.Sscanf(line, `{"id":"f-%3s","month":%d`, &id, &month); err != nil {
			t.Fatal(err)
		}
		if month >= 7 {
			judged++
		}
	}
	if err := sampleJudged(from, to, 6); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for i := range 6 {
		n := 120 - judged + i*judged/6
		want += fmt.Sprintf(`{"id":"f-%03d","month":%d,"arr_delay":null}`+"\n", n, n/10+1)
	}
	if string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	if err := sampleJudged(from, to, int64(judged)+1); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
	write(t, from, all.String()+`{"id":"cut`)
	if err := sampleJudged(from, to, 6); err == nil {
		t.Error("a file that is cut off was taken")
	}
}

// A demo's folder is removed by the next demo when it was killed, and not while it runs.
func TestTemporaryDir(t *testing.T) {
	parent := t.TempDir()
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	of := func(pid int) string { return filepath.Join(parent, fmt.Sprintf("demo-%d", pid)) }
	killed, running := of(ended.Process.Pid), of(os.Getppid())
	failed := filepath.Join(parent, "failed-demo-1", "taskmanager.log")
	for _, path := range []string{filepath.Join(killed, "s3", "x"), filepath.Join(running, "x"), failed} {
		write(t, path, "")
	}
	dir, err := temporaryDir(parent)
	if err != nil || dir != of(os.Getpid()) {
		t.Fatalf("got %s, %v", dir, err)
	}
	for path, there := range map[string]bool{killed: false, running: true, dir: true, failed: true} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestKeepLogs(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, ".drey", "demo-7")
	write(t, filepath.Join(dir, "logs", "s3.log"), "why")
	if got := keepLogs(root, dir, false); got != filepath.Join(dir, "logs") {
		t.Errorf("got %s", got)
	}
	kept := keepLogs(root, dir, true)
	if text, err := os.ReadFile(filepath.Join(kept, "s3.log")); err != nil || string(text) != "why" || strings.HasPrefix(kept, dir) {
		t.Errorf("%s: %q, %v", kept, text, err)
	}
}
