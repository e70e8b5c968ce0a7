package cluster

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// A real Flink takes seconds to start and its 250 MB are downloaded the first time: scripts/test asks for it.
func needFlink(t *testing.T) {
	t.Helper()
	if os.Getenv("DREY_E2E") == "" {
		t.Skip("starts a real Flink cluster; DREY_E2E=1 (scripts/test e2e) runs it")
	}
}

// An up, an up again, a crash, an up over what the crash left, and a down: on the real thing.
func TestLifecycle(t *testing.T) {
	needFlink(t)
	ctx, dir := context.Background(), t.TempDir()
	options := Options{Dir: dir, Slots: 2, AnyPorts: true, Progress: func(s string) { t.Log(s) }}
	t.Cleanup(func() {
		if _, err := Down(ctx, dir); err != nil {
			t.Error(err)
		}
	})
	first, already, err := Up(ctx, options)
	if err != nil || already {
		t.Fatal(already, err)
	}
	overview, err := flinkrest.New(first.Flink).Overview(ctx)
	if err != nil || overview.Version != FlinkVersion || overview.SlotsTotal != 2 {
		t.Errorf("overview %+v, %v", overview, err)
	}
	pids, err := first.PIDs()
	if err != nil || len(pids) != 3 {
		t.Fatalf("pids %v, %v", pids, err)
	}
	again, already, err := Up(ctx, options)
	if err != nil || !already || again.Flink != first.Flink {
		t.Errorf("up twice: already %v, %v", already, err)
	}

	if err := first.Kill(NameJobManager); err != nil {
		t.Fatal(err)
	}
	status, err := Status(dir)
	if err != nil || status[1].Name != NameJobManager || status[1].PID != 0 || status[0].PID == 0 {
		t.Errorf("status after the crash: %+v, %v", status, err)
	}
	second, already, err := Up(ctx, options)
	if err != nil || already {
		t.Fatalf("up after a crash: already %v, %v", already, err)
	}
	for name, left := range pids {
		if alive(left, dir) {
			t.Errorf("%s of the crashed run still runs", name)
		}
	}
	pids, err = second.PIDs()
	if err != nil {
		t.Fatal(err)
	}
	if ran, err := Down(ctx, dir); err != nil || !ran {
		t.Errorf("down: %v, %v", ran, err)
	}
	for name, left := range pids {
		if alive(left, dir) {
			t.Errorf("%s survived down", name)
		}
	}
	if ran, err := Down(ctx, dir); err != nil || ran {
		t.Errorf("down twice: %v, %v", ran, err)
	}
}

// Several commands at the same moment: on one folder they start one cluster, and two clusters do not meet on a port.
func TestTogether(t *testing.T) {
	needFlink(t)
	ctx, same, other := context.Background(), t.TempDir(), t.TempDir()
	type result struct {
		c       *Cluster
		already bool
		err     error
	}
	results := make(chan result, 3)
	for _, dir := range []string{same, same, other} {
		go func() {
			c, already, err := Up(ctx, Options{Dir: dir, Slots: 1, Tied: true, Progress: func(s string) { t.Log(dir, s) }})
			results <- result{c, already, err}
		}()
	}
	t.Cleanup(func() {
		for _, dir := range []string{same, other} {
			if _, err := Down(ctx, dir); err != nil {
				t.Error(err)
			}
		}
	})
	already, urls := 0, map[string]bool{}
	for range cap(results) {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		if r.already {
			already++
		}
		urls[r.c.Flink], urls[r.c.S3] = true, true
		if err := r.c.Dead(); err != nil {
			t.Error(err)
		}
	}
	if already != 1 || len(urls) != 4 {
		t.Errorf("%d were up already; %v", already, urls)
	}
}

// A process that dies at once is reported with the end of its log, not waited for until a time-out.
func TestProcessThatDies(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := newSpawner(false).start(dir, "broken", nil, "sh", "-c", "echo the reason; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(context.Background(), time.Minute, func(context.Context) error { return os.ErrNotExist })
	if err == nil || !strings.Contains(err.Error(), "broken ended at once") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
}

// Processes are known by their environment: never by a pid that another process may have by now.
func TestFindAndEnd(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if err := os.Mkdir(filepath.Join(d, "logs"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := newSpawner(true)
	mine, err := s.start(dir, "stubborn", nil, "sh", "-c", "trap '' TERM; echo on; while :; do read x </dev/zero & wait; done")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := s.start(other, "stubborn", nil, "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	err = mine.await(context.Background(), time.Minute, func(context.Context) error {
		if text, _ := os.ReadFile(mine.log); !strings.HasPrefix(string(text), "on") {
			return os.ErrNotExist // the trap is not set yet
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := find(dir)
	if err != nil || len(found) != 1 || len(found["stubborn"]) == 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if err := terminate(append(found["stubborn"], foreign.pid), dir, 50*time.Millisecond); err != nil {
		t.Error(err)
	}
	<-mine.ended
	select {
	case <-foreign.ended:
		t.Error("a process of another cluster was ended")
	default:
	}
	found, err = find(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := kill(found["stubborn"], other); err != nil {
		t.Error(err)
	}
	<-foreign.ended
}

func TestPortsAreFreeAndDifferent(t *testing.T) {
	for _, usual := range []bool{true, false} {
		p, err := choosePorts(usual)
		if err != nil || p.rest == p.rpc || p.rpc == p.s3 || p.rest == p.s3 || p.rest*p.rpc*p.s3 == 0 {
			t.Errorf("usual %v: %+v, %v", usual, p, err)
		}
	}
}

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	config := flinkConfig(dir, ports{rest: 1, rpc: 2, s3: 3}, 4, map[string]string{"heartbeat.timeout": "1", "my.key": "x"})
	if err := writeConfig(dir, config); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "conf", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rest.port: 1\n", "s3.endpoint: http://127.0.0.1:3\n", "heartbeat.timeout: 1\n", "my.key: x\n", "taskmanager.numberOfTaskSlots: 4\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if info, _ := os.Stat(filepath.Join(dir, "conf", "config.yaml")); info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the key is %s", info.Mode())
	}
}
