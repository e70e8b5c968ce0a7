package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
)

const (
	watchCPU    = 5.0 // percent of a core
	aloneCopies = 20
	// copyPatience is a limit for what should take seconds.
	copyPatience = 2 * time.Minute
)

// benchWatch measures drey watch, a process of its own, against a scripted JobManager and a real S3 server: the processor time
// that following many jobs takes, and how long it is from a checkpoint's completion in REST to its verified copy.
func benchWatch(ctx context.Context, r *Report, root string, store *objectStore, dir string, sizes checkpointSizes) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	jobs, err := newWatchedJobs(root, store, sizes.jobs)
	if err != nil {
		return err
	}
	defer jobs.end()
	say("uploading the checkpoints of %d jobs", sizes.jobs)
	for i := range jobs.jobs {
		if err := jobs.begin(ctx, i); err != nil {
			return err
		}
	}
	alone, err := jobs.copyAlone(ctx, filepath.Join(dir, "alone"), aloneCopies)
	if err != nil {
		return err
	}
	w, err := startWatch(ctx, root, store, dir, jobs.jm.URL)
	if err != nil {
		return err
	}
	defer w.stop()
	heard := newHeard()
	listening, hangUp := context.WithCancel(ctx)
	defer hangUp()
	lost := make(chan error, 1)
	go func() { lost <- heard.listen(listening, w.addr) }()
	wait := func(what string, n int) error { return heard.await(ctx, lost, w.tied, what, n) }

	say("waiting for the first copy of each job")
	if err := wait("first copies", sizes.jobs); err != nil {
		return err
	}
	say("watching %d jobs for %s, with nothing new", sizes.jobs, sizes.watched)
	quiet, err := w.cpuWhile(func() error { return pauseFor(ctx, sizes.watched) })
	if err != nil {
		return err
	}
	say("watching %d jobs for %s, with a new checkpoint of each every %s", sizes.jobs, sizes.watched, sizes.pace)
	completed := map[checkpointID]time.Time{}
	busy, err := w.cpuWhile(func() error { return jobs.complete(ctx, sizes, completed) })
	if err != nil {
		return err
	}
	if err := wait("copies", sizes.jobs+len(completed)); err != nil {
		return err
	}
	peak, err := peakMemory(strconv.Itoa(w.cmd.Process.Pid))
	if err != nil {
		return err
	}
	interval := checkpoint.DefaultConfig().Interval
	name := fmt.Sprintf("watching %d jobs", sizes.jobs)
	r.less(Case{
		Case: name + ", nothing new, processor time", Against: "goal", Ours: quiet, Theirs: watchCPU, Unit: "% of a core", Goal: 1,
		Note: fmt.Sprintf("over %s, each job is asked every %s", sizes.watched, interval),
	})
	r.less(Case{
		Case: fmt.Sprintf("%s, %.1f copies/s, processor time", name, float64(len(completed))/sizes.watched.Seconds()), Against: "with nothing new",
		Ours: busy, Theirs: quiet, Unit: "% of a core",
		Note: fmt.Sprintf("over %s, a checkpoint of each job every %s, %d files and %.0f kB each; the most memory of the process was %.0f MB",
			sizes.watched, sizes.pace, jobs.files(), float64(jobs.bytes())/1e3, float64(peak)/1e6),
	})
	return heard.report(r, completed, interval, alone)
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// watcher is a running drey watch.
type watcher struct{ *tied }

func startWatch(ctx context.Context, root string, store *objectStore, dir, flink string) (*watcher, error) {
	ready := filepath.Join(dir, "ready.json")
	cmd := exec.CommandContext(ctx, filepath.Join(root, ".drey", "bin", "drey"), "watch",
		"--watch-flink", flink, "--watch-dir", filepath.Join(dir, "copies"),
		"--watch-s3-endpoint", store.config.Endpoint, "--watch-s3-region", store.config.Region, "--watch-s3-path-style",
		"--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--drain-delay", "0s", "--ready-file", ready, "--log-level", "warn")
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+store.config.AccessKey, "AWS_SECRET_ACCESS_KEY="+store.config.SecretKey)
	child, err := tie(dir, cmd)
	if err != nil {
		return nil, err
	}
	w := &watcher{child}
	if err := w.awaitReady(ctx, ready); err != nil {
		w.stop()
		if w.cmd.ProcessState.ExitCode() > 0 {
			err = w.died()
		}
		return nil, err
	}
	return w, nil
}

// cpuWhile is how much of a core the watcher uses meanwhile, in percent.
func (w *watcher) cpuWhile(do func() error) (float64, error) {
	pid, begin := w.cmd.Process.Pid, time.Now()
	before, err := cpuSeconds(pid)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpuSeconds(pid)
	return 100 * (after - before) / time.Since(begin).Seconds(), err
}

// complete completes checkpoints at a steady rate, at moments that have nothing to do with those of the watcher's polls.
func (j *watchedJobs) complete(ctx context.Context, sizes checkpointSizes, completed map[checkpointID]time.Time) error {
	gap := sizes.pace / time.Duration(sizes.jobs)
	random := rand.New(rand.NewPCG(4711, 0))
	order := random.Perm(sizes.jobs) // always the same: of two that a job completes within one poll the watcher may drop the older
	for begin, n := time.Now(), 0; ; n++ {
		due := begin.Add(time.Duration(n)*gap + time.Duration(random.Int64N(int64(gap))))
		if due.Sub(begin) >= sizes.watched {
			return pauseFor(ctx, time.Until(begin.Add(sizes.watched)))
		}
		job := order[n%len(order)]
		if err := j.upload(ctx, job, j.last[job]+1); err != nil {
			return err
		}
		if err := pauseFor(ctx, time.Until(due)); err != nil {
			return err
		}
		at := time.Now()
		completed[checkpointID{j.jobs[job].ID, j.next(job)}] = at
	}
}

// report compares the delays of the copies with one interval and the time of a copy alone.
func (h *heard) report(r *Report, completed map[checkpointID]time.Time, interval time.Duration, alone float64) error {
	if len(completed) == 0 {
		return errors.New("no checkpoint was completed while watching")
	}
	var delays, seen []float64
	for id, at := range completed {
		delays = append(delays, h.at(checkpoint.EventCopied, id).Sub(at).Seconds())
		seen = append(seen, h.at(checkpoint.EventCompleted, id).Sub(at).Seconds())
	}
	most := interval.Seconds() + alone
	late := 0
	for _, d := range delays {
		if d > most {
			late++
		}
	}
	r.less(Case{
		Case: "completed in REST to a verified copy, p99", Against: "one interval and the copy alone", Unit: "s", Goal: 1,
		Ours: quantile(delays, 0.99), Theirs: most,
		Note: fmt.Sprintf("until its event reaches a client; %d checkpoints: p50 %.2f s, p90 %.2f s, slowest %.2f s, %d above the limit; until the poll that "+
			"saw it p50 %.2f s, slowest %.2f s; a copy alone takes %.0f ms",
			len(delays), quantile(delays, 0.5), quantile(delays, 0.9), quantile(delays, 1), late, quantile(seen, 0.5), quantile(seen, 1), alone*1e3),
	})
	return nil
}
