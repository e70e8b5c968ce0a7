package server

import (
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/rules"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/watch"
)

// Status is the document of GET /v1/status.
type Status struct {
	State        string    `json:"state"` // starting, ready or draining
	Draining     bool      `json:"draining"`
	Version      string    `json:"version"`
	StartedAt    time.Time `json:"started_at"`
	ConfigDigest string    `json:"config_digest"`
	Listeners    Bound     `json:"listeners"`
	evaluate.Status
	Rules     *rules.Status     `json:"rules,omitempty"`
	Watch     *watch.Status     `json:"watch,omitempty"`
	Decisions *decisions.Status `json:"decisions,omitempty"`
	Sessions  *session.Stats    `json:"sessions,omitempty"`
	LastCrash *Crash            `json:"last_crash,omitempty"`
}

func (s *sidecar) status() Status {
	state := s.state.Load().(string)
	status := Status{
		State: state, Draining: state == "draining", Version: s.Version, StartedAt: s.started, ConfigDigest: s.Config.Digest(),
		Listeners: s.bound, LastCrash: s.data.lastCrash(), Status: evaluate.Status{Functions: []evaluate.FunctionStatus{}},
	}
	if s.service != nil {
		status.Status = s.service.Status()
	}
	if s.watch != nil {
		w := s.watch.Status()
		status.Watch = &w
	}
	if s.decisions != nil {
		d := s.decisions.Status()
		status.Decisions = &d
	}
	if s.sessions != nil {
		now := s.sessions.Stats()
		status.Sessions = &now
	}
	if s.rules != nil {
		r := s.rules.Status()
		status.Rules = &r
	}
	return status
}
