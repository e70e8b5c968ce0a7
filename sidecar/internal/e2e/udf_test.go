package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

const (
	builder   = "github.com/drey-flink/drey/udf-bridge/cmd/go-udf-builder"
	functions = "./sidecar/internal/e2e/functions"
)

// goJar builds the functions of these tests, and returns the jar with the builder.
func goJar(t *testing.T) (jar, program string) {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	jar, program = filepath.Join(t.TempDir(), "go-udf-bridge.jar"), build(t, builder)
	cmd := exec.Command(program, "build", "-q", functions, "-o", jar)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return jar, program
}

// sql runs statements in Flink's SQL client and returns what it shows.
func sql(t *testing.T, c *cluster.Cluster, jars []string, statements ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "statements.sql")
	statements = append([]string{"SET 'execution.runtime-mode' = 'batch';"}, statements...)
	if err := os.WriteFile(file, []byte(strings.Join(statements, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	err := c.RunSQL(t.Context(), cluster.SQLSession{File: file, Jars: jars, Stdout: &out, Stderr: &log})
	return out.String() + log.String(), err
}

// shows checks that a table of the SQL client has these rows, in any order.
func shows(t *testing.T, out string, rows ...string) {
	t.Helper()
	for _, row := range rows {
		cells := strings.Split(row, "|")
		for i, cell := range cells {
			cells[i] = `\s*` + regexp.QuoteMeta(strings.TrimSpace(cell)) + `\s*`
		}
		if !regexp.MustCompile(`\|` + strings.Join(cells, `\|`) + `\|`).MatchString(out) {
			t.Errorf("no row %q in\n%s", row, out)
		}
	}
}

const askBoth = "SELECT next_number(n), shelf(n) FROM (VALUES (CAST(0 AS BIGINT)), (CAST(2 AS BIGINT))) AS t(n);"

// The SQL client is given the jar and what describe says to paste; it answers, and the functions are typed.
func TestSQLClient(t *testing.T) {
	jar, program := goJar(t)
	c := up(t)
	out, err := exec.Command(program, "describe", jar, "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var described struct{ SQL []string }
	if err := json.Unmarshal(out, &described); err != nil || len(described.SQL) < 4 {
		t.Fatalf("%v\n%s", err, out)
	}
	var oneByOne, module []string
	for _, statement := range described.SQL {
		if strings.HasPrefix(statement, "CREATE") {
			oneByOne = append(oneByOne, statement)
		} else {
			module = append(module, statement)
		}
	}
	for name, pasted := range map[string][]string{"CREATE FUNCTION": oneByOne, "LOAD MODULE": module} {
		t.Run(name, func(t *testing.T) {
			shown, err := sql(t, c, nil, append(pasted, askBoth)...)
			if err != nil {
				t.Fatalf("%v\n%s", err, shown)
			}
			shows(t, shown, "1|left", "3|right")
			shown, err = sql(t, c, nil, append(pasted, "SELECT next_number('one');")...)
			if err == nil || !strings.Contains(shown, "next_number") {
				t.Errorf("a text for a number: %v\n%s", err, shown)
			}
		})
	}
	t.Run("jar of the session", func(t *testing.T) {
		shown, err := sql(t, c, []string{jar}, "LOAD MODULE go;", "SHOW FUNCTIONS;", askBoth)
		if err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		shows(t, shown, "1|left", "3|right", "next_number", "shelf", "fraud")
	})
	onlyOneRuntime(t, c)
}

// In Flink's lib the functions are there for every session, without a jar.
func TestLib(t *testing.T) {
	jar, _ := goJar(t)
	c := upWith(t, cluster.Options{Lib: []string{jar}})
	shown, err := sql(t, c, nil, "LOAD MODULE go;", "EXPLAIN "+askBoth, askBoth)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	shows(t, shown, "1|left", "3|right")
	onlyOneRuntime(t, c)
}

// The functions travel in the job's own jar. The same job is submitted 50 times to one session: there is one Go runtime,
// no thread and no class loader more than after the first ten, and memory stays flat.
func TestFiftySubmissions(t *testing.T) {
	const submissions, settled, events = 50, 10, 200
	goFunctions, _ := goJar(t)
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	jar := filepath.Join(t.TempDir(), "job.jar")
	merge(t, jar, filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar"), goFunctions)
	// With the whole heap touched at the start, what resident memory grows by is not the heap. And Flink keeps what it compiled
	// for a job by soft references, which the JVM would keep until memory is short: here a collection takes them.
	c := upWith(t, cluster.Options{Flags: []string{"-XX:+AlwaysPreTouch", "-XX:SoftRefLRUPolicyMSPerMB=0"}})
	flink := flinkrest.New(c.Flink)
	id, err := flink.UploadJar(t.Context(), jar)
	if err != nil {
		t.Fatal(err)
	}
	var before footprint
	for n := 1; n <= submissions; n++ {
		j := &job{t: t, flink: flink, c: c, out: filepath.Join(c.Dir, "out", strconv.Itoa(n))}
		if j.id, err = flink.RunJar(t.Context(), id, flinkrest.Run{
			EntryClass: "dev.drey.flink.jobs.FraudJob", Parallelism: 2,
			Config: map[string]string{"execution.checkpointing.interval": "200 ms"},
			Args: []string{
				"--via", "sql", "--events", strconv.Itoa(events), "--output-path", "file://" + j.out, "--parallelism", "2",
			},
		}); err != nil {
			t.Fatalf("submission %d: %v", n, err)
		}
		j.awaitFinished()
		j.checkOnceEach(events, j.ids(""))
		if n == settled {
			before = measure(t, c, cluster.NameTaskManager)
		}
	}
	const more, moreMB = 5, 64 + 32 // of which 32 are garbage that Go gathers before it collects the first time
	var after footprint
	await(t, "it holds no more than after the first", time.Minute, func() (bool, error) { // what was found dead is freed by the next collections
		after = measure(t, c, cluster.NameTaskManager)
		planner := measure(t, c, cluster.NameJobManager)
		t.Logf("after %d submissions %+v, after %d %+v; the JobManager %+v", settled, before, submissions, after, planner)
		return after.threads <= before.threads+more && after.jobLoaders <= more && after.megabytes <= before.megabytes+moreMB &&
			planner.jobLoaders <= more, nil
	})
	onlyOneRuntime(t, c)
}

// A row that makes Go panic fails the job, and the exception says where in Go; the TaskManager lives, even after a thousand of
// them, and so do its other jobs.
func TestPanicsFailTheJobOnly(t *testing.T) {
	const panics = 1000
	jar, _ := goJar(t)
	c := up(t)
	pid := onlyPID(t, c, cluster.NameTaskManager)
	flink := flinkrest.New(c.Flink)
	insert := []string{
		"ADD JAR '" + jar + "';", "LOAD MODULE go;",
		"SET 'execution.runtime-mode' = 'streaming';",
		"CREATE TEMPORARY TABLE numbers (n BIGINT NOT NULL) WITH ('connector' = 'datagen', 'fields.n.min' = '3', 'fields.n.max' = '9');",
		"CREATE TEMPORARY TABLE nowhere (shelf STRING) WITH ('connector' = 'blackhole');",
		"INSERT INTO nowhere SELECT shelf(n) FROM numbers;",
	}
	for name, restarts := range map[string][]string{
		"no restart": {"SET 'restart-strategy.type' = 'none';"},
		"restarts": {
			"SET 'restart-strategy.type' = 'fixed-delay';", "SET 'restart-strategy.fixed-delay.delay' = '1 ms';",
			fmt.Sprintf("SET 'restart-strategy.fixed-delay.attempts' = '%d';", panics-1),
		},
	} {
		t.Run(name, func(t *testing.T) {
			shown, err := sql(t, c, nil, slices.Concat(restarts, insert)...)
			submitted := regexp.MustCompile(`Job ID: ([0-9a-f]{32})`).FindStringSubmatch(shown)
			if err != nil || submitted == nil {
				t.Fatalf("%v\n%s", err, shown)
			}
			await(t, "the job fails", 5*time.Minute, func() (bool, error) {
				got, err := flink.Job(t.Context(), submitted[1])
				return got.State == flinkrest.Failed, err
			})
			all, err := flink.Exceptions(t.Context(), submitted[1])
			if err != nil || len(all) == 0 {
				t.Fatal(all, err)
			}
			for _, want := range []string{"dev.drey.flink.udf.GoPanicException", "index out of range", "lookUp", "functions.go"} {
				if !strings.Contains(all[0].Stacktrace, want) {
					t.Errorf("the exception does not say %q:\n%s", want, all[0].Stacktrace)
				}
			}
		})
	}
	if now := onlyPID(t, c, cluster.NameTaskManager); now != pid {
		t.Errorf("the TaskManager is another: %d, was %d", now, pid)
	}
	shown, err := sql(t, c, []string{jar}, "LOAD MODULE go;", askBoth)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	shows(t, shown, "1|left", "3|right")
	onlyOneRuntime(t, c)
}

// With its checks of JNI on, the JVM has nothing to say but that Go has handlers of signals, which it is meant to have.
func TestCheckedJNI(t *testing.T) {
	jar, _ := goJar(t)
	c := upWith(t, cluster.Options{Flags: []string{"-Xcheck:jni"}, Lib: []string{jar}})
	shown, err := sql(t, c, nil, "LOAD MODULE go;", askBoth,
		"SELECT fraud(1, 2, 3.5, 'd', CAST(NULL AS STRING), 'NL', 1.0, CAST(1 AS BIGINT), TRUE, FALSE, CAST(2 AS BIGINT)).decision;")
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	shows(t, shown, "1|left", "3|right")
	if shown, err := sql(t, c, nil, "LOAD MODULE go;", "SET 'restart-strategy.type' = 'none';", "SELECT shelf(CAST(7 AS BIGINT));"); err == nil {
		t.Errorf("a panic was not an error:\n%s", shown)
	}
	log, err := os.ReadFile(filepath.Join(c.Dir, "logs", cluster.NameTaskManager+".log"))
	if err != nil {
		t.Fatal(err)
	}
	said, complaint := 0, regexp.MustCompile(`(?i)in native method|JNI (call|local|global|weak)|warning.*\bjni\b`)
	for line := range strings.Lines(string(log)) {
		switch {
		case strings.Contains(line, "handler modified!"): // documented: Go has handlers for SIGSEGV, SIGBUS, SIGFPE and a few more
			said++
		case complaint.MatchString(line):
			t.Errorf("the JVM complains: %s", line)
		}
	}
	if said == 0 {
		t.Error("the JVM did not check: it said nothing of the handlers of signals")
	}
}

// merge makes one jar of several, as a build tool makes the jar of a job: what is there twice counts once.
func merge(t *testing.T, to string, jars ...string) {
	t.Helper()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	writer, seen := zip.NewWriter(out), map[string]bool{}
	for _, jar := range jars {
		reader, err := zip.OpenReader(jar)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range reader.File {
			if seen[entry.Name] || entry.FileInfo().IsDir() {
				continue
			}
			seen[entry.Name] = true
			if err := writer.Copy(entry); err != nil {
				t.Fatal(err)
			}
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}

func onlyPID(t *testing.T, c *cluster.Cluster, name string) int {
	t.Helper()
	pids, err := c.PIDs()
	if err != nil || len(pids[name]) != 1 {
		t.Fatalf("%s: %v, %v", name, pids[name], err)
	}
	return pids[name][0]
}

// onlyOneRuntime checks that the TaskManager has the Go library once, and that the JobManager, which plans, has not.
func onlyOneRuntime(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for name, want := range map[string]int{cluster.NameTaskManager: 1, cluster.NameJobManager: 0} {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", onlyPID(t, c, name)))
		if err != nil {
			t.Fatal(err)
		}
		libraries := map[string]bool{}
		for line := range strings.Lines(string(maps)) {
			if fields := strings.Fields(line); len(fields) > 5 && strings.Contains(fields[5], "libgo_udf") {
				libraries[fields[3]+" "+fields[4]] = true // device and inode
			}
		}
		if len(libraries) != want {
			t.Errorf("%s has %d Go libraries, want %d", name, len(libraries), want)
		}
	}
}

// footprint is what a process of the cluster holds, after a garbage collection.
type footprint struct {
	megabytes  int // resident
	threads    int
	jobLoaders int // class loaders of jobs
}

func measure(t *testing.T, c *cluster.Cluster, name string) (f footprint) {
	t.Helper()
	pid := onlyPID(t, c, name)
	jcmd := "jcmd"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		jcmd = filepath.Join(home, "bin", "jcmd")
	}
	histogram, err := exec.Command(jcmd, strconv.Itoa(pid), "GC.class_histogram").CombinedOutput() // of what is alive: it collects first
	if err != nil {
		t.Fatalf("%v\n%s", err, histogram)
	}
	for line := range strings.Lines(string(histogram)) {
		if fields := strings.Fields(line); len(fields) >= 4 && fields[3] == "org.apache.flink.util.ChildFirstClassLoader" {
			if f.jobLoaders, err = strconv.Atoi(fields[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer status.Close()
	text, err := io.ReadAll(status)
	if err != nil {
		t.Fatal(err)
	}
	number := func(key string) int {
		match := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+)`).FindSubmatch(text)
		if match == nil {
			t.Fatalf("no %s in\n%s", key, text)
		}
		n, err := strconv.Atoi(string(match[1]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	f.megabytes, f.threads = number("VmRSS")/1024, number("Threads")
	return f
}
