package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func logsIn(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A port that was taken between its choice and its use is told from every other failure: then others are chosen.
func TestPortTaken(t *testing.T) {
	for said, taken := range map[string]bool{
		"listen tcp 127.0.0.1:9000: bind: address already in use":                              true,
		"java.net.BindException: Could not start rest endpoint on any port in port range 8081": true,
		"no space left on device": false,
	} {
		// Flink prints all its threads after the reason.
		p, err := newSpawner(false).start(logsIn(t), "s3", nil, "sh", "-c", "echo 'Caused by: "+said+"'; seq 100; exit 1")
		if err != nil {
			t.Fatal(err)
		}
		err = p.await(t.Context(), time.Minute, func(context.Context) error { return os.ErrNotExist })
		if errors.Is(err, errPortTaken) != taken || !strings.Contains(err.Error(), said) {
			t.Errorf("got %v", err)
		}
	}
}

// What answers on a port must be the process that was started, not another cluster's.
func TestListens(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp"} {
		l, err := net.Listen(network, "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if !listens(os.Getpid(), port) {
			t.Errorf("%s: this process does listen on %d", network, port)
		}
		if listens(os.Getppid(), port) {
			t.Error("another process listens")
		}
		p := &process{pid: os.Getpid()}
		if err := p.mine(endpoint(port)); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if listens(os.Getpid(), port) || p.mine(endpoint(port)) == nil {
			t.Error("a closed port is listened on")
		}
	}
}

func TestDied(t *testing.T) {
	dir := logsIn(t)
	c := &Cluster{State: State{Dir: dir}, spawner: newSpawner(false), processes: map[string]*process{}}
	if err := c.Dead(); err != nil {
		t.Error(err)
	}
	p, err := c.start(NameTaskManager, nil, "sh", "-c", "read x; echo out of memory")
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := c.Dead(); err == nil || !strings.Contains(err.Error(), "taskmanager has died") || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("got %v", err)
	}
}

// Tied processes end even when their parent is killed with SIGKILL; others stay, and are found by their mark.
func TestParentIsKilled(t *testing.T) {
	if dir := os.Getenv("CLUSTER_TEST_PARENT"); dir != "" { // this is the parent
		for _, name := range []string{"tied", "free"} {
			if _, err := newSpawner(name == "tied").start(dir, name, nil, "sleep", "1000"); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "started"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	dir := logsIn(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestParentIsKilled$")
	parent.Env = append(os.Environ(), "CLUSTER_TEST_PARENT="+dir)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		found, err := find(dir)
		if err = errors.Join(err, kill(found["free"], dir), kill(found["tied"], dir)); err != nil {
			t.Error(err)
		}
	})
	poll(t, "children", func() bool { _, err := os.Stat(filepath.Join(dir, "started")); return err == nil })
	if found, err := find(dir); err != nil || len(found["tied"]) != 1 || len(found["free"]) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	poll(t, "the end of the tied child", func() bool { found, err := find(dir); return err == nil && len(found["tied"]) == 0 })
	if found, err := find(dir); err != nil || len(found["free"]) != 1 {
		t.Errorf("found %v, %v", found, err)
	}
}

// poll waits for what only the operating system can tell.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func TestRoot(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "scripts", "devs3", "main.go")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if root, err := Root(); err == nil || !strings.Contains(err.Error(), "checkout") {
		t.Errorf("outside of it: %q, %v", root, err) // the test program is not in it
	}
}

// A build tool that is not there, or fails, is named with what it said and what to do.
func TestBuildTool(t *testing.T) {
	dir := t.TempDir()
	if err := build(t.Context(), dir, nil, "no-such-tool"); err == nil || !strings.Contains(err.Error(), "scripts/prerequisites") {
		t.Errorf("got %v", err)
	}
	if err := build(t.Context(), dir, []string{"WHY=no network"}, "sh", "-c", "echo $WHY; exit 1"); err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := build(ctx, dir, nil, "sleep", "1000"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
