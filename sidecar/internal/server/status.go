package server

import (
	"time"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/rules"
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
	Rules     *rules.Status `json:"rules,omitempty"`
	LastCrash *Crash        `json:"last_crash,omitempty"`
}

func (s *sidecar) status() Status {
	state := s.state.Load().(string)
	status := Status{
		State: state, Draining: state == "draining", Version: s.Version, StartedAt: s.started, ConfigDigest: s.Config.Digest(),
		Listeners: s.bound, Status: s.service.Status(), LastCrash: s.data.lastCrash(),
	}
	if s.rules != nil {
		r := s.rules.Status()
		status.Rules = &r
	}
	return status
}
