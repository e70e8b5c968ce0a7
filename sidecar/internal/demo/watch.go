package demo

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

// watch follows a running job: it notes the checkpoints while Flink still has them, and shows a line of progress.
type watch struct {
	demo        *demo
	checkpoints map[int64]string // id -> path, of all that were seen completed
	order       []int64
	state       flinkrest.State
	decisions   *decisions
	lastLine    time.Time
	lastRead    int64
	lastWidth   int
}

const pollInterval = 250 * time.Millisecond

// follow returns the decisions when the job has finished, or, with Keep, when all of them are committed.
func (w *watch) follow(ctx context.Context) (*decisions, error) {
	w.decisions = newDecisions(w.demo.out)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	started := time.Now()
	for {
		job, err := w.demo.flink.Job(ctx, w.demo.job)
		if err != nil {
			return nil, err
		}
		w.state = job.State
		if err := w.demo.cluster.Dead(); err != nil { // Flink would wait for it to come back for minutes
			w.endLine()
			return nil, err
		}
		w.noteCheckpoints(ctx)
		w.progress(ctx, job, started)
		switch job.State {
		case flinkrest.Finished:
			w.lastCheckpoint(ctx)
			w.endLine()
			return w.decisions, w.decisions.read()
		case flinkrest.Failed, flinkrest.Canceled:
			w.endLine()
			cause, err := w.demo.flink.RootCause(ctx, w.demo.job)
			if err != nil {
				cause = err.Error()
			}
			return nil, fmt.Errorf("the job is %s: %s", job.State, cause)
		}
		if w.demo.Keep {
			if err := w.decisions.read(); err != nil {
				return nil, err
			}
			if w.decisions.total() >= w.demo.Events && len(w.checkpoints) > 0 {
				w.endLine()
				return w.decisions, nil
			}
		}
		select {
		case <-ctx.Done():
			w.endLine()
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// lastCheckpoint waits for the one that a job makes when it ends. Flink's answers are up to half a second old (see the
// cluster's web.refresh-interval), and a quick job has no other.
func (w *watch) lastCheckpoint(ctx context.Context) {
	for end := time.Now().Add(4 * time.Second); len(w.checkpoints) == 0 && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(pollInterval)
		w.noteCheckpoints(ctx)
	}
}

func (w *watch) noteCheckpoints(ctx context.Context) {
	stats, err := w.demo.flink.Checkpoints(ctx, w.demo.job)
	if err != nil {
		return // 500 while the job initialises: the next round will tell
	}
	for i := len(stats.History) - 1; i >= 0; i-- {
		w.note(stats.History[i])
	}
	if c := stats.Latest.Completed; c != nil {
		w.note(*c)
	}
}

func (w *watch) note(c flinkrest.Checkpoint) {
	if _, seen := w.checkpoints[c.ID]; c.Completed() && !seen {
		w.checkpoints[c.ID] = c.ExternalPath
		w.order = append(w.order, c.ID)
	}
}

// progress writes the line; on a terminal over the last one, elsewhere every few seconds.
func (w *watch) progress(ctx context.Context, job flinkrest.Job, started time.Time) {
	every := 3 * time.Second
	if w.demo.Live {
		every = pollInterval
	}
	since := time.Since(w.lastLine)
	if since < every {
		return
	}
	var in, done int64
	p99 := "-"
	for i, v := range job.Vertices {
		if i == 0 {
			in = v.Metrics.WriteRecords
		}
		switch {
		case w.demo.Via == HTTP && strings.Contains(v.Name, "go-"+w.demo.input.function):
			in = max(in, v.Metrics.ReadRecords)
			done, p99 = w.operator(ctx, v)
		case w.demo.Via != HTTP && strings.Contains(v.Name, "decisions-to-json"):
			// In this chain of operators a record that was read is decided.
			in, done = max(in, v.Metrics.ReadRecords), v.Metrics.ReadRecords
		}
	}
	rate := 0.0
	if !w.lastLine.IsZero() {
		rate = float64(done-w.lastRead) / since.Seconds()
	}
	w.lastLine, w.lastRead = time.Now(), done
	line := fmt.Sprintf("  %3.0f s  %-8s  events %d/%d  decisions/s %.0f  p99 %s  checkpoints %d",
		time.Since(started).Seconds(), job.State, min(in, w.demo.Events), w.demo.Events, max(rate, 0), p99, len(w.checkpoints))
	if w.demo.Live {
		fmt.Fprintf(w.demo.Out, "\r%-*s", w.lastWidth, line)
		w.lastWidth = len(line)
		return
	}
	fmt.Fprintln(w.demo.Out, line)
}

func (w *watch) endLine() {
	if w.demo.Live && w.lastWidth > 0 {
		fmt.Fprintln(w.demo.Out)
	}
}

// operator asks the async operator's own metrics, summed over its subtasks (for p99: the worst). They may not be there
// yet; then the line shows a dash.
func (w *watch) operator(ctx context.Context, v flinkrest.Vertex) (requests int64, p99 string) {
	var names []string
	for i := range v.Parallelism {
		prefix := strconv.Itoa(i) + ".go-" + w.demo.input.function + ".drey."
		names = append(names, prefix+"requests", prefix+"latencyMicros_p99")
	}
	values, err := w.demo.flink.Metrics(ctx, w.demo.job, v.ID, names...)
	if err != nil {
		return 0, "-"
	}
	var worst float64
	for name, value := range values {
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		if strings.HasSuffix(name, "requests") {
			requests += int64(number)
		} else {
			worst = max(worst, number)
		}
	}
	if worst == 0 {
		return requests, "-"
	}
	return requests, fmt.Sprintf("%.1f ms", worst/1000)
}
