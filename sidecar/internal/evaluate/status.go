package evaluate

import (
	"cmp"
	"slices"

	"github.com/drey-flink/drey/udf-bridge/invoke"
)

// Status is the state of the service at a moment, for people and for GET /v1/status.
type Status struct {
	Draining        bool             `json:"draining"`
	DefaultFunction string           `json:"default_function"`
	InFlight        int              `json:"in_flight"`
	MaxInFlight     int              `json:"max_in_flight"`
	Queued          int              `json:"queued"`
	MaxQueued       int              `json:"max_queued"`
	ShedTotal       int64            `json:"shed_total"`
	ReplayedTotal   int64            `json:"replayed_total"`
	Remembered      Remembered       `json:"remembered"`
	Functions       []FunctionStatus `json:"functions"`
}

// Remembered is the state of the idempotency store.
type Remembered struct {
	Entries    int   `json:"entries"`
	MaxEntries int   `json:"max_entries"`
	Bytes      int64 `json:"bytes"`
	MaxBytes   int64 `json:"max_bytes"`
}

// FunctionStatus is the state of one function.
type FunctionStatus struct {
	Name string `json:"name"`
	invoke.Stats
}

// Status returns the present state.
func (s *Service) Status() Status {
	entries, bytes := s.answers.Size()
	status := Status{
		Draining: s.draining.Load(), DefaultFunction: s.cfg.DefaultFunction,
		InFlight: s.limiter.InFlight(), MaxInFlight: s.cfg.Admission.MaxInFlight,
		Queued: s.limiter.Waiting(), MaxQueued: s.cfg.Admission.Queue,
		ShedTotal: s.shed.Load(), ReplayedTotal: s.replayed.Load(),
		Remembered: Remembered{
			Entries: entries, MaxEntries: s.cfg.Idempotency.MaxEntries,
			Bytes: bytes, MaxBytes: s.cfg.Idempotency.MaxBytes,
		},
		Functions: make([]FunctionStatus, 0, len(s.guards)),
	}
	for name, g := range s.guards {
		status.Functions = append(status.Functions, FunctionStatus{Name: name, Stats: g.Stats()})
	}
	slices.SortFunc(status.Functions, func(a, b FunctionStatus) int { return cmp.Compare(a.Name, b.Name) })
	return status
}
