package stateful

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// Config is the section state of the configuration.
type Config struct {
	Enabled     bool          `yaml:"enabled" doc:"give functions state: under sessions of Flink, whose checkpoints it comes back with, and in memory for others"`
	Store       string        `yaml:"store" doc:"where snapshots go, as s3://bucket/prefix or file:///folder; every sidecar of a job needs the same; empty = no sessions"`
	S3          s3.Config     `yaml:"s3" doc:"how the S3 server of state.store is reached"`
	Folder      string        `yaml:"folder" doc:"local folder for logs, from which a sidecar that was killed comes back with its sessions; one sidecar each; empty = memory only, Flink restores then, and a snapshot is put together in memory before it is stored"`
	IdleTimeout time.Duration `yaml:"idle_timeout" doc:"sessions of which nothing was heard for so long are dropped; 0 = never"`
	MaxPending  int           `yaml:"max_pending" doc:"barriers of a session that may wait for their snapshots; one more, and the oldest is given up"`
	MaxChain    int           `yaml:"max_chain" doc:"increments that a snapshot may be made of before everything is written anew"`
	Uploads     int           `yaml:"uploads" doc:"snapshots that are written at the same time"`
	Parallel    int           `yaml:"parallel" doc:"parts of one state that are loaded at the same time"`
	Compress    bool          `yaml:"compress" doc:"compress snapshots"`
	GC          GC            `yaml:"gc" doc:"removing snapshots that no checkpoint refers to any more; needs watch.flink, for all jobs that use state.store"`
	Limits      Limits        `yaml:"limits" doc:"what one session may hold, and one function without a session"`
}

// GC is when snapshots are removed.
type GC struct {
	Enabled  bool          `yaml:"enabled" doc:"remove them; every job with state in state.store has to be followed by watch.flink"`
	Interval time.Duration `yaml:"interval" doc:"from one look to the next"`
	Grace    time.Duration `yaml:"grace" doc:"how long a snapshot must have been garbage before it goes"`
	After    time.Duration `yaml:"after" doc:"how long a job must have ended before what no checkpoint of it refers to goes"`
}

// Limits bound the state of one session.
type Limits struct {
	Bytes       int64 `yaml:"bytes" doc:"keys and values, in bytes; 0 = no limit"`
	ValueBytes  int   `yaml:"value_bytes" doc:"the longest value, in bytes; 0 = no limit"`
	KeyBytes    int   `yaml:"key_bytes" doc:"the longest key with the name of a value, in bytes; 0 = no limit"`
	AnswerBytes int64 `yaml:"answer_bytes" doc:"stored answers to requests since the last checkpoint, in bytes; one more has to wait for the next one; 0 = no limit"`
}

// DefaultConfig is off.
func DefaultConfig() Config {
	c := session.DefaultConfig()
	return Config{
		IdleTimeout: time.Hour, MaxPending: c.MaxPending, MaxChain: c.MaxChain, Uploads: c.Uploads, Parallel: c.Parallel,
		GC:     GC{Interval: time.Minute, Grace: 10 * time.Minute, After: 24 * time.Hour},
		Limits: Limits{Bytes: 1 << 30, ValueBytes: 4 << 20, KeyBytes: 4 << 10, AnswerBytes: 256 << 20},
	}
}

// Of are the limits as the state knows them.
func (l Limits) Of() statestore.Limits {
	return statestore.Limits{Bytes: l.Bytes, ValueBytes: l.ValueBytes, KeyBytes: l.KeyBytes, AnswerBytes: l.AnswerBytes}
}

// Sessions is the configuration of a manager.
func (c Config) Sessions() session.Config {
	s := session.DefaultConfig()
	s.Folder, s.Limits, s.Compress = c.Folder, c.Limits.Of(), c.Compress
	s.MaxPending, s.MaxChain, s.Uploads, s.Parallel = c.MaxPending, c.MaxChain, c.Uploads, c.Parallel
	if at, err := c.Place(); err == nil && at.IsS3() {
		if prefix := strings.Trim(at.Path, "/"); prefix != "" {
			s.Prefix = prefix + "/"
		}
	}
	return s
}

// Place is Store, parsed.
func (c Config) Place() (metadata.Location, error) {
	at, err := metadata.ParseLocation(strings.TrimRight(c.Store, "/") + "/x")
	if err == nil && !at.IsS3() && !at.IsLocal() {
		err = errors.New("neither S3 nor a local folder")
	}
	at.Path = path.Dir(at.Path)
	return at, err
}

// Validate returns everything that cannot work, joined.
func (c Config) Validate() error {
	var errs []error
	add := func(bad bool, format string, a ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, a...))
		}
	}
	if c.Store != "" {
		_, err := c.Place()
		add(err != nil, "store: %q, must be like s3://bucket/prefix or file:///folder", c.Store)
	}
	add(!c.Enabled && c.Store != "", "store: is set, and state is off; set state.enabled")
	add(c.GC.Enabled && c.Store == "", "gc.enabled: is set, and there is no store; set state.store")
	add(c.GC.Enabled && c.GC.Interval <= 0, "gc.interval: %s, must be positive", c.GC.Interval)
	add(c.GC.Grace < 0, "gc.grace: %s, must not be negative", c.GC.Grace)
	add(c.GC.After < 0, "gc.after: %s, must not be negative", c.GC.After)
	add(c.IdleTimeout < 0, "idle_timeout: %s, must not be negative", c.IdleTimeout)
	for _, v := range []struct {
		name  string
		value int64
		least int64
	}{
		{"max_pending", int64(c.MaxPending), 1}, {"max_chain", int64(c.MaxChain), 1}, {"uploads", int64(c.Uploads), 1}, {"parallel", int64(c.Parallel), 1},
		{"limits.bytes", c.Limits.Bytes, 0}, {"limits.value_bytes", int64(c.Limits.ValueBytes), 0},
		{"limits.key_bytes", int64(c.Limits.KeyBytes), 0}, {"limits.answer_bytes", c.Limits.AnswerBytes, 0},
	} {
		add(v.value < v.least, "%s: %d, must be at least %d", v.name, v.value, v.least)
	}
	if err := c.S3.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("s3.%w", err))
	}
	return errors.Join(errs...)
}
