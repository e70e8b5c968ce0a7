package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

// zooKeeper starts the ZooKeeper that Flink carries, alone, and returns its address.
func zooKeeper(t *testing.T) string {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	home, err := cluster.Home(t.Context(), root, func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	dir, address := t.TempDir(), freeAddr(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("dataDir=%s\nclientPortAddress=%s\nclientPort=%s\ntickTime=500\nadmin.enableServer=false\n", dir, host, port)
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(java, "-Xmx64m", "-cp", filepath.Join(home, "lib")+"/*",
		"org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain", file)
	cmd.Stdout, cmd.Stderr = log, log
	// It ends with the thread that starts it, and so with the test, however that ends.
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // says that it was killed
	})
	await(t, "ZooKeeper answers", time.Minute, func() (bool, error) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			text, _ := os.ReadFile(log.Name())
			return false, fmt.Errorf("%w\n%s", err, text)
		}
		return true, conn.Close()
	})
	return address
}

// highlyAvailable configures a JobManager whose jobs survive it.
func highlyAvailable(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"high-availability.type":                                            "zookeeper",
		"high-availability.storageDir":                                      "s3://flink/ha",
		"high-availability.zookeeper.quorum":                                zooKeeper(t),
		"high-availability.zookeeper.client.session-timeout":                "4000",
		"high-availability.zookeeper.client.tolerate-suspended-connections": "true",
	}
}

// With high availability the job survives its JobManager: the same id, restored, with counters that begin again. The watcher does
// not take it for another job, nor for one that has ended.
func TestJobManagerFailsOver(t *testing.T) {
	t.Parallel() // mostly it waits
	c := upWith(t, cluster.Options{Config: highlyAvailable(t)})
	w := newReader(t, c).watch()
	k := known{keys: 100, large: 30_000}
	j := submitState(t, c, k, map[string]string{
		"execution.checkpointing.interval":              "500 ms",
		"execution.checkpointing.data-inline-threshold": nothing,
	}, "--rate", "1000")
	defer j.cancel()
	last := w.copied(j.id, 0)
	if err := c.Kill(cluster.NameJobManager); err != nil {
		t.Fatal(err)
	}
	if err := c.StartJobManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	restored := int64(0)
	await(t, "the watcher tells of the restore", 2*time.Minute, func() (bool, error) {
		return w.told(j.id, checkpoint.EventRestored, func(e checkpoint.Event) bool {
			restored = e.Checkpoint
			return e.Checkpoint >= last.ID
		}), nil
	})
	w.copied(j.id, restored)
	w.checkCopies(k, j.id)
	if w.told(j.id, checkpoint.EventEnded, func(checkpoint.Event) bool { return true }) {
		t.Error("the watcher told of an end of the job, which went on")
	}
	jobs := w.must("jobs", "list", "--flink", c.Flink)
	if !strings.Contains(jobs, j.id) || !strings.Contains(jobs, "RUNNING") {
		t.Errorf("drey jobs list:\n%s", jobs)
	}
}
