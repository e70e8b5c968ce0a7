package replay

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Settings are the section replay of the configuration.
type Settings struct {
	Enabled        bool     `yaml:"enabled" doc:"take replays at POST /v1/replays; needs watch.flink, and the decision log for audits"`
	Modes          []string `yaml:"modes" doc:"what may be asked for: audit changes nothing; restore changes the state that calls without a session have; job cancels jobs of Flink and submits others, so list it only where nobody else reaches the listener"`
	Dir            string   `yaml:"dir" doc:"folder for replays and their reports; one sidecar each; empty = replays below data_dir"`
	KeepFinished   int      `yaml:"keep_finished" doc:"so many replays that have ended are remembered"`
	MaxDifferences int      `yaml:"max_differences" doc:"so many differences are kept in a report, the first ones; all are counted"`
	Webhooks       []string `yaml:"webhooks" doc:"URLs that are sent each replay that has ended, as JSON"`
	WebhookSecret  string   `yaml:"webhook_secret_file" doc:"file with the secret by which what is sent is signed (X-Drey-Signature); empty = not signed"`
}

// DefaultSettings are off, and harmless when they are on.
func DefaultSettings() Settings {
	return Settings{Modes: []string{string(Audit)}, KeepFinished: 100, MaxDifferences: 1000}
}

// Folder is where replays are kept.
func (s Settings) Folder(dataDir string) string {
	if s.Dir == "" && dataDir != "" {
		return filepath.Join(dataDir, "replays")
	}
	return s.Dir
}

// Validate says everything that is wrong.
func (s Settings) Validate() error {
	var errs []error
	for _, mode := range s.Modes {
		if !slices.Contains([]Mode{Audit, Restore, Job}, Mode(mode)) {
			errs = append(errs, fmt.Errorf("modes: %q, must be audit, restore or job", mode))
		}
	}
	if s.KeepFinished < 1 {
		errs = append(errs, fmt.Errorf("keep_finished: %d, must be at least 1", s.KeepFinished))
	}
	if s.MaxDifferences < 1 {
		errs = append(errs, fmt.Errorf("max_differences: %d, must be at least 1", s.MaxDifferences))
	}
	return errors.Join(errs...)
}
