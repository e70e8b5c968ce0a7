package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics of removed snapshots.
const (
	nameGarbage       = "drey_state_gc_removed"
	nameGarbageBytes  = "drey_state_gc" // in bytes
	nameGarbagePutOff = "drey_state_gc_put_off"
)

type garbageMetrics struct {
	garbage       metric.Int64Counter
	garbageBytes  metric.Int64Counter
	garbagePutOff metric.Int64Counter
}

// WatchGarbage makes the metrics of removed snapshots appear. It is called once, before anything is observed.
func (m *Metrics) WatchGarbage() error {
	meter := m.provider.Meter(meterName)
	var errs firstError
	var err error
	m.garbage, err = meter.Int64Counter(nameGarbage, metric.WithDescription("objects of snapshots that were removed, since no checkpoint refers to them"))
	errs.note(err)
	m.garbageBytes, err = meter.Int64Counter(nameGarbageBytes, metric.WithUnit("By"), metric.WithDescription("what was removed"))
	errs.note(err)
	m.garbagePutOff, err = meter.Int64Counter(nameGarbagePutOff, metric.WithDescription("looks for garbage that removed nothing, since something was not known: the log says what"))
	errs.note(err)
	if errs.err == nil {
		m.GarbageCollected(0, 0, false)
	}
	return errs.err
}

// GarbageCollected tells of a look.
func (m *Metrics) GarbageCollected(objects int, bytes int64, putOff bool) {
	m.garbage.Add(context.Background(), int64(objects))
	m.garbageBytes.Add(context.Background(), bytes)
	var n int64
	if putOff {
		n = 1
	}
	m.garbagePutOff.Add(context.Background(), n)
}
