package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drey-flink/drey/sidecar/internal/cli"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest/flinkresttest"
	"github.com/drey-flink/drey/sidecar/metadata"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// The scripts run this test program as the commands "drey", and "mine": a sidecar of a user's own.
func TestMain(m *testing.M) {
	run := func(register ...func(*udf.Registry)) func() {
		return func() {
			os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, register...))
		}
	}
	testscript.Main(m, map[string]func(){
		"drey": run(),
		"mine": run(register),
		"get":  get,
		"post": post,
	})
}

func register(r *udf.Registry) {
	udf.Scalar(r, "fraud", func(_ context.Context, in struct{ Amount float64 }) (bool, error) {
		return in.Amount > 1000, nil
	}, udf.Doc("mine, not the built-in one"))
	udf.Scalar(r, "wait", func(_ context.Context, in struct{ Until string }) (bool, error) {
		_ = os.WriteFile(in.Until+".entered", nil, 0o600)
		for {
			if _, err := os.Stat(in.Until); err == nil {
				return true, nil
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	udf.Scalar(r, "crash", func(context.Context, struct{ N int64 }) (bool, error) {
		go panic("in a goroutine of the function's own") // nobody can recover this
		select {}
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			captures, err := filepath.Abs("../../metadata/testdata")
			if err != nil {
				return err
			}
			env.Setenv("METADATA", captures)
			for i, pair := range env.Vars { // what the developer has set must not matter
				if strings.HasPrefix(pair, "DREY_") {
					env.Vars[i] = "UNSET=" + pair
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "bound": bound, "flink": flink(t)},
	})
}

// slowJob is one of which the JobManager of flink does not tell for as long as a script lasts.
const slowJob = "34ab15ac1452e671ba95b9cfcafa7c47"

// flink CAPTURE starts a scripted JobManager whose job has just completed a checkpoint: that of a capture. It sets $FLINK, $JOB,
// $CHECKPOINT and $SLOWJOB.
func flink(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		folder := filepath.Join(ts.Getenv("METADATA"), args[0])
		content, err := os.ReadFile(filepath.Join(folder, "_metadata"))
		ts.Check(err)
		meta, err := metadata.Parse(content)
		ts.Check(err)
		jm := flinkresttest.New(t)
		jm.AddJob(fraudJob, "fraud").Complete(meta.CheckpointID, "file:"+folder, time.Now().UnixMilli())
		ended := make(chan struct{})
		ts.Defer(func() { close(ended) })
		for range 10 {
			jm.Script("GET /jobs/"+slowJob+"/checkpoints", flinkresttest.Answer{Wait: ended})
		}
		ts.Setenv("FLINK", jm.URL)
		ts.Setenv("JOB", fraudJob)
		ts.Setenv("SLOWJOB", slowJob)
		ts.Setenv("CHECKPOINT", fmt.Sprint(meta.CheckpointID))
	}
}

// await FILE waits until the file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil != neg {
			return
		}
	}
	ts.Fatalf("%s: not in time", path)
}

// bound FILE sets $HTTP, $ADMIN and $PID from a ready file.
func bound(ts *testscript.TestScript, _ bool, args []string) {
	var b struct {
		HTTP, GRPC, Admin string
		PID               int
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &b))
	ts.Setenv("HTTP", b.HTTP)
	ts.Setenv("ADMIN", b.Admin)
	ts.Setenv("PID", fmt.Sprint(b.PID))
}
