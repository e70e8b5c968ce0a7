package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
)

// The names of the watcher's metrics. They are there only while it is on.
const (
	nameCopyAge   = "drey_checkpoint_copy_age"  // by job: what an alert is set on
	nameWaiting   = "drey_checkpoint_waiting"   // by job
	nameLeads     = "drey_watch_leads"          // 1 while this sidecar copies
	nameFlinkUp   = "drey_flink_up"             // 1 while Flink answers
	nameFinished  = "drey_checkpoints_finished" // by result
	nameCopyLag   = "drey_checkpoint_copy_lag"  // histogram
	nameCopyBytes = "drey_checkpoint_copied"    // in bytes
	nameMissed    = "drey_checkpoints_missed"   // came and went unseen
	nameRestored  = "drey_job_restores"         // restores that were noticed
	resultPartial = "incomplete"                // of nameFinished: copied, and objects are missing
)

// lagBuckets in seconds: from a checkpoint that is all in _metadata to gigabytes over a slow line.
var lagBuckets = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// results are the values of the label result.
var results = map[checkpoint.State]string{
	checkpoint.Copied: "copied", checkpoint.Failed: "failed", checkpoint.Gone: "gone", checkpoint.Dropped: "dropped",
}

type checkpointMetrics struct {
	flinkUp   metric.Int64Gauge
	finished  metric.Int64Counter
	lag       metric.Float64Histogram
	copyBytes metric.Int64Counter
	missed    metric.Int64Counter
	restored  metric.Int64Counter
}

// ReadCheckpoints calls each for every running job, with the age of its newest complete copy and the number of checkpoints that
// wait to be copied. It says whether this sidecar is the one that copies.
type ReadCheckpoints func(each func(job, name string, age time.Duration, waiting int)) (leads bool)

// WatchCheckpoints makes the watcher's metrics appear; the gauges among them are read when somebody asks for the metrics. It is
// called once, before anything is observed.
func (m *Metrics) WatchCheckpoints(read ReadCheckpoints) error {
	meter := m.provider.Meter(meterName)
	var errs firstError
	var err error
	m.flinkUp, err = meter.Int64Gauge(nameFlinkUp, metric.WithDescription("1 if a JobManager answered the last poll"))
	errs.note(err)
	m.finished, err = meter.Int64Counter(nameFinished, metric.WithDescription("checkpoints by what became of them; one that failed is tried again"))
	errs.note(err)
	m.lag, err = meter.Float64Histogram(nameCopyLag, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(lagBuckets...),
		metric.WithDescription("time from when a checkpoint was first heard of to its verified copy"))
	errs.note(err)
	m.copyBytes, err = meter.Int64Counter(nameCopyBytes, metric.WithUnit("By"), metric.WithDescription("size of the copies that were made"))
	errs.note(err)
	m.missed, err = meter.Int64Counter(nameMissed, metric.WithDescription("checkpoints that Flink forgot before they were seen"))
	errs.note(err)
	m.restored, err = meter.Int64Counter(nameRestored, metric.WithDescription("restores of jobs that were noticed"))
	errs.note(err)
	age, err := meter.Float64ObservableGauge(nameCopyAge, metric.WithUnit("s"),
		metric.WithDescription("how old the state in the newest complete copy of a running job is; without a copy, how long the job runs"))
	errs.note(err)
	waiting, err := meter.Int64ObservableGauge(nameWaiting, metric.WithDescription("checkpoints that wait to be copied"))
	errs.note(err)
	leads, err := meter.Int64ObservableGauge(nameLeads, metric.WithDescription("1 if this sidecar copies, 0 if another one holds the lease"))
	errs.note(err)
	if errs.err != nil {
		return errs.err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(leads, oneIf(read(func(job, name string, d time.Duration, n int) {
			of := metric.WithAttributes(attribute.String("job", job), attribute.String("name", name))
			o.ObserveFloat64(age, d.Seconds(), of)
			o.ObserveInt64(waiting, int64(n), of)
		})))
		return nil
	}, age, waiting, leads)
	if err != nil {
		return fmt.Errorf("metric: %w", err)
	}
	ctx := context.Background()
	for _, result := range results {
		m.finished.Add(ctx, 0, byResult(result))
	}
	m.finished.Add(ctx, 0, byResult(resultPartial))
	m.missed.Add(ctx, 0)
	m.copyBytes.Add(ctx, 0)
	m.restored.Add(ctx, 0)
	return nil
}

func byResult(result string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("result", result))
}

// FlinkAsked implements checkpoint.Observer.
func (m *Metrics) FlinkAsked(ok bool) { m.flinkUp.Record(context.Background(), oneIf(ok)) }

// CheckpointFinished implements checkpoint.Observer.
func (m *Metrics) CheckpointFinished(state checkpoint.State, complete bool, bytes int64, lag time.Duration) {
	ctx, result := context.Background(), results[state]
	if state == checkpoint.Copied {
		m.lag.Record(ctx, lag.Seconds())
		m.copyBytes.Add(ctx, bytes)
		if !complete {
			result = resultPartial
		}
	}
	m.finished.Add(ctx, 1, byResult(result))
}

// CheckpointsMissed implements checkpoint.Observer.
func (m *Metrics) CheckpointsMissed(n int) { m.missed.Add(context.Background(), int64(n)) }

// JobRestored implements checkpoint.Observer.
func (m *Metrics) JobRestored() { m.restored.Add(context.Background(), 1) }

// firstError keeps the first of several errors.
type firstError struct{ err error }

func (f *firstError) note(err error) {
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("metric: %w", err)
	}
}
