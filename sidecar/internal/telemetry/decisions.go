package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics of the decision log.
const (
	nameDecisionsWritten = "drey_decisions_written" // records, notes too
	nameDecisionsLost    = "drey_decisions_lost"    // by reason
	nameDecisionsBytes   = "drey_decisions_segments_bytes"
	nameDecisionsQueued  = "drey_decisions_queued_bytes"
)

// WatchDecisions makes the decision log's metrics appear; read is asked whenever somebody asks for the metrics: records written,
// length of the segments, bytes that wait, and decisions lost by why. It is called once.
func (m *Metrics) WatchDecisions(read func() (written uint64, bytes int64, queued int, lost map[string]uint64)) error {
	meter := m.provider.Meter(meterName)
	var errs firstError
	written, err := meter.Int64ObservableCounter(nameDecisionsWritten, metric.WithDescription("records that were written to the decision log, notes too"))
	errs.note(err)
	lost, err := meter.Int64ObservableCounter(nameDecisionsLost, metric.WithDescription("decisions that were not written to the log, by reason"))
	errs.note(err)
	size, err := meter.Int64ObservableGauge(nameDecisionsBytes, metric.WithDescription("length of all segments of the decision log"))
	errs.note(err)
	queued, err := meter.Int64ObservableGauge(nameDecisionsQueued, metric.WithDescription("decisions that wait to be written, in bytes"))
	errs.note(err)
	if errs.err != nil {
		return errs.err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		records, bytes, waiting, gone := read()
		o.ObserveInt64(written, int64(records))
		o.ObserveInt64(size, bytes)
		o.ObserveInt64(queued, int64(waiting))
		for reason, n := range gone {
			o.ObserveInt64(lost, int64(n), metric.WithAttributes(attribute.String("reason", reason)))
		}
		return nil
	}, written, lost, size, queued)
	if err != nil {
		return fmt.Errorf("metric: %w", err)
	}
	return nil
}
