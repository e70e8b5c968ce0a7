// Package resubmit restarts a job from a checkpoint, through Flink's REST API.
package resubmit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
)

// Flink is what is needed of its REST API: see flinkrest.Client.
type Flink interface {
	Job(ctx context.Context, job string) (flinkrest.Job, error)
	CheckpointConfig(ctx context.Context, job string) (flinkrest.CheckpointConfig, error)
	Jars(ctx context.Context) (ids []string, err error)
	Cancel(ctx context.Context, job string) error
	RunJar(ctx context.Context, jar string, run flinkrest.Run) (job string, err error)
}

// Runner implements replay.JobRunner.
type Runner struct {
	Flink Flink
	// Poll is how often Flink is asked, Patience how long for each step.
	Poll, Patience time.Duration
}

var _ replay.JobRunner = Runner{}

// Check refuses to end a job that could not be submitted again: its jar is not there, or Flink would delete the checkpoint with the
// job.
func (s Runner) Check(ctx context.Context, r replay.Request, from replay.Checkpoint) error {
	if _, there, err := s.job(ctx, jobID(&r)); err != nil || there {
		return err // it was submitted before a crash
	}
	jars, err := s.Flink.Jars(ctx)
	if err != nil {
		return fmt.Errorf("jars that are uploaded: %w", err)
	}
	if !slices.Contains(jars, r.Resubmit.JarID) {
		return problem.New(problem.InvalidRequest, "resubmit.jar_id: Flink has no jar %q: upload it (drey replay start --jar FILE does)", r.Resubmit.JarID)
	}
	old, there, err := s.job(ctx, r.Job)
	if err != nil || !there || old.State.Ended() || from.Savepoint {
		return err
	}
	config, err := s.Flink.CheckpointConfig(ctx, r.Job)
	if flinkrest.IsNotFound(err) {
		return nil // it makes no checkpoints, so it has none to delete
	}
	if err != nil {
		return fmt.Errorf("what Flink does with the checkpoints of job %s when it is cancelled: %w", r.Job, err)
	}
	if e := config.Externalization; !e.Enabled || e.DeleteOnCancellation {
		return problem.New(problem.Conflict, "Flink deletes the checkpoints of job %s when it is cancelled (execution.checkpointing.externalized-checkpoint-retention is not RETAIN_ON_CANCELLATION), checkpoint %d too: the job was left alone. Make a savepoint and start from that", r.Job, r.CheckpointID)
	}
	return nil
}

// job asks for a job that need not be there.
func (s Runner) job(ctx context.Context, id string) (job flinkrest.Job, there bool, err error) {
	job, err = s.Flink.Job(ctx, id)
	if flinkrest.IsNotFound(err) {
		return job, false, nil
	}
	return job, err == nil, err
}

// Submit ends the job, if it runs, and submits it from the checkpoint. The new job has an id that follows from the request: after a crash in
// between it is found by that, and Flink refuses to take it twice.
func (s Runner) Submit(ctx context.Context, r replay.Request, from replay.Checkpoint, progress func(replay.Progress)) (newJob string, err error) {
	step := func(n int64) { progress(replay.Progress{Done: n, Total: 3, Unit: "steps"}) }
	step(0)
	id := jobID(&r)
	if _, there, err := s.job(ctx, id); err != nil {
		return "", err
	} else if there {
		return id, s.running(ctx, id)
	}
	if err := s.Check(ctx, r, from); err != nil { // a while may have passed
		return "", err
	}
	if err := s.end(ctx, r.Job); err != nil {
		return "", err
	}
	step(1)
	restoreMode := r.Resubmit.RestoreMode
	if restoreMode == "" {
		restoreMode = "NO_CLAIM"
	}
	config := maps.Clone(r.Resubmit.Config)
	if config == nil {
		config = map[string]string{}
	}
	config["execution.state-recovery.path"] = from.Path
	config["execution.state-recovery.claim-mode"] = restoreMode
	if r.Resubmit.AllowNonRestoredState {
		config["execution.state-recovery.ignore-unclaimed-state"] = "true"
	}
	newJob, err = s.Flink.RunJar(ctx, r.Resubmit.JarID, flinkrest.Run{
		EntryClass: r.Resubmit.EntryClass, Args: r.Resubmit.Args, Parallelism: r.Resubmit.Parallelism, Config: config, JobID: id,
	})
	if err != nil {
		return "", fmt.Errorf("the job is ended, and was not submitted again: %w; put that right and start the replay again", err)
	}
	step(2)
	err = s.running(ctx, newJob)
	step(3)
	return newJob, err
}

// jobID is the id of the job that a request makes.
func jobID(r *replay.Request) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", r.Job, r.CheckpointID, r.RequestID))
	return hex.EncodeToString(sum[:16])
}

// running waits until a job runs.
func (s Runner) running(ctx context.Context, id string) error {
	return s.await(ctx, "the new job "+id+" runs", func() (bool, error) {
		job, err := s.Flink.Job(ctx, id)
		switch {
		case err != nil:
			return false, passing(err)
		case job.State.Ended():
			return false, problem.New(problem.Conflict, "the new job %s is %s; look at its exceptions in Flink", id, job.State)
		}
		return job.State == flinkrest.Running, nil
	})
}

// end cancels the job and waits for its end. A job that Flink does not know has ended.
func (s Runner) end(ctx context.Context, id string) error {
	job, there, err := s.job(ctx, id)
	if err != nil || !there || job.State.Ended() {
		return err
	}
	if err := s.Flink.Cancel(ctx, id); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	return s.await(ctx, "job "+id+" ends", func() (bool, error) {
		job, err := s.Flink.Job(ctx, id)
		if flinkrest.IsNotFound(err) {
			return true, nil
		}
		return err == nil && job.State.Ended(), passing(err)
	})
}

// passing is an error that waiting may cure, which is none.
func passing(err error) error {
	if err == nil || flinkrest.IsUnavailable(err) {
		return nil
	}
	var refused *flinkrest.Error
	if errors.As(err, &refused) {
		return nil // 404 and 500 while it is set up
	}
	return err
}

func (s Runner) await(ctx context.Context, what string, so func() (bool, error)) error {
	limit := time.NewTimer(s.Patience)
	defer limit.Stop()
	ticker := time.NewTicker(s.Poll)
	defer ticker.Stop()
	for {
		ok, err := so()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			return problem.New(problem.Conflict, "waited %s in vain: %s", s.Patience, what)
		case <-ticker.C:
		}
	}
}
