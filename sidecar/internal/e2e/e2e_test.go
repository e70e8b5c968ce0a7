// Package e2e tests what only the real thing can show: a real Flink job through a real sidecar process, with faults.
package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/udf-bridge/invoke"
)

// TestMain skips all of it unless asked: it starts real Flink clusters and needs the jobs' jar.
func TestMain(m *testing.M) {
	if os.Getenv("DREY_E2E") == "" {
		fmt.Println("skipped: starts real Flink clusters; scripts/test e2e runs it (DREY_E2E=1)")
		return
	}
	os.Exit(m.Run())
}

// build builds a program of this module.
func build(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", binary, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return binary
}

const (
	drey    = "github.com/drey-flink/drey/sidecar"
	subject = "github.com/drey-flink/drey/sidecar/internal/e2e/subject"
)

func up(t *testing.T) *cluster.Cluster {
	t.Helper()
	return upWith(t, cluster.Options{})
}

// upWith starts a cluster for one test, of two slots unless another number is asked for.
func upWith(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	dir := t.TempDir()
	o.Dir, o.Slots, o.AnyPorts, o.Tied, o.Progress = dir, cmp.Or(o.Slots, 2), true, true, func(s string) { t.Log(s) }
	c, _, err := cluster.Up(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{cluster.NameSidecar, cluster.NameTaskManager} {
				if text, err := os.ReadFile(filepath.Join(dir, "logs", name+".log")); err == nil {
					t.Logf("the end of %s.log:\n%s", name, text[max(0, len(text)-4000):])
				}
			}
		}
		if _, err := cluster.Down(context.Background(), dir); err != nil {
			t.Error(err)
		}
		left, err := c.PIDs()
		if err != nil || len(left) > 0 {
			t.Errorf("after the cluster went down there are still %v, %v", left, err)
		}
	})
	return c
}

// job is a submitted fraud job on generated payments.
type job struct {
	t     *testing.T
	flink *flinkrest.Client
	id    string
	out   string
	c     *cluster.Cluster
}

