package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

const (
	jobRounds  = 3
	jobRecords = 90_000
	jobWarmup  = 30_000 // of each run: classes are loaded and compiled, connections opened
	inFlight   = 200
)

// benchJob compares a Flink job through the sidecar with the same Java client in a loop outside Flink, against the same
// sidecar. Rates of both are read off the sidecar's own count of calls.
func benchJob(ctx context.Context, r *Report) error {
	dir, err := os.MkdirTemp("", "drey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	c, _, err := cluster.Up(ctx, cluster.Options{
		Dir: dir, Slots: 1, Tied: true, AnyPorts: true, Progress: func(s string) { fmt.Fprintln(os.Stderr, s) },
	})
	if err != nil {
		return err
	}
	defer func() { _, _ = cluster.Down(context.WithoutCancel(ctx), dir) }()
	if _, err := c.StartSidecar(ctx, filepath.Join(root, ".drey", "bin", "drey"), "--log-level", "warn",
		"--evaluate-admission-max-in-flight", "1000"); err != nil {
		return err
	}
	b := jobBench{root: root, cluster: c, flink: flinkrest.New(c.Flink)}
	if b.jar, err = b.flink.UploadJar(ctx, filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar")); err != nil {
		return fmt.Errorf("%w; build the jobs with scripts/build", err)
	}

	var ours, theirs, ratios, shares []float64
	for round := range jobRounds {
		bare, _, err := b.measure(ctx, func(ctx context.Context) error { return b.bareLoop(ctx, round) })
		if err != nil {
			return err
		}
		job, share, err := b.measure(ctx, func(ctx context.Context) error { return b.job(ctx, round) })
		if err != nil {
			return err
		}
		ours, theirs, ratios, shares = append(ours, job), append(theirs, bare), append(ratios, job/bare), append(shares, share)
	}
	r.Cases = append(r.Cases, Case{
		Case: "fraud job through HTTP, one slot", Against: "the same Java client outside Flink", Unit: "records/s", Goal: 0.7,
		Ours: median(ours), Theirs: median(theirs), Ratio: median(ratios),
		Note: fmt.Sprintf("capacity %d, checkpoints every 5 s, median of %d rounds in turn; of the processor time of the job's run the sidecar used %.0f %%",
			inFlight, jobRounds, 100*median(shares)),
	})
	return nil
}

type jobBench struct {
	root    string
	cluster *cluster.Cluster
	flink   *flinkrest.Client
	jar     string
}

// measure runs a load of jobWarmup + jobRecords calls and returns the rate of the calls after the warm-up, and which
// share of the processor time of sidecar and TaskManager the sidecar had meanwhile.
func (b *jobBench) measure(ctx context.Context, run func(context.Context) error) (perSecond, share float64, err error) {
	before, err := b.calls()
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	var from time.Time
	var fromCalls int64
	var fromSidecar, fromTask float64
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = fmt.Errorf("the load ended before all its calls were seen")
			}
			return 0, 0, err
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-ticker.C:
		}
		calls, err := b.calls()
		if err != nil {
			return 0, 0, err
		}
		calls -= before
		switch {
		case from.IsZero() && calls >= jobWarmup:
			from, fromCalls = time.Now(), calls
			if fromSidecar, fromTask, err = b.cpu(); err != nil {
				return 0, 0, err
			}
		case calls >= jobWarmup+jobRecords*9/10: // before the load runs dry
			elapsed := time.Since(from).Seconds()
			sidecar, task, err := b.cpu()
			if err != nil {
				return 0, 0, err
			}
			sidecar, task = sidecar-fromSidecar, task-fromTask
			return float64(calls-fromCalls) / elapsed, sidecar / (sidecar + task), <-ended
		}
	}
}

func (b *jobBench) cpu() (sidecar, task float64, err error) {
	pids, err := b.cluster.PIDs()
	if err != nil {
		return 0, 0, err
	}
	if sidecar, err = cpuSeconds(b.cluster.Sidecar.PID); err != nil {
		return 0, 0, err
	}
	if len(pids[cluster.NameTaskManager]) == 0 {
		return 0, 0, fmt.Errorf("the TaskManager is gone")
	}
	task, err = cpuSeconds(pids[cluster.NameTaskManager][0])
	return sidecar, task, err
}

func (b *jobBench) calls() (int64, error) {
	resp, err := http.Get("http://" + b.cluster.Sidecar.HTTP + "/v1/status")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var s evaluate.Status
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		return 0, err
	}
	for _, f := range s.Functions {
		if f.Name == "fraud" {
			return f.Calls, nil
		}
	}
	return 0, fmt.Errorf("the sidecar has no function fraud")
}

func (b *jobBench) bareLoop(ctx context.Context, round int) error {
	home, err := cluster.Home(ctx, b.root, func(string) {})
	if err != nil {
		return err
	}
	classes := filepath.Join(b.root, "flink-jobs", "target", "flink-jobs.jar") + ":" + filepath.Join(home, "lib") + "/*"
	java := exec.CommandContext(ctx, "java", "-Xmx640m", "-XX:+UseSerialGC", "-cp", classes, "dev.drey.flink.jobs.bench.BareLoop",
		"--url", "http://"+b.cluster.Sidecar.HTTP, "--warmup", strconv.Itoa(jobWarmup),
		"--records", strconv.Itoa(jobRecords), "--in-flight", strconv.Itoa(inFlight),
		"--seed", strconv.Itoa(2000+round)) // ids that no other run has: known ones would be answered from memory
	var out bytes.Buffer
	java.Stdout, java.Stderr = &out, &out
	if err := java.Run(); err != nil {
		return fmt.Errorf("bare loop: %w\n%s", err, &out)
	}
	return nil
}

func (b *jobBench) job(ctx context.Context, round int) error {
	id, err := b.flink.RunJar(ctx, b.jar, flinkrest.Run{
		EntryClass: "dev.drey.flink.jobs.FraudJob", Parallelism: 1,
		Args: []string{
			"--input", "generated", "--events", strconv.Itoa(jobWarmup + jobRecords), "--seed", strconv.Itoa(1000 + round),
			"--output-path", "file://" + filepath.Join(b.cluster.Dir, "out", strconv.Itoa(round)), "--parallelism", "1",
		},
		Config: map[string]string{
			"drey.sidecar.url": "http://" + b.cluster.Sidecar.HTTP, "drey.async.capacity": strconv.Itoa(inFlight),
			"execution.checkpointing.interval": "5 s", "pipeline.object-reuse": "true",
		},
	})
	if err != nil {
		return err
	}
	_, err = awaitJob(ctx, b.flink, id)
	return err
}

// awaitJob waits until a job has finished; any other end is an error.
func awaitJob(ctx context.Context, flink *flinkrest.Client, id string) (flinkrest.Job, error) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		job, err := flink.Job(ctx, id)
		if err != nil && !flinkrest.IsUnavailable(err) {
			return job, err
		}
		if job.State.Ended() {
			if job.State == flinkrest.Finished {
				return job, nil
			}
			cause, _ := flink.RootCause(ctx, id)
			return job, fmt.Errorf("the job is %s: %s", job.State, cause)
		}
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-ticker.C:
		}
	}
}
