// Package rules is the built-in function "rules": a set of CEL expressions in a YAML file that people may change while
// the sidecar serves. A change is taken over as a whole or not at all: a file with an error leaves the old set in force
// and says so in a metric, in the log and in /v1/status.
package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// FunctionName is the name the rule set answers to.
const FunctionName = "rules"

// Config says where the rules are.
type Config struct {
	File      string `yaml:"file" doc:"YAML file of CEL rules, served as the function \"rules\" and reloaded when it changes or on SIGHUP; empty = no such function"`
	CostLimit uint64 `yaml:"cost_limit" doc:"the most one rule may cost for one event, in CEL cost units (about one a step); more is an error of the function"`
}

// DefaultConfig has no file, and room for rules far larger than sensible ones.
func DefaultConfig() Config { return Config{CostLimit: 100_000} }

// Validate names what cannot work.
func (c Config) Validate() error {
	if c.CostLimit == 0 {
		return fmt.Errorf("cost_limit: 0, must be positive")
	}
	return nil
}

// Observer is told of each attempt to load the file.
type Observer interface {
	// Reloaded is called after each attempt; version is that of the set now in force.
	Reloaded(ok bool, version string)
}

// Status says which rules are in force.
type Status struct {
	File      string    `json:"file"`
	Version   string    `json:"version"`
	Rules     int       `json:"rules"`
	LoadedAt  time.Time `json:"loaded_at"`
	LastError string    `json:"last_error,omitempty"` // of the newest attempt; the set above is older then
	FailedAt  time.Time `json:"failed_at,omitzero"`
}

// Rules is the rule set in force. It is safe for concurrent use.
type Rules struct {
	cfg Config
	log *slog.Logger
	obs Observer
	set atomic.Pointer[set]

	mu     sync.Mutex // one load at a time
	status Status
}

// New loads the file, which must be good: there is no older set to fall back on.
func New(cfg Config, log *slog.Logger, obs Observer) (*Rules, error) {
	r := &Rules{cfg: cfg, log: log, obs: obs, status: Status{File: cfg.File}}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload reads the file and puts its rules in force, or keeps the old ones and returns what is wrong with it.
func (r *Rules) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	loaded, err := r.load()
	if err != nil {
		r.status.LastError, r.status.FailedAt = err.Error(), time.Now()
		r.obs.Reloaded(false, r.status.Version)
		return err
	}
	if old := r.set.Load(); old == nil || old.version != loaded.version {
		r.log.Info("rules loaded", "file", r.cfg.File, "version", loaded.version, "rules", len(loaded.rules))
	}
	r.set.Store(loaded)
	r.status = Status{File: r.cfg.File, Version: loaded.version, Rules: len(loaded.rules), LoadedAt: time.Now()}
	r.obs.Reloaded(true, loaded.version)
	return nil
}

func (r *Rules) load() (*set, error) {
	source, err := os.ReadFile(r.cfg.File)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	loaded, err := compile(source, r.cfg.CostLimit)
	if err != nil {
		return nil, fmt.Errorf("rules %s: %w", r.cfg.File, err)
	}
	return loaded, nil
}

// Status returns which rules are in force.
func (r *Rules) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// settle is how long the file must be quiet before it is read: editors write in several steps.
const settle = 100 * time.Millisecond

// Run reloads the file whenever it changes, until the context ends. It watches the folder, since editors and Kubernetes
// replace the file instead of writing to it.
func (r *Rules) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch rules: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(r.cfg.File)); err != nil {
		return fmt.Errorf("watch rules: %w", err)
	}
	r.reloadAndLog() // what changed between New and the watch
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-watcher.Events:
			// Nothing else in the folder matters, or a busy one would never be quiet; names with two dots are how Kubernetes replaces files.
			if name := filepath.Base(e.Name); name == filepath.Base(r.cfg.File) || strings.HasPrefix(name, "..") {
				quiet.Reset(settle)
			}
		case err := <-watcher.Errors:
			r.log.Warn("watching rules", "file", r.cfg.File, "error", err)
			quiet.Reset(settle) // events may be lost: look again
		case <-quiet.C:
			r.reloadAndLog()
		}
	}
}

func (r *Rules) reloadAndLog() {
	before := r.Status().LastError
	if err := r.Reload(); err != nil && err.Error() != before {
		r.log.Error("rules not reloaded, the old ones stay in force", "file", r.cfg.File, "error", err, "version", r.Status().Version)
	}
}

// Register adds the function "rules" to the registry.
func (r *Rules) Register(reg *udf.Registry) {
	udf.Raw(reg, FunctionName, r.decide, udf.Doc("the CEL rules of "+filepath.Base(r.cfg.File)))
}

func (r *Rules) decide(ctx context.Context, event []byte) ([]byte, error) {
	var value any
	if err := json.Unmarshal(event, &value); err != nil {
		return nil, &udf.InputError{Violations: []udf.Violation{{Field: "event", Message: err.Error()}}}
	}
	d, err := r.set.Load().decide(ctx, value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Score    float64  `json:"score"`
		Decision string   `json:"decision"`
		Reasons  []string `json:"reasons"`
		Rules    []string `json:"rules"`
		Version  string   `json:"version"`
	}(d))
}
