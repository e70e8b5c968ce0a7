package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
)

// udfRuns is what the runs of benchUDF share. All of them, PyFlink's too, are of the same kind: one JVM of the same
// flags with the same Flink in it (client, JobManager and TaskManager), from Maven.
type udfRuns struct {
	home     string // of Flink
	jobs     string // jar of the jobs, with the benchmark's
	jar      string // the Go functions
	bare     string // library of modeBare
	tmp      string
	python   *pyflink
	noPython error // why python is nil

	rounds    int
	jobRounds int     // of whole jobs, which vary more
	part      int     // of the rows of a whole job, one in so many
	warmup    float64 // seconds from the first row on
	seconds   float64 // measured after that
}

func newUDFRuns(ctx context.Context, dir string, quick bool) (*udfRuns, error) {
	root, err := cluster.Root()
	if err != nil {
		return nil, err
	}
	say := func(what string) { fmt.Fprintln(os.Stderr, what) }
	u := &udfRuns{
		jar: filepath.Join(dir, "go-udf-bridge.jar"), bare: filepath.Join(dir, "libbare.so"),
		tmp: dir, rounds: 3, jobRounds: 5, part: 1, warmup: 5, seconds: 4,
	}
	if quick {
		u.rounds, u.jobRounds, u.part, u.warmup, u.seconds = 1, 1, 100, 1, 1
	}
	if u.home, err = cluster.Home(ctx, root, say); err != nil {
		return nil, err
	}
	if u.jobs, err = cluster.JobsJar(ctx, root, say); err != nil {
		return nil, err
	}
	for _, build := range []*exec.Cmd{
		exec.CommandContext(ctx, filepath.Join(root, ".drey", "bin", "go-udf-builder"), "build", "./udf-bridge/internal/subject/bench", "-o", u.jar),
		exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", u.bare, "./sidecar/internal/benchmark/bare"),
	} {
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the Go functions: %w\n%s", err, out)
		}
	}
	u.python, u.noPython = findPyFlink(ctx, root, u.home, dir)
	return u, ctx.Err()
}

// java runs a program in a JVM with an empty temporary folder of its own, and reads the line of JSON that it ends with.
func (u *udfRuns) java(ctx context.Context, classes, environ []string, class string, args []string, into any) error {
	tmp, err := os.MkdirTemp(u.tmp, "jvm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	flags := append(cluster.JavaModuleFlags(), "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-Djava.io.tmpdir="+tmp,
		"-cp", strings.Join(classes, string(os.PathListSeparator)), class)
	cmd := exec.CommandContext(ctx, "java", append(flags, args...)...)
	var out, log bytes.Buffer
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &out, &log
	cmd.WaitDelay = 10 * time.Second // children of Python hold the pipe
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s%s", class, err, tail(log.String()), tail(out.String()))
	}
	var line []byte
	for l := range bytes.Lines(out.Bytes()) { // Flink says there what its processes say when they are ended
		if bytes.HasPrefix(l, []byte("{")) {
			line = l
		}
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%s said %q: %w", class, tail(out.String()), err)
	}
	return nil
}

// tail is the end of a log, and of a long stack trace the causes.
func tail(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\tat ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept[max(0, len(kept)-20):], "")
}
