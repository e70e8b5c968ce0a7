package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/dir"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// benchAudit compares deciding again with a job that decides, as fast as it can, with the same function.
func benchAudit(ctx context.Context, r *Report, folder string, sizes stateSizes) (err error) {
	binary, err := buildSubject(ctx, folder)
	if err != nil {
		return err
	}
	log := filepath.Join(folder, "decisions")
	sidecar, err := startSidecar(ctx, folder, binary, append(stateFlags(folder, true), "--decisions-dir", log)...)
	if err != nil {
		return err
	}
	defer sidecar.stop()
	s, err := openServed(ctx, sidecar, "bench")
	if err != nil {
		return err
	}
	var c calls
	if _, err := c.run(ctx, load{addr: s.addr, connections: connections, calls: 2 * stateKeys}, s.request); err != nil {
		return err
	}
	reference, err := s.mark(ctx, false)
	if err != nil {
		return err
	}
	checkpoint := s.epoch.Load()
	// Checkpoints in between, as a job takes them: else all answers would be kept.
	var decided int64
	for decided < sizes.decisions {
		got, err := c.run(ctx, load{addr: s.addr, connections: connections, calls: min(sizes.decisions-decided, 100_000)}, s.request)
		if err != nil {
			return err
		}
		decided += int64(len(got.samples))
		if _, err := s.mark(ctx, false); err != nil {
			return err
		}
	}
	sidecar.stop() // with everything in the log

	store, err := dir.Open(filepath.Join(folder, "store"))
	if err != nil {
		return err
	}
	defer store.Close()
	registry := udf.NewRegistry()
	counter.Register(registry)
	metrics, err := telemetry.NewMetrics("bench")
	if err != nil {
		return err
	}
	config := evaluate.DefaultConfig()
	config.DefaultFunction = "count"
	functions, err := evaluate.New(config, registry, nil, metrics)
	if err != nil {
		return err
	}
	auditor := replay.Auditor{
		Job: "bench", Checkpoint: checkpoint, Most: 10, Snapshots: store, Decisions: decisions.NewReader(log), Functions: functions,
		Operators: []replay.OperatorState{{Operator: "op", MaxParallelism: stateGroups, References: []segment.Reference{reference}}},
	}
	start := time.Now()
	found, err := auditor.Run(ctx)
	if err != nil {
		return err
	}
	took := time.Since(start)
	if found.Decisions != decided || found.Different > 0 || found.Displaced > 0 {
		return fmt.Errorf("of %d decisions %d were made again, %d came out in another way, %d from another state", decided, found.Decisions, found.Different, found.Displaced)
	}
	inner := filepath.Join(folder, "cluster")
	if err := os.Mkdir(inner, 0o755); err != nil {
		return err
	}
	var rate float64
	if err := withCountJob(ctx, inner, 0, time.Second, func(flink *flinkrest.Client, job, sidecar string) (err error) {
		rate, err = jobRate(ctx, sidecar, sizes)
		return err
	}); err != nil {
		return err
	}
	r.more(Case{
		Case: fmt.Sprintf("audit of %d decisions", decided), Against: "CountJob on a cluster, as fast as it goes", Unit: "decisions/s", Goal: 5,
		Ours: float64(decided) / took.Seconds(), Theirs: rate,
		Note: "the same function; the job has two subtasks, a local log, a decision log, and a checkpoint every second. The audit reads the log of a sidecar, and found no difference",
	})
	return nil
}

// jobRate is how many calls a second a sidecar answers, once a job runs well.
func jobRate(ctx context.Context, sidecar string, sizes stateSizes) (float64, error) {
	calls := func() (int64, error) {
		answer, err := http.Get("http://" + sidecar + "/v1/status")
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		var status evaluate.Status
		if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
			return 0, err
		}
		for _, f := range status.Functions {
			if f.Name == "count" {
				return f.Calls, nil
			}
		}
		return 0, nil
	}
	var counts [2]int64
	var times [2]time.Time
	for i := range counts {
		select {
		case <-time.After(sizes.jobTime / 2):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		var err error
		if counts[i], err = calls(); err != nil {
			return 0, err
		}
		times[i] = time.Now()
	}
	if counts[0] == 0 {
		return 0, errors.New("the job has made no calls yet")
	}
	return float64(counts[1]-counts[0]) / times[1].Sub(times[0]).Seconds(), nil
}

