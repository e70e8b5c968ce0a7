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
	restored  map[string]flinkrest.Restored
	cancelled []string
	run       []flinkrest.Run
	refuse    error
}

func (f *flink) next(job string) flinkrest.State {
	all := f.states[job]
	if len(all) > 1 {
		f.states[job] = all[1:]
	}
	return all[0]
}

func (f *flink) Jobs(context.Context) (all []flinkrest.JobSummary, err error) {
	for id := range f.states {
		all = append(all, flinkrest.JobSummary{ID: id, State: f.states[id][0]})
	}
	return all, nil
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
	return "new", nil
}

func (f *flink) Checkpoints(_ context.Context, job string) (all flinkrest.Checkpoints, err error) {
	if r, ok := f.restored[job]; ok {
		all.Latest.Restored = &r
	}
	return all, nil
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
	f := &flink{states: map[string][]flinkrest.State{
		"old": {flinkrest.Running, flinkrest.Running, "CANCELLING", flinkrest.Canceled}, "other": {flinkrest.Running}, "new": {"INITIALIZING", "CREATED", flinkrest.Running},
	}, restored: map[string]flinkrest.Restored{"other": {ID: 7, ExternalPath: "s3://x/other/chk-7"}}}
	job, err := submit(t, f, time.Minute)
	if err != nil || job != "new" || len(f.cancelled) != 1 || f.cancelled[0] != "old" || len(f.run) != 1 {
		t.Fatalf("%s, %v, %+v", job, err, f)
	}
	run := f.run[0]
	if run.EntryClass != "Main" || run.Config["k"] != "v" || run.Config["execution.state-recovery.path"] != path || run.Config["execution.state-recovery.claim-mode"] != "NO_CLAIM" ||
		run.Config["execution.state-recovery.ignore-unclaimed-state"] != "true" {
		t.Errorf("%+v", run)
	}
}

// After a crash between the submission and its note, the job is there already.
func TestSubmittedBefore(t *testing.T) {
	f := &flink{states: map[string][]flinkrest.State{"old": {flinkrest.Canceled}, "there": {flinkrest.Running}}, restored: map[string]flinkrest.Restored{"there": {ID: 7, ExternalPath: path}}}
	if job, err := submit(t, f, time.Minute); err != nil || job != "there" || len(f.run) > 0 {
		t.Errorf("%s, %v, %+v", job, err, f)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		flink *flink
		want  string
	}{
		"the job does not end":   {&flink{states: map[string][]flinkrest.State{"old": {flinkrest.Running}}}, "job old ends"},
		"the jar is refused":     {&flink{states: map[string][]flinkrest.State{}, refuse: errors.New("no such jar")}, "no such jar"},
		"the new job fails":      {&flink{states: map[string][]flinkrest.State{"new": {"INITIALIZING", flinkrest.Failed}}}, "new job new is FAILED"},
		"the new job never runs": {&flink{states: map[string][]flinkrest.State{"new": {"RESTARTING"}}}, "new job new runs"},
	} {
		if _, err := submit(t, c.flink, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
