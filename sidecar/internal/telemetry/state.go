package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics of state.
const (
	nameSessions        = "drey_state_sessions"
	namePendingBarriers = "drey_state_pending_barriers" // whose snapshots are not in the store: what an alert is set on
	nameStateKeys       = "drey_state_keys"
	nameStateSize       = "drey_state_size"
	nameSnapshotBytes   = "drey_state_snapshot" // in bytes
	nameSnapshotTime    = "drey_state_snapshot_duration"
	nameSnapshotsMissed = "drey_state_snapshots_missed"
	nameAnswersFull     = "drey_state_answers_full"
)

type stateMetrics struct {
	snapshotBytes  metric.Int64Counter
	snapshotTime   metric.Float64Histogram
	snapshotMissed metric.Int64Counter
	answersFull    metric.Int64Counter
}

// WatchState makes the metrics of state appear; read is asked whenever somebody asks for the metrics. It is called once, before
// anything is observed.
func (m *Metrics) WatchState(read func() (sessions, pending int, keys, bytes int64)) error {
	meter := m.provider.Meter(meterName)
	var errs firstError
	var err error
	m.snapshotBytes, err = meter.Int64Counter(nameSnapshotBytes, metric.WithUnit("By"), metric.WithDescription("what snapshots of state have added to the store"))
	errs.note(err)
	m.snapshotTime, err = meter.Float64Histogram(nameSnapshotTime, metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(lagBuckets...),
		metric.WithDescription("time from a mark to its snapshot in the store"))
	errs.note(err)
	m.snapshotMissed, err = meter.Int64Counter(nameSnapshotsMissed, metric.WithDescription("snapshots that were not made, so that a checkpoint failed; not those that Flink aborted"))
	errs.note(err)
	m.answersFull, err = meter.Int64Counter(nameAnswersFull, metric.WithDescription("requests that were refused for the time being, since too many answers are stored"))
	errs.note(err)
	sessions, err := meter.Int64ObservableGauge(nameSessions, metric.WithDescription("sessions of subtasks"))
	errs.note(err)
	pending, err := meter.Int64ObservableGauge(namePendingBarriers, metric.WithDescription("barriers whose snapshots are not in the store"))
	errs.note(err)
	keys, err := meter.Int64ObservableGauge(nameStateKeys, metric.WithDescription("values of all sessions"))
	errs.note(err)
	size, err := meter.Int64ObservableGauge(nameStateSize, metric.WithUnit("By"), metric.WithDescription("keys and values of all sessions"))
	errs.note(err)
	if errs.err != nil {
		return errs.err
	}
	if _, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n, waiting, values, bytes := read()
		o.ObserveInt64(sessions, int64(n))
		o.ObserveInt64(pending, int64(waiting))
		o.ObserveInt64(keys, values)
		o.ObserveInt64(size, bytes)
		return nil
	}, sessions, pending, keys, size); err != nil {
		return fmt.Errorf("metric: %w", err)
	}
	m.snapshotBytes.Add(context.Background(), 0)
	m.snapshotMissed.Add(context.Background(), 0)
	m.answersFull.Add(context.Background(), 0)
	return nil
}

// SnapshotWritten tells of a snapshot that is in the store.
func (m *Metrics) SnapshotWritten(bytes int64, took time.Duration) {
	m.snapshotBytes.Add(context.Background(), bytes)
	m.snapshotTime.Record(context.Background(), took.Seconds())
}

// SnapshotMissed tells of one that will not be made.
func (m *Metrics) SnapshotMissed() { m.snapshotMissed.Add(context.Background(), 1) }

// AnswersFull tells of a request that found no room for its answer.
func (m *Metrics) AnswersFull() { m.answersFull.Add(context.Background(), 1) }