// withCountJob runs CountJob on a real cluster; rate is its records a second, 0 for as many as there can be, and interval that of its
// checkpoints.
func withCountJob(ctx context.Context, folder string, rate int, interval time.Duration, do func(flink *flinkrest.Client, job, sidecar string) error) error {
	root, err := cluster.Root()
	if err != nil {
		return err
	}
	c, _, err := cluster.Up(ctx, cluster.Options{Dir: folder, Slots: 2, Tied: true, AnyPorts: true, Progress: func(text string) { say("%s", text) }})
	if err != nil {
		return err
	}
	defer func() { _, _ = cluster.Down(context.WithoutCancel(ctx), folder) }()
	flags := append(stateFlags(filepath.Join(folder, "state"), true), "--log-level", "warn", "--decisions-dir", filepath.Join(folder, "decisions"))
	if _, err := c.StartSidecar(ctx, filepath.Join(root, ".drey", "bin", "drey"), flags...); err != nil {
		return err
	}
	flink := flinkrest.New(c.Flink)
	jar, err := flink.UploadJar(ctx, filepath.Join(root, "flink-jobs", "target", "flink-jobs.jar"))
	if err != nil {
		return fmt.Errorf("%w; build the jobs with scripts/build", err)
	}
	job, err := flink.RunJar(ctx, jar, flinkrest.Run{
		EntryClass: "dev.drey.flink.jobs.CountJob", Parallelism: 2,
		Args: []string{"--rate", fmt.Sprint(rate), "--keys", "1000", "--output-path", "file://" + filepath.Join(folder, "out"), "--parallelism", "2"},
		Config: map[string]string{
			"drey.sidecar.url": "http://" + c.Sidecar.HTTP, "execution.checkpointing.interval": fmt.Sprintf("%d ms", interval.Milliseconds()), "drey.async.capacity": "200",
		},
	})
	if err != nil {
		return err
	}
	return do(flink, job, c.Sidecar.HTTP)
}

// benchMark asks a job how long its barriers have held the task thread.
func benchMark(ctx context.Context, r *Report, folder string, sizes stateSizes) error {
	return withCountJob(ctx, folder, 2000, 200*time.Millisecond, func(flink *flinkrest.Client, job, _ string) error {
		return awaitMarks(ctx, r, flink, job, sizes)
	})
}

func awaitMarks(ctx context.Context, r *Report, flink *flinkrest.Client, job string, sizes stateSizes) error {
	// The histogram has the last minute, so after more than one it is that of a warm JVM. With one checkpoint a second the p99 would be the
	// longest of 60: whatever disturbed the machine in that minute.
	// Flink's metrics are some seconds old, and are not there at first.
	select {
	case <-time.After(sizes.jobTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if found, err := marksOf(ctx, r, flink, job); found || err != nil {
			return err
		}
	}
	return fmt.Errorf("the job %s tells of no marks", job)
}

// marksOf adds what the operator tells of its marks, if it does.
func marksOf(ctx context.Context, r *Report, flink *flinkrest.Client, job string) (found bool, err error) {
	running, err := flink.Job(ctx, job)
	if err != nil {
		return false, err
	}
	for _, v := range running.Vertices {
		prefix := "0.go-count.drey.markMicros_"
		values, err := flink.Metrics(ctx, job, v.ID, prefix+"p99", prefix+"median", prefix+"max", "0.go-count.drey.durableMillis_median")
		if err != nil || values[prefix+"p99"] == "" {
			continue
		}
		var p50, p99, most float64
		for name, into := range map[string]*float64{"median": &p50, "p99": &p99, "max": &most} {
			if _, err := fmt.Sscan(values[prefix+name], into); err != nil {
				return false, fmt.Errorf("%s: %q: %w", name, values[prefix+name], err)
			}
		}
		r.less(Case{
			Case: "task thread held by a mark, p99", Against: "goal", Unit: "ms", Goal: 1, Ours: p99 / 1000, Theirs: 2,
			Note: fmt.Sprintf("Flink, 2,000 records/s, five checkpoints a second: median %.2f ms, the longest of the last minute %.2f ms; the snapshot was in the store after %s ms (median)",
				p50/1000, most/1000, values["0.go-count.drey.durableMillis_median"]),
		})
		return true, nil
	}
	return false, nil
}
