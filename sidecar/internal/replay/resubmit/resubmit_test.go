package resubmit

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/replay"
)

// flink is a JobManager with scripted jobs.
type flink struct {
	states    map[string][]flinkrest.State // what is answered one time after the other; the last one stays
	cancelled []string
	run       []flinkrest.Run
	refuse    error
	after     []flinkrest.State // of the job that was submitted
	jars      []string          // beside "jar"
	deletes   bool              // checkpoints of jobs that are cancelled
	internal  bool              // checkpoints are not externalized at all
	periodic  error             // of the question for the configuration of checkpoints
}

func (f *flink) Jars(context.Context) ([]string, error) { return append(f.jars, "jar"), nil }

func (f *flink) CheckpointConfig(context.Context, string) (c flinkrest.CheckpointConfig, err error) {
	c.Externalization.Enabled, c.Externalization.DeleteOnCancellation = !f.internal, f.deletes
	return c, f.periodic
}

func (f *flink) next(job string) flinkrest.State {
	all := f.states[job]
	if len(all) > 1 {
		f.states[job] = all[1:]
	}
	return all[0]
}

func (f *flink) Job(_ context.Context, job string) (flinkrest.Job, error) {
	if f.states[job] == nil {
		return flinkrest.Job{}, &flinkrest.Error{Status: 404}
	}
	return flinkrest.Job{ID: job, State: f.next(job)}, nil
}

func (f *flink) Cancel(_ context.Context, job string) error {
	f.cancelled = append(f.cancelled, job)
	return nil
}

func (f *flink) RunJar(_ context.Context, _ string, run flinkrest.Run) (string, error) {
	if f.refuse != nil {
		return "", f.refuse
	}
	f.run = append(f.run, run)
	if f.after != nil {
		f.states[run.JobID] = f.after
	}
	return run.JobID, nil
}

const path = "s3://x/chk-7"

func submit(t *testing.T, f *flink, patience time.Duration) (string, error) {
	t.Helper()
	return Runner{Flink: f, Poll: time.Millisecond, Patience: patience}.Submit(t.Context(), request("jar"), replay.Checkpoint{Path: path}, func(replay.Progress) {})
}

func request(jar string) replay.Request {
	return replay.Request{Job: "old", CheckpointID: 7, Resubmit: &replay.Resubmit{
		JarID: jar, EntryClass: "Main", Args: []string{"--a"}, Config: map[string]string{"k": "v"}, AllowNonRestoredState: true,
	}}
}

// TestJobIsLeftAlone: what is to be rescued is not ended if it could not be submitted again.
func TestJobIsLeftAlone(t *testing.T) {
	runs := func() map[string][]flinkrest.State { return map[string][]flinkrest.State{"old": {flinkrest.Running}} }
	for name, c := range map[string]struct {
		flink *flink
		jar   string
		from  replay.Checkpoint
		says  string // "" is nothing: it is fine
	}{
		"fine":                          {&flink{states: runs()}, "jar", replay.Checkpoint{}, ""},
		"no such jar":                   {&flink{states: runs()}, "typo", replay.Checkpoint{}, "typo"},
		"deleted with the job":          {&flink{states: runs(), deletes: true}, "jar", replay.Checkpoint{}, "RETAIN_ON_CANCELLATION"},
		"not externalized":              {&flink{states: runs(), internal: true}, "jar", replay.Checkpoint{}, "RETAIN_ON_CANCELLATION"},
		"nobody knows":                  {&flink{states: runs(), periodic: errors.New("away")}, "jar", replay.Checkpoint{}, "away"},
		"savepoints are not deleted":    {&flink{states: runs(), deletes: true}, "jar", replay.Checkpoint{Savepoint: true}, ""},
		"it makes no checkpoints":       {&flink{states: runs(), periodic: &flinkrest.Error{Status: 404}}, "jar", replay.Checkpoint{}, ""},
		"the job has ended, and left N": {&flink{states: map[string][]flinkrest.State{"old": {flinkrest.Failed}}, deletes: true}, "jar", replay.Checkpoint{}, ""},
		"the job is forgotten":          {&flink{states: map[string][]flinkrest.State{}, deletes: true}, "jar", replay.Checkpoint{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			runner := Runner{Flink: c.flink, Poll: time.Millisecond, Patience: 10 * time.Millisecond}
			err := runner.Check(t.Context(), request(c.jar), c.from)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if _, err := runner.Submit(t.Context(), request(c.jar), c.from, func(replay.Progress) {}); err == nil || len(c.flink.cancelled)+len(c.flink.run) > 0 {
				t.Errorf("%v; cancelled %q, submitted %+v", err, c.flink.cancelled, c.flink.run)
			}
		})
	}
}

func TestSubmit(t *testing.T) {
	f := &flink{
		states: map[string][]flinkrest.State{"old": {flinkrest.Running, flinkrest.Running, "CANCELLING", flinkrest.Canceled}},
		after:  []flinkrest.State{"INITIALIZING", "CREATED", flinkrest.Running},
	}
	job, err := submit(t, f, time.Minute)
	if err != nil || len(job) != 32 || len(f.cancelled) != 1 || f.cancelled[0] != "old" || len(f.run) != 1 {
		t.Fatalf("%s, %v, %+v", job, err, f)
	}
	run := f.run[0]
	if run.JobID != job || run.EntryClass != "Main" || run.Config["k"] != "v" || run.Config["execution.state-recovery.path"] != path || run.Config["execution.state-recovery.claim-mode"] != "NO_CLAIM" ||
		run.Config["execution.state-recovery.ignore-unclaimed-state"] != "true" {
		t.Errorf("%+v", run)
	}
	// After a crash between the submission and its note, the job is there already.
	if again, err := submit(t, f, time.Minute); err != nil || again != job || len(f.run) != 1 {
		t.Errorf("%s, %v, %+v", again, err, f)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		flink *flink
		want  string
	}{
		"the job does not end":   {&flink{states: map[string][]flinkrest.State{"old": {flinkrest.Running}}}, "job old ends"},
		"the jar is refused":     {&flink{states: map[string][]flinkrest.State{}, refuse: errors.New("no such jar")}, "no such jar"},
		"the new job fails":      {&flink{states: map[string][]flinkrest.State{}, after: []flinkrest.State{"INITIALIZING", flinkrest.Failed}}, "is FAILED"},
		"the new job never runs": {&flink{states: map[string][]flinkrest.State{}, after: []flinkrest.State{"RESTARTING"}}, "runs"},
	} {
		if _, err := submit(t, c.flink, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