func submit(t *testing.T, c *cluster.Cluster, events, rate int, config map[string]string) *job {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, flink := context.Background(), flinkrest.New(c.Flink)
	jar, err := flink.UploadJar(ctx, filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar"))
	if err != nil {
		t.Fatalf("%v; build the jar with scripts/build", err)
	}
	all := map[string]string{
		"drey.sidecar.url":                 "http://" + c.Sidecar.HTTP,
		"execution.checkpointing.interval": "500 ms",
	}
	for key, value := range config {
		all[key] = value
	}
	j := &job{t: t, flink: flink, c: c, out: filepath.Join(c.Dir, "out")}
	j.id, err = flink.RunJar(ctx, jar, flinkrest.Run{
		EntryClass: "dev.drey.flink.jobs.FraudJob", Parallelism: 2, Config: all,
		Args: []string{
			"--input", "generated", "--events", strconv.Itoa(events), "--rate", strconv.Itoa(rate),
			"--output-path", "file://" + j.out, "--parallelism", "2",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// await polls what a real process says, until it is so.
func await(t *testing.T, what string, patience time.Duration, so func() (bool, error)) {
	t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ok, err := so()
		if ok {
			return
		}
		last = err
	}
	t.Fatalf("not within %s: %s (%v)", patience, what, last)
}

func (j *job) awaitFinished() {
	j.t.Helper()
	await(j.t, "the job finishes", 3*time.Minute, func() (bool, error) {
		got, err := j.flink.Job(context.Background(), j.id)
		if err == nil && got.State.Ended() && got.State != flinkrest.Finished {
			cause, _ := j.flink.RootCause(context.Background(), j.id)
			j.t.Fatalf("the job is %s: %s", got.State, cause)
		}
		return got.State == flinkrest.Finished, err
	})
	cause, err := j.flink.RootCause(context.Background(), j.id)
	if err != nil || cause != "" {
		j.t.Errorf("the job failed over on its way: %s, %v", cause, err)
	}
}

// ids reads the committed files of a folder of the output, and counts each id.
func (j *job) ids(folder string) map[string]int {
	j.t.Helper()
	found := map[string]int{}
	files, err := filepath.Glob(filepath.Join(j.out, folder, "part-*"))
	if err != nil {
		j.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			j.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var one struct{ ID string }
			if err := json.Unmarshal([]byte(line), &one); err != nil || one.ID == "" {
				j.t.Fatalf("%s: %q: %v", file, line, err)
			}
			found[one.ID]++
		}
	}
	return found
}

func (j *job) checkOnceEach(events int, ids map[string]int) {
	j.t.Helper()
	if len(ids) != events {
		j.t.Errorf("%d different ids came out, want %d", len(ids), events)
	}
	for id, n := range ids {
		if n != 1 {
			j.t.Errorf("%s came out %d times", id, n)
		}
	}
}

func status(addr string) (s evaluate.Status, err error) {
	resp, err := http.Get("http://" + addr + "/v1/status")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

func calls(s evaluate.Status, function string) int64 { return statsOf(s, function).Calls }

func statsOf(s evaluate.Status, function string) invoke.Stats {
	for _, f := range s.Functions {
		if f.Name == function {
			return f.Stats
		}
	}
	return invoke.Stats{}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The sidecar is killed (-9) and started again, twice, while the job sends it records: none is lost, none comes out
// twice, and the job does not even fail over.
func TestSidecarKilledUnderLoad(t *testing.T) {
	const events, rate = 20_000, 2_000
	c, program, addr := up(t), build(t, drey), freeAddr(t)
	start := func() {
		t.Helper()
		if _, err := c.StartSidecar(context.Background(), program, "--http-addr", addr); err != nil {
			t.Fatal(err)
		}
	}
	start()
	j := submit(t, c, events, rate, map[string]string{"drey.async.on-error": "fail"})
	for range 2 {
		await(t, "the sidecar is busy", time.Minute, func() (bool, error) {
			s, err := status(addr)
			return calls(s, "fraud") > events/10, err
		})
		if err := c.Kill(cluster.NameSidecar); err != nil {
			t.Fatal(err)
		}
		start()
	}
	j.awaitFinished()
	j.checkOnceEach(events, j.ids(""))
}

// Ten times as many calls as may run at once: the sidecar sheds, the job waits, and no record is lost. Some records make
// the function fail or panic: they leave through the side output, one by one, and nothing else suffers.
func TestOverloadAndPoison(t *testing.T) {
	const events, limit = 6_000, 8
	c := up(t)
	sidecar, err := c.StartSidecar(context.Background(), build(t, subject),
		"--evaluate-admission-max-in-flight", strconv.Itoa(limit), "--evaluate-admission-queue", strconv.Itoa(limit),
		"--evaluate-admission-queue-wait", "10ms")
	if err != nil {
		t.Fatal(err)
	}
	j := submit(t, c, events, 0, map[string]string{
		"drey.async.on-error": "side-output",
		"drey.async.capacity": strconv.Itoa(10 * limit / 2), // of each of two subtasks
	})
	j.awaitFinished()
	decided, failed := j.ids(""), j.ids("errors")
	if len(failed) == 0 || len(decided) == 0 {
		t.Fatalf("%d decided, %d failed: the test wants both", len(decided), len(failed))
	}
	for id, n := range failed {
		decided[id] += n
	}
	j.checkOnceEach(events, decided)
	s, err := status(sidecar.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	if s.ShedTotal == 0 || statsOf(s, "fraud").Panics == 0 {
		t.Errorf("nothing was shed or nothing panicked: %+v", s)
	}
}

// A demo that is interrupted, or killed with -9, leaves no process behind.
func TestDemoEndsWithItsProcesses(t *testing.T) {
	program := build(t, drey)
	for _, how := range []os.Signal{os.Interrupt, os.Kill} {
		t.Run(how.String(), func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.Command(program, "dev", "demo", "--input", "generated", "--rate", "100", "--dir", dir)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var seen strings.Builder
			for buffer := make([]byte, 1024); !strings.Contains(seen.String(), "submitted"); {
				n, err := out.Read(buffer)
				if err != nil {
					t.Fatalf("%v after\n%s", err, &seen)
				}
				seen.Write(buffer[:n])
			}
			if err := cmd.Process.Signal(how); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("a demo that was interrupted must not say that all is well")
			}
			await(t, "all processes are gone", time.Minute, func() (bool, error) {
				ran, err := cluster.Status(dir)
				for _, p := range ran {
					if p.PID != 0 {
						return false, fmt.Errorf("%s still runs", p.Name)
					}
				}
				return true, err
			})
		})
	}
}
