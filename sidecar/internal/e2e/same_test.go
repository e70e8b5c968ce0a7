package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/demo"
)

// Whichever way the job asks, Go decides the same about each record, to the last bit of the score.
func TestSameDecisionsWhicheverWay(t *testing.T) {
	sidecar := build(t, drey)
	for input, events := range map[string]int64{demo.Walkthrough: 500, demo.Generated: 20_000, demo.Flights: 5_000} {
		t.Run(input, func(t *testing.T) {
			t.Parallel() // mostly it waits for clusters to start
			digests, decided := map[string]string{}, map[string]map[string]string{}
			for _, via := range []string{demo.HTTP, demo.UDF, demo.SQL} {
				digests[via], decided[via] = runDemo(t, demo.Options{
					// In two subtasks, payments of several accounts may reach their device in another order each time; then the
					// events are others, and so may be the decisions.
					Input: input, Via: via, Events: events, Parallelism: 1, Rate: 1_000_000, Seed: 7,
				}, sidecar)
				if int64(len(decided[via])) != events {
					t.Fatalf("%s: %d decisions about %d events", via, len(decided[via]), events)
				}
			}
			for _, via := range []string{demo.UDF, demo.SQL} {
				differ := 0
				for id, want := range decided[demo.HTTP] {
					if got := decided[via][id]; got != want {
						if differ++; differ <= 5 {
							t.Errorf("%s: %s by http, %s by %s", id, want, got, via)
						}
					}
				}
				if differ > 0 || digests[via] != digests[demo.HTTP] {
					t.Errorf("%s: %d of %d decisions differ; digest %s, by http %s", via, differ, events, digests[via], digests[demo.HTTP])
				}
			}
		})
	}
}

// runDemo returns the digest that the report has, and what was decided, by id.
func runDemo(t *testing.T, o demo.Options, sidecar string) (digest string, decided map[string]string) {
	t.Helper()
	var said strings.Builder
	o.Dir, o.Report, o.Out = t.TempDir(), filepath.Join(t.TempDir(), "report.json"), &said
	if o.Via == demo.HTTP {
		o.Sidecar = sidecar
	}
	if err := demo.Run(t.Context(), o); err != nil {
		t.Fatalf("%s: %v\n%s", o.Via, err, &said)
	}
	text, err := os.ReadFile(o.Report)
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Via    string
		Digest string `json:"decisions_digest"`
	}
	if err := json.Unmarshal(text, &report); err != nil || report.Via != o.Via || report.Digest == "" {
		t.Fatalf("%s: %v\n%s", o.Via, err, text)
	}
	decided = map[string]string{}
	files, err := filepath.Glob(filepath.Join(o.Dir, "out", "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var one struct {
				ID       string
				Score    json.Number
				Decision string
				Reasons  []string
			}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
			decided[one.ID] = fmt.Sprintf("%s %s %q", one.Score, one.Decision, one.Reasons)
		}
	}
	return report.Digest, decided
}
