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
	r := replay.Request{Job: "old", CheckpointID: 7, Resubmit: &replay.Resubmit{
		JarID: "jar", EntryClass: "Main", Args: []string{"--a"}, Config: map[string]string{"k": "v"}, AllowNonRestoredState: true,
	}}
	return Runner{Flink: f, Poll: time.Millisecond, Patience: patience}.Submit(t.Context(), r, path, func(replay.Progress) {})
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
