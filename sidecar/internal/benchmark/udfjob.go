package main

import (
	"context"
	"errors"
	"os"
	"strconv"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// wholeJob is the rate of a bounded job from its start to its end as Flink counts them: the first job of a JobManager and a
// TaskManager that have just been started. Scheduling, the loading of classes and of Go, and the JVM's compiling are in it.
func (u *udfRuns) wholeJob(ctx context.Context, query udfQuery, mode string) (_ float64, err error) {
	dir, err := os.MkdirTemp(u.tmp, "cluster-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	c, _, err := cluster.Up(ctx, cluster.Options{
		Dir: dir, Slots: 1, Tied: true, AnyPorts: true, Lib: []string{u.jar},
		// The job's jar has the bridge's classes too: see docs/udf.md.
		Config: map[string]string{"classloader.parent-first-patterns.additional": "dev.drey."},
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		_, downErr := cluster.Down(context.WithoutCancel(ctx), dir)
		err = errors.Join(err, downErr)
	}()
	flink := flinkrest.New(c.Flink)
	jar, err := flink.UploadJar(ctx, u.jobs)
	if err != nil {
		return 0, err
	}
	rows := query.rows / u.part
	id, err := flink.RunJar(ctx, jar, flinkrest.Run{
		EntryClass:  "dev.drey.flink.jobs.bench.UdfJob",
		Args:        []string{"--case", query.kind, "--mode", mode, "--size", strconv.Itoa(query.size), "--rows", strconv.Itoa(rows)},
		Parallelism: 1,
		Config: map[string]string{
			"pipeline.object-reuse": "true", "execution.checkpointing.interval": "1 h",
			"pipeline.global-job-parameters": "bare:" + u.bare,
		},
	})
	if err != nil {
		return 0, err
	}
	job, err := awaitJob(ctx, flink, id)
	if err != nil {
		return 0, err
	}
	return float64(rows) * 1000 / float64(job.EndTime-job.StartTime), nil
}
