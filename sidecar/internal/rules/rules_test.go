package rules

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

const good = `
version: test
rules:
  - name: small-then-large
    when: event.amount > 500 && has(event.previousAmount) && event.previousAmount < 1.0
    score: 0.9
    decision: alert
    reason: a small amount, then a large one
  - name: abroad
    when: event.region in ["XX", "YY"]
    score: 0.4
    decision: review
`

// attempts passes on each attempt to load.
type attempts chan bool

func (a attempts) Reloaded(ok bool, _ string) { a <- ok }

func newRules(t *testing.T, source string) (*Rules, string, attempts) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write(t, path, source)
	seen := make(attempts, 100)
	r, err := New(Config{File: path, CostLimit: 1000}, slog.New(slog.DiscardHandler), seen)
	if err != nil {
		t.Fatal(err)
	}
	<-seen
	return r, path, seen
}

func write(t *testing.T, path, source string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
}

func decide(t *testing.T, r *Rules, event string) (Decision, error) {
	t.Helper()
	reg := udf.NewRegistry()
	r.Register(reg)
	f, _ := reg.Lookup(FunctionName)
	out, err := f.CallJSON(context.Background(), []byte(event))
	var d Decision
	if err == nil {
		err = json.Unmarshal(out, &d)
	}
	return d, err
}

func TestDecide(t *testing.T) {
	r, _, _ := newRules(t, good)
	for _, tc := range []struct {
		name, event, decision, rules string
		score                        float64
	}{
		{"none fires", `{"amount":10,"region":"DE"}`, "pass", "", 0},
		{"one fires", `{"amount":10.5,"region":"XX"}`, "review", "abroad", 0.4},
		{"the most severe wins", `{"amount":501,"previousAmount":0.5,"region":"YY"}`, "alert", "small-then-large abroad", 0.9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := decide(t, r, tc.event)
			if err != nil || d.Decision != tc.decision || d.Score != tc.score || strings.Join(d.Rules, " ") != tc.rules {
				t.Errorf("got %+v, %v", d, err)
			}
			if !strings.HasPrefix(d.Version, "test+") {
				t.Errorf("version %q", d.Version)
			}
		})
	}
}

func TestErrorsOfARule(t *testing.T) {
	r, _, _ := newRules(t, good)
	if _, err := decide(t, r, `{"amount":1}`); err == nil || !strings.Contains(err.Error(), "rule abroad: no such key: region; guard an optional field with has(") {
		t.Errorf("missing field: %v", err)
	}
	var input *udf.InputError
	if _, err := decide(t, r, `{`); !errors.As(err, &input) {
		t.Errorf("broken event: %v", err)
	}
	costly, _, _ := newRules(t, `{rules: [{name: costly, decision: alert, when: "event.all(x, event.all(y, event.all(z, x + y + z >= 0)))"}]}`)
	if _, err := decide(t, costly, `[`+strings.Repeat("1,", 100)+`1]`); err == nil || !strings.Contains(err.Error(), "cost limit exceeded") {
		t.Errorf("cost: %v", err)
	}
}

func TestFileErrors(t *testing.T) {
	for _, tc := range []struct{ name, source, want string }{
		{"empty", ``, "EOF"},
		{"no rules", `rules: []`, "no rules"},
		{"unknown key", `{rules: [{name: a, wehn: "true", decision: pass}]}`, "wehn"},
		{"syntax", `{rules: [{name: a, when: "event.x >", decision: pass}]}`, "rule 1 (a): when: ERROR"},
		{"unknown variable", `{rules: [{name: a, when: "evnt.x > 1", decision: pass}]}`, "undeclared reference to 'evnt'"},
		{"not a boolean", `{rules: [{name: a, when: "1 + 1", decision: pass}]}`, "when: is int, must be a boolean"},
		{"decision", `{rules: [{name: a, when: "true", decision: deny}]}`, `decision: "deny", must be one of pass, review, alert`},
		{"score", `{rules: [{name: a, when: "true", decision: pass, score: 2}]}`, "score: 2, must be from 0 to 1"},
		{"NaN", `{rules: [{name: a, when: "true", decision: pass, score: .nan}]}`, "score: NaN"},
		{"twice", `{rules: [{name: a, when: "true", decision: pass}, {name: a, when: "true", decision: pass}]}`, "the name stands twice"},
		{"all at once", `{rules: [{name: a, decision: pass}, {name: b, when: "x", decision: pass}]}`, "rule 2 (b)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := compile([]byte(tc.source), 1000); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant ...%s", err, tc.want)
			}
		})
	}
}

// A file that breaks while the sidecar serves keeps the old rules, says so, and recovers by itself when it is mended.
func TestReload(t *testing.T) {
	r, path, seen := newRules(t, good)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	await := func(want bool) {
		t.Helper()
		for deadline := time.After(10 * time.Second); ; {
			select {
			case ok := <-seen:
				if ok == want {
					return
				}
			case <-deadline:
				t.Fatal("the change was not noticed")
			}
		}
	}
	await(true) // the look after the watch began
	before := r.Status()

	write(t, path, "rules: [")
	await(false)
	s := r.Status()
	if s.Version != before.Version || s.Rules != 2 || s.LastError == "" || s.FailedAt.IsZero() {
		t.Errorf("status of a broken file: %+v", s)
	}
	if d, err := decide(t, r, `{"amount":1,"region":"XX"}`); err != nil || d.Decision != "review" {
		t.Errorf("the old rules must stay in force: %+v, %v", d, err)
	}

	// Replaced, not written: how editors and Kubernetes do it.
	write(t, path+".new", strings.ReplaceAll(good, "decision: review", "decision: alert"))
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	await(true)
	if d, err := decide(t, r, `{"amount":1,"region":"XX"}`); err != nil || d.Decision != "alert" {
		t.Errorf("the new rules must be in force: %+v, %v", d, err)
	}
	if s := r.Status(); s.LastError != "" || s.Version == before.Version {
		t.Errorf("status after the repair: %+v", s)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(false)

	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Others write into the folder all the time.
func TestReloadInABusyFolder(t *testing.T) {
	r, path, seen := newRules(t, good)
	ctx, stop := context.WithCancel(context.Background())
	ended, noise := make(chan error, 1), make(chan struct{})
	go func() { ended <- r.Run(ctx) }()
	go func() {
		defer close(noise)
		for ctx.Err() == nil {
			_ = os.WriteFile(filepath.Join(filepath.Dir(path), "other"), []byte("x"), 0o600)
			time.Sleep(settle / 10)
		}
	}()
	await := func() {
		t.Helper()
		select {
		case <-seen:
		case <-time.After(10 * time.Second):
			t.Fatal("the change was not noticed")
		}
	}
	await() // the look after the watch began
	before := r.Status().Version
	write(t, path, strings.Replace(good, "500", "400", 1))
	for r.Status().Version == before {
		await()
	}
	stop()
	<-noise
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNewNeedsAGoodFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := New(Config{File: missing, CostLimit: 1}, slog.New(slog.DiscardHandler), make(attempts, 1)); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, source []byte) {
		s, err := compile(source, 1000)
		if err == nil && len(s.rules) == 0 {
			t.Error("a good file without rules")
		}
	})
}
