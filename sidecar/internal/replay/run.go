package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// run brings one to its end. The error is one of the store of replays; why a replay failed is said by the replay.
func (m *Manager) run(ctx context.Context, r Replay) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.mu.Lock()
	m.running, m.cancel = r.ID, cancel
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.running = ""
		delete(m.live, r.ID)
	}()
	// It may have been paused or cancelled before anybody could be interrupted.
	if now, _, err := m.store.get(r.ID); err != nil || now.State.Final() || now.Paused {
		return err
	}
	end := Replay{State: Completed}
	err := m.steps(ctx, &r, &end)
	switch {
	case ctx.Err() != nil:
		return nil // it was paused or cancelled, which the store knows; or the sidecar ends, or has lost the lease: it goes on later
	case err != nil:
		end.State, end.Error = Failed, err.Error()
		var p *problem.Error
		if errors.As(err, &p) {
			end.Error = p.Detail
		}
	}
	if err := m.store.retain(m.config.KeepFinished); err != nil {
		return err
	}
	ended := false
	done, err := m.store.update(r.ID, func(r *Replay, found bool) (bool, error) {
		if !found || r.State.Final() {
			return false, nil
		}
		ended = true
		r.Paused, r.Untold = false, m.deps.Ended != nil
		r.State, r.Error, r.Summary, r.NewJob, r.Builds, r.Ended = end.State, end.Error, end.Summary, end.NewJob, end.Builds, time.Now().UTC()
		return true, nil
	})
	if err != nil {
		return err
	}
	m.log.Info("replay ended", "replay", r.ID, "state", done.State, "error", done.Error)
	if ended {
		m.tellEnd(done)
	}
	m.tell()
	return nil
}

// enter notes that a replay has come to a state.
func (m *Manager) enter(r *Replay, s State, change func(r *Replay)) error {
	now, err := m.store.update(r.ID, func(r *Replay, found bool) (bool, error) {
		if !found || r.State.Final() {
			return false, errCancelled
		}
		r.State, r.Owner, r.Progress = s, m.deps.Owner, Progress{}
		if change != nil {
			change(r)
		}
		return true, nil
	})
	if err == nil {
		*r = now
	}
	m.tell()
	return err
}

// progress is told often; whoever watches is told a few times a second.
func (m *Manager) progress(id string) func(Progress) {
	last := time.Time{}
	return func(p Progress) {
		m.mu.Lock()
		m.live[id] = p
		m.mu.Unlock()
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond || p.Done == p.Total {
			last = now
			m.tell()
		}
	}
}

// steps are those of one replay, from its beginning; each can be done again.
func (m *Manager) steps(ctx context.Context, r *Replay, end *Replay) error {
	if err := m.enter(r, Pulling, nil); err != nil {
		return err
	}
	found, err := m.deps.Checkpoints.Find(ctx, r.Request)
	if err != nil {
		return err
	}
	operators, err := Chosen(found.Operators, &r.Request)
	if err != nil {
		return err
	}
	plan := []Step{{What: fmt.Sprintf("read checkpoint %d of job %s at %s", r.CheckpointID, r.Job, found.Path)}}
	if err := m.enter(r, Verifying, nil); err != nil {
		return err
	}
	loads, err := m.verify(ctx, operators)
	if err != nil {
		return err
	}
	plan = append(plan, loads...)
	if err := m.pinned(ctx, r); err != nil {
		return err
	}
	switch r.Mode {
	case Audit:
		plan = append(plan, Step{What: "decide again what came after it, aside, and compare"})
	case Restore:
		plan = append(plan, Step{What: fmt.Sprintf("give the state to calls of %s without a session, in the place of what they have", r.Function)})
	case Job:
		if found.Lost != "" {
			return problem.New(problem.Conflict, "checkpoint %d is not at %s any more, so no job can be started from it, and the one that runs was left alone (%s): start from another one; drey checkpoints list has them", r.CheckpointID, found.Path, found.Lost)
		}
		if err := m.deps.Jobs.Check(ctx, r.Request, found); err != nil {
			return err
		}
		plan = append(plan, Step{What: "cancel the job, if it runs"}, Step{What: fmt.Sprintf("submit jar %s from %s", r.Resubmit.JarID, found.Path)})
	}
	if r.DryRun {
		return m.enter(r, Verifying, func(r *Replay) { r.Plan = plan })
	}
	if err := m.enter(r, Applying, func(r *Replay) { r.Plan = plan }); err != nil {
		return err
	}
	switch r.Mode {
	case Audit:
		return m.audit(ctx, r, found, operators, end)
	case Restore:
		return m.restore(ctx, r, operators[0])
	default:
		end.NewJob, err = m.deps.Jobs.Submit(ctx, r.Request, found, m.progress(r.ID))
		return err
	}
}

