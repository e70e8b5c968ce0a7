package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// found is a Checkpoints with one checkpoint.
type found struct {
	checkpoint Checkpoint
	err        error
	block      chan struct{} // if not nil: wait for it
	asked      chan struct{}
}

func (f *found) Find(ctx context.Context, _ Request) (Checkpoint, error) {
	select {
	case f.asked <- struct{}{}:
	default:
	}
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return Checkpoint{}, context.Cause(ctx)
		}
	}
	return f.checkpoint, f.err
}

// jobs is a JobRunner, adopted a Local.
type jobs struct {
	submitted []Request
	refuse    error
	block     chan struct{} // if not nil: Submit waits for it
}

func (j *jobs) Check(context.Context, Request, Checkpoint) error { return j.refuse }

func (j *jobs) Submit(ctx context.Context, r Request, _ Checkpoint, progress func(Progress)) (string, error) {
	progress(Progress{Done: 1, Total: 3})
	if j.block != nil {
		select {
		case <-j.block:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	j.submitted = append(j.submitted, r)
	return "new", nil
}

type adopted struct{ keys int64 }

func (a *adopted) Adopt(_ string, parts *statestore.Partitions) (int64, error) {
	a.keys = parts.Stats().Keys
	return a.keys, nil
}

type fixture struct {
	*Manager
	t     *testing.T
	world *world
	found *found
	jobs  *jobs
	local *adopted
	mu    sync.Mutex
	ended []Replay
	// forgetful never says that it has told anybody.
	forgetful bool
	lead      func(ctx context.Context, work func(context.Context) error) error // nil: always
	rules     func(function string) string
	stop      func()
}

func newFixture(t *testing.T, now functions) *fixture {
	t.Helper()
	w := newWorld(t)
	w.call("add", 1)
	w.checkpoint()
	for range 5 {
		w.call("add", 1)
	}
	f := &fixture{t: t, world: w, jobs: &jobs{}, local: &adopted{}, found: &found{asked: make(chan struct{}, 100), checkpoint: Checkpoint{
		Path: "s3://x/chk-1", Operators: []OperatorState{{Operator: operator, MaxParallelism: keyGroups, References: w.marks[0].refs}},
	}}}
	f.start(t.TempDir(), now)
	return f
}

// start opens the folder, as a process does that starts.
func (f *fixture) start(folder string, now functions) {
	f.t.Helper()
	var err error
	f.Manager, err = New(Config{Folder: folder, KeepFinished: 3, MaxDifferences: 10, Modes: []Mode{Audit, Restore, Job}}, Deps{
		Leader: f.lead, Owner: "me", Holder: func() string { return "somebody" },
		Checkpoints: f.found, Snapshots: f.world.store, Decisions: f.world.log, Functions: now, Build: "now", Jobs: f.jobs, Local: f.local, Rules: f.rules,
		Ended: func(r Replay, told func()) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ended = append(f.ended, r)
			if !f.forgetful {
				told()
			}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	f.pause = time.Millisecond
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	f.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := f.Close(); err != nil {
			f.t.Error(err)
		}
	})
	f.t.Cleanup(func() { f.stop() })
}

func (f *fixture) ask(r Request) Replay {
	f.t.Helper()
	r.Job, r.CheckpointID = theJob, 1
	got, _, err := f.Start(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

// until waits for a state.
func (f *fixture) until(id string, so func(Replay) bool) Replay {
	f.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		changed := f.Changed()
		r, err := f.Get(id)
		if err != nil {
			f.t.Fatal(err)
		}
		if so(r) {
			return r
		}
		select {
		case <-changed:
		case <-limit:
			f.t.Fatalf("it stays %+v", r)
		}
	}
}

func ended(r Replay) bool { return r.State.Final() }

func TestModes(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	audit := f.until(f.ask(Request{Ignore: []string{"version"}}).ID, ended)
	if s := audit.Summary; audit.State != Completed || s == nil || s.Decisions != 5 || s.Different != 2 || audit.Builds["then"] != 5 || audit.Build != "now" || len(audit.Plan) == 0 {
		t.Errorf("%+v", audit)
	}
	if r, err := f.Report(audit.ID); err != nil || r.Different != 2 || len(r.Differences) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	skewed := f.until(f.ask(Request{Mode: Job, RequestID: "skew", Resubmit: &Resubmit{JarID: "jar"}}).ID, ended)
	if skewed.State != Failed || !strings.Contains(skewed.Error, "--allow-skew") || len(f.jobs.submitted) > 0 {
		t.Errorf("another build: %+v", skewed)
	}
	restored := f.until(f.ask(Request{Mode: Restore, AllowSkew: true, Operator: operator, Function: "add"}).ID, ended)
	if restored.State != Completed || f.local.keys != 1 {
		t.Errorf("%+v, %d keys", restored, f.local.keys)
	}
	if _, err := f.Report(restored.ID); problem.From(err).Code != problem.NotFound {
		t.Errorf("a report of a restore: %v", err)
	}
	job := f.until(f.ask(Request{Mode: Job, AllowSkew: true, Resubmit: &Resubmit{JarID: "jar"}}).ID, ended)
	if job.State != Completed || job.NewJob != "new" || len(f.jobs.submitted) != 1 {
		t.Errorf("%+v", job)
	}
	dry := f.until(f.ask(Request{Mode: Job, RequestID: "dry", DryRun: true, AllowSkew: true, Resubmit: &Resubmit{JarID: "jar"}}).ID, ended)
	if dry.State != Completed || len(dry.Plan) < 3 || len(f.jobs.submitted) != 1 {
		t.Errorf("%+v", dry)
	}
	// The same request is the same replay; five have ended, and three are kept.
	if again, created, err := f.Start(dry.Request); err != nil || created || again.ID != dry.ID {
		t.Errorf("%+v, %t, %v", again, created, err)
	}
	f.until(f.ask(Request{RequestID: "another"}).ID, ended)
	if all, err := f.List(); err != nil || len(all) > 4 {
		t.Errorf("%d replays, %v", len(all), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ended) != 6 {
		t.Errorf("%d ends were told of", len(f.ended))
	}
}

func TestRefusedRequests(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	f.config.Modes = []Mode{Audit, Restore}
	for name, c := range map[string]struct {
		request Request
		code    problem.Code
	}{
		"no job":        {Request{CheckpointID: 1}, problem.InvalidRequest},
		"no checkpoint": {Request{Job: theJob}, problem.InvalidRequest},
		"no such mode":  {Request{Job: theJob, CheckpointID: 1, Mode: "undo"}, problem.InvalidRequest},
		"not allowed":   {Request{Job: theJob, CheckpointID: 1, Mode: Job, Resubmit: &Resubmit{JarID: "x"}}, problem.Forbidden},
		"whose state":   {Request{Job: theJob, CheckpointID: 1, Mode: Restore}, problem.InvalidRequest},
	} {
		if _, _, err := f.Start(c.request); problem.From(err).Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, do := range []func(string) (Replay, error){f.Get, f.Cancel, f.Pause, f.Resume} {
		if _, err := do("r-0"); problem.From(err).Code != problem.NotFound {
			t.Errorf("%v", err)
		}
	}
	failed := f.until(f.ask(Request{Operator: "nobody"}).ID, ended)
	if failed.State != Failed || failed.Error == "" {
		t.Errorf("%+v", failed)
	}
	for _, do := range []func(string) (Replay, error){f.Cancel, f.Pause, f.Resume} {
		if _, err := do(failed.ID); problem.From(err).Code != problem.Conflict {
			t.Errorf("%v", err)
		}
	}
}

// A job is not ended if it could not be submitted again, and not left ended halfway.
func TestJobIsNotLost(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	job := Request{Mode: Job, AllowSkew: true, Resubmit: &Resubmit{JarID: "jar"}}
	f.found.checkpoint.Lost = "no such object"
	if r := f.until(f.ask(job).ID, ended); r.State != Failed || !strings.Contains(r.Error, "no such object") {
		t.Errorf("from a copy that Flink cannot read: %+v", r)
	}
	f.found.checkpoint.Lost = ""
	f.jobs.refuse = errors.New("no such jar")
	job.RequestID, job.DryRun = "refused", true
	if r := f.until(f.ask(job).ID, ended); r.State != Failed || r.Error != "no such jar" {
		t.Errorf("a dry run of what is refused: %+v", r)
	}
	if len(f.jobs.submitted) > 0 {
		t.Fatalf("submitted: %+v", f.jobs.submitted)
	}
	f.jobs.refuse, f.jobs.block = nil, make(chan struct{})
	job.RequestID, job.DryRun = "blocked", false
	id := f.ask(job).ID
	f.until(id, func(r Replay) bool { return r.Progress.Done == 1 })
	for what, do := range map[string]func(string) (Replay, error){"cancel": f.Cancel, "pause": f.Pause} {
		if _, err := do(id); problem.From(err).Code != problem.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	close(f.jobs.block)
	if r := f.until(id, ended); r.State != Completed || r.NewJob != "new" {
		t.Errorf("%+v", r)
	}
}

// That the lease cannot be asked for, or that what is known cannot be written, is logged and tried again: nobody would hear of a worker that has
// ended.
func TestWorkerGoesOn(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	f.stop()
	tried := make(chan struct{}, 3)
	again := make(chan struct{})
	f.lead = func(ctx context.Context, work func(context.Context) error) error {
		select {
		case tried <- struct{}{}:
			return errors.New("access denied")
		case <-again:
			return work(ctx)
		}
	}
	f.start(f.config.Folder, functions{limit: 1})
	r := f.ask(Request{})
	waits := f.until(r.ID, func(r Replay) bool { return strings.Contains(r.Waiting, "access denied") })
	if waits.State != Pending {
		t.Errorf("%+v", waits)
	}
	close(again)
	if r := f.until(r.ID, ended); r.State != Completed {
		t.Errorf("%+v", r)
	}
}

// Replays run under the lease alone, say who holds it while they wait, and begin again when it was lost in between.
func TestUnderTheLease(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	f.stop()
	turn := make(chan func(context.Context) context.Context)
	f.lead = func(ctx context.Context, work func(context.Context) error) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case with := <-turn:
				held := with(ctx)
				if err := work(held); held.Err() == nil {
					return err
				}
			}
		}
	}
	f.start(f.config.Folder, functions{limit: 1})
	f.found.block = make(chan struct{})
	first, second := f.ask(Request{}), f.ask(Request{RequestID: "second"})
	waits := f.until(first.ID, func(r Replay) bool { return strings.Contains(r.Waiting, "somebody") })
	if waits.State != Pending || waits.Owner != "" || len(f.found.asked) > 0 {
		t.Errorf("without the lease: %+v", waits)
	}
	lost := make(chan context.CancelFunc, 1)
	turn <- func(ctx context.Context) context.Context {
		held, lose := context.WithCancel(ctx)
		lost <- lose
		return held
	}
	<-f.found.asked
	if r := f.until(second.ID, func(r Replay) bool { return strings.Contains(r.Waiting, first.ID) }); r.State != Pending {
		t.Errorf("the other one: %+v", r)
	}
	(<-lost)()
	close(f.found.block)
	stay := func(ctx context.Context) context.Context { return ctx }
	turn <- stay
	if r := f.until(first.ID, ended); r.State != Completed || r.Owner != "me" || r.Waiting != "" {
		t.Errorf("%+v", r)
	}
	turn <- stay
	f.until(second.ID, ended)
}

// The same request is the same replay, and nothing else is.
func TestSameRequest(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	first := f.ask(Request{RequestID: "a", Ignore: []string{"version"}})
	for name, r := range map[string]Request{
		"another payload": {RequestID: "a"},
		"until":           {RequestID: "a", Ignore: []string{"version"}, Until: time.Unix(1, 0)},
	} {
		r.Job, r.CheckpointID = theJob, 1
		if got, _, err := f.Start(r); problem.From(err).Code != problem.IDReused {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	again := Request{Job: theJob, CheckpointID: 1, Mode: Audit, RequestID: "a", Ignore: []string{"version"}}
	if r, created, err := f.Start(again); err != nil || created || r.ID != first.ID {
		t.Errorf("the same: %+v, %t, %v", r, created, err)
	}
	dry := f.ask(Request{RequestID: "a", Ignore: []string{"version"}, DryRun: true})
	if dry.ID == first.ID {
		t.Error("a dry run is the real one")
	}
	f.until(dry.ID, ended)
	f.until(first.ID, ended)
}

// A changed rules file is another build: it is named, and nothing is changed with it unless that is allowed.
func TestRulesArePinned(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	f.stop()
	for i, d := range f.world.log {
		d.Build, d.Result = "now", fmt.Appendf(nil, `{"decision":"alert","rules":["x"],"version":"bad+%d"}`, i/4)
	}
	version := "good+2"
	f.rules = func(function string) string {
		if function != "add" {
			return ""
		}
		return version
	}
	f.start(f.config.Folder, functions{limit: 1})
	job := Request{Mode: Job, RequestID: "refused", Resubmit: &Resubmit{JarID: "jar"}}
	r := f.until(f.ask(job).ID, ended)
	if r.State != Failed || !strings.Contains(r.Error, "bad+0") || !strings.Contains(r.Error, "good+2") || !strings.Contains(r.Error, "--allow-skew") || len(f.jobs.submitted) > 0 {
		t.Errorf("%+v", r)
	}
	job.RequestID, job.AllowSkew = "allowed", true
	if r := f.until(f.ask(job).ID, ended); r.State != Completed {
		t.Errorf("%+v", r)
	}
	audit := f.until(f.ask(Request{}).ID, ended)
	made, err := f.Report(audit.ID)
	if err != nil || made.Rules["bad+0"] != 3 || made.Rules["bad+1"] != 2 || made.Different != 5 || made.Differences[0].Then.Rules != "bad+0" {
		t.Errorf("%+v, %v", made, err)
	}
	for _, d := range f.world.log {
		d.Result = []byte(`{"rules":[],"version":"good+2"}`)
	}
	job.RequestID, job.AllowSkew = "the same", false
	if r := f.until(f.ask(job).ID, ended); r.State != Completed {
		t.Errorf("%+v", r)
	}
}

// A replay is stopped, goes on, is cancelled; one that a process left behind goes on in the next.
func TestInterruptions(t *testing.T) {
	f := newFixture(t, functions{limit: 1})
	f.found.block = make(chan struct{})
	r := f.ask(Request{})
	<-f.found.asked
	if r, err := f.Pause(r.ID); err != nil || !r.Paused {
		t.Fatalf("%+v, %v", r, err)
	}
	other := f.ask(Request{RequestID: "other"}) // it takes its turn meanwhile
	<-f.found.asked
	if r, err := f.Cancel(other.ID); err != nil || r.State != Cancelled {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := f.Cancel(other.ID); err != nil || r.State != Cancelled {
		t.Errorf("again: %+v, %v", r, err)
	}
	if _, err := f.Resume(r.ID); err != nil {
		t.Fatal(err)
	}
	<-f.found.asked
	folder := f.config.Folder
	f.stop()
	f.found.block = nil
	f.start(folder, functions{limit: 1})
	if r := f.until(r.ID, ended); r.State != Completed || r.Summary == nil || r.Summary.Decisions != 5 {
		t.Errorf("%+v", r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ended) != 2 || f.ended[0].State != Cancelled || f.ended[1].State != Completed {
		t.Errorf("%+v", f.ended)
	}
}

// Who was not told before the process ended is told by the next one.
func TestEndsAreToldOf(t *testing.T) {
	f := newFixture(t, functions{limit: 3})
	f.forgetful = true
	r := f.until(f.ask(Request{}).ID, ended)
	for _, forgetful := range []bool{true, false, false} {
		f.stop()
		f.forgetful = forgetful
		f.start(f.config.Folder, functions{limit: 3})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.ended) != 3 || f.ended[2].ID != r.ID {
		t.Errorf("%+v", f.ended)
	}
}
