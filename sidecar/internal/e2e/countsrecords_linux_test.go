package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// counted is one record that came out.
type counted struct {
	key             string
	id, count, life int
}

// checkCounts compares what came out with the model: of each event, the last life that it came out of counts. There, the events
// are all from 0 on, and the counts of each key are 1..n, in some order: several of a key may be in flight. No life has an event
// twice.
func (w *counts) checkCounts() {
	w.t.Helper()
	records := w.records()
	last := map[int]counted{}
	for _, r := range records {
		if r.key != fmt.Sprint("key-", r.id%countedKeys) {
			w.t.Errorf("event %d came out with key %s", r.id, r.key)
		}
		before, seen := last[r.id]
		if seen && before.life == r.life {
			w.t.Errorf("event %d came out twice in life %d, with the counts %d and %d", r.id, r.life, before.count, r.count)
		}
		if !seen || before.life < r.life {
			last[r.id] = r
		}
	}
	byKey := map[string][]int{}
	for id := range len(last) {
		r, ok := last[id]
		if !ok {
			w.t.Fatalf("event %d did not come out, others of %d did", id, len(last))
		}
		byKey[r.key] = append(byKey[r.key], r.count)
	}
	if len(byKey) != countedKeys {
		w.t.Errorf("%d keys came out, want %d", len(byKey), countedKeys)
	}
	wrong := 0
	for key, all := range byKey {
		slices.Sort(all)
		for i, n := range all {
			if n != i+1 {
				wrong++
				if wrong <= 10 {
					w.t.Errorf("%s: instead of %d comes %d, of %d", key, i+1, n, len(all))
				}
				break
			}
		}
	}
	if wrong > 0 {
		w.t.Errorf("the counts of %d keys are wrong", wrong)
	}
	w.t.Logf("%d events, each counted once; %d records came out of %d lives", len(last), len(records), w.life)
}

// records reads the committed files.
func (w *counts) records() (all []counted) {
	w.t.Helper()
	err := filepath.WalkDir(filepath.Join(w.c.Dir, "out"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(entry.Name(), "part-") {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			var r counted
			line = strings.TrimSpace(line)
			if _, err := fmt.Sscan(strings.ReplaceAll(line, ",", " "), &r.key, &r.id, &r.count, &r.life); err != nil {
				return fmt.Errorf("%s: %q: %w", path, line, err)
			}
			all = append(all, r)
		}
		return err
	})
	w.must(err)
	return all
}