// Chosen are the operators that a request is about.
func Chosen(all []OperatorState, r *Request) ([]OperatorState, error) {
	if r.Operator == "" || r.Mode == Job {
		return all, nil
	}
	names := ""
	for _, o := range all {
		if o.Operator == r.Operator {
			return []OperatorState{o}, nil
		}
		names += " " + o.Operator
	}
	if names == "" {
		names = " none"
	}
	return nil, problem.New(problem.InvalidRequest, "operator: checkpoint %d has no state in Go of %q; it has that of:%s", r.CheckpointID, r.Operator, names)
}

// newest is how many of the newest decisions of a log tell who decides.
const newest = 10_000

// pinned refuses to change anything with another build, or other rules, than have decided, unless that is allowed. For an audit they are the
// purpose: its report names both sides.
func (m *Manager) pinned(ctx context.Context, r *Replay) error {
	if r.Mode == Audit || r.AllowSkew || m.deps.Decisions == nil {
		return nil
	}
	last, err := m.deps.Decisions.Last()
	if err != nil {
		return err
	}
	query := decisions.Query{Job: r.Job, After: max(last, newest) - newest}
	for e, err := range m.deps.Decisions.Range(ctx, query) {
		if err != nil {
			return err
		}
		if build := e.Decision.Build; build != m.deps.Build {
			return problem.New(problem.Conflict, "the job's decisions were made by build %s, this sidecar is build %s: start it as that build, or allow the difference (--allow-skew)", build, m.deps.Build)
		}
		if m.deps.Rules == nil {
			continue
		}
		now := m.deps.Rules(e.Decision.Function)
		if then := e.Decision.RulesVersion(); then != "" && now != "" && then != now {
			return problem.New(problem.Conflict, "decisions of the job were made by the rules %s, this sidecar has the rules %s: put those in force again, or allow the difference (--allow-skew)", then, now)
		}
	}
	return nil
}

// verify reads what the references name, and says how much there is.
func (m *Manager) verify(ctx context.Context, operators []OperatorState) (plan []Step, err error) {
	for _, o := range operators {
		if m.deps.Snapshots == nil {
			return nil, problem.New(problem.InvalidRequest, "the checkpoint refers to state in Go: set state.store to where it is")
		}
		var bytes int64
		for _, ref := range o.References {
			manifest, err := segment.GetManifest(ctx, m.deps.Snapshots, ref)
			if err != nil {
				return nil, fmt.Errorf("snapshot of %s: %w; start from another checkpoint", o.Operator, err)
			}
			for _, s := range manifest.Segments {
				bytes += s.Bytes
			}
		}
		plan = append(plan, Step{What: fmt.Sprintf("load the state of %s from %d snapshots", o.Operator, len(o.References)), Bytes: bytes})
	}
	return plan, nil
}

func (m *Manager) audit(ctx context.Context, r *Replay, found Checkpoint, operators []OperatorState, end *Replay) error {
	if len(operators) == 0 && found.Triggered.IsZero() {
		return problem.New(problem.InvalidRequest, "checkpoint %d has no state in Go, and when it was made is not known: let the watcher follow the job (watch.flink)", r.CheckpointID)
	}
	a := &Auditor{
		Job: r.Job, Checkpoint: r.CheckpointID, Since: found.Triggered, Function: r.Function, Until: r.Until, Ignore: r.Ignore,
		Most: m.config.MaxDifferences, Build: m.deps.Build, Operators: operators, Snapshots: m.deps.Snapshots,
		Decisions: m.deps.Decisions, Functions: m.deps.Functions, Progress: m.progress(r.ID),
	}
	made, err := a.Run(ctx)
	if err != nil {
		return err
	}
	if err := m.store.putReport(r.ID, made); err != nil {
		return err
	}
	end.Builds = made.Builds
	end.Summary = SummaryOf(made)
	return nil
}

func (m *Manager) restore(ctx context.Context, r *Replay, o OperatorState) error {
	restored, err := segment.Restore(ctx, m.deps.Snapshots, o.References, segment.Want{
		Operator: o.Operator, MaxParallelism: o.MaxParallelism, KeyGroups: statestore.Range{To: uint16(o.MaxParallelism - 1)}, Parallel: 4,
	})
	if err != nil {
		return err
	}
	keys, err := m.deps.Local.Adopt(r.Function, restored.Partitions)
	if err == nil {
		m.progress(r.ID)(Progress{Done: keys, Total: keys, Unit: "keys"})
	}
	return err
}
