package evaluate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// recorder counts what the service tells.
type recorder struct {
	mu       sync.Mutex
	codes    map[string]int
	inFlight atomic.Int64
}

func (r *recorder) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.codes == nil {
		r.codes = map[string]int{}
	}
	r.codes[what]++
}

func (r *recorder) Evaluated(_ context.Context, function string, code problem.Code, _ time.Duration, replayed bool) {
	r.count(fmt.Sprintf("%s/%s/%v", function, code, replayed))
}
func (r *recorder) Shed(reason string)            { r.count("shed/" + reason) }
func (r *recorder) Panicked(function string)      { r.count("panic/" + function) }
func (r *recorder) Quarantined(f string, on bool) { r.count(fmt.Sprintf("quarantine/%s/%v", f, on)) }
func (r *recorder) InFlight(delta int)            { r.inFlight.Add(int64(delta)) }

type command struct {
	Do string
	N  int64
}

// newService has the function "fraud", which does what its event says.
func newService(t *testing.T, change func(*evaluate.Config)) (*evaluate.Service, *recorder, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	r := udf.NewRegistry()
	udf.Scalar(r, "fraud", func(ctx context.Context, in command) (int64, error) {
		calls.Add(1)
		switch in.Do {
		case "error":
			return 0, errors.New("no such account")
		case "panic":
			panic("told to")
		case "sleep":
			time.Sleep(time.Minute)
		}
		return in.N, nil
	})
	cfg := evaluate.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	obs := &recorder{}
	s, err := evaluate.New(cfg, r, nil, obs)
	if err != nil {
		t.Fatal(err)
	}
	return s, obs, &calls
}

func event(do string, n int) []byte { return fmt.Appendf(nil, `{"do":%q,"n":%d}`, do, n) }

func codeOf(err error) problem.Code {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestAnswer(t *testing.T) {
	s, obs, _ := newService(t, nil)
	a, err := s.Evaluate(context.Background(), evaluate.Request{Event: event("", 7)})
	if err != nil || string(a.Result) != `{"value":7}` || a.Function != "fraud" || len(a.ID) != 26 || a.Time.IsZero() {
		t.Errorf("got %+v, %v", a, err)
	}
	if obs.codes["fraud//false"] != 1 || obs.inFlight.Load() != 0 {
		t.Errorf("observed %v, in flight %d", obs.codes, obs.inFlight.Load())
	}
}

func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		name   string
		req    evaluate.Request
		code   problem.Code
		detail string
	}{
		{"unknown function", evaluate.Request{Function: "fruad", Event: event("", 1)}, problem.UnknownFunction, "did you mean fraud?"},
		{"event does not fit", evaluate.Request{Event: []byte(`{"n":"x"}`)}, problem.InvalidEvent, "n: is a string, the function takes BIGINT; do: is missing"},
		{"function's error", evaluate.Request{Event: event("error", 1)}, problem.FunctionError, "fraud: no such account"},
		{"panic", evaluate.Request{Event: event("panic", 1)}, problem.FunctionPanic, "panic: told to"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, obs, _ := newService(t, nil)
			tc.req.ID = "mine"
			_, err := s.Evaluate(context.Background(), tc.req)
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != tc.code || !strings.Contains(p.Detail, tc.detail) || p.DecisionID != "mine" {
				t.Errorf("got %+v", p)
			}
			if obs.inFlight.Load() != 0 || s.Status().InFlight != 0 {
				t.Error("a place was not given back")
			}
		})
	}
}

func TestSameID(t *testing.T) {
	s, _, calls := newService(t, nil)
	ctx := context.Background()
	req := func(do string, n int) evaluate.Request { return evaluate.Request{ID: "a", Event: event(do, n)} }
	first, err := s.Evaluate(ctx, req("", 1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Evaluate(ctx, req("", 1))
	if err != nil || !again.Replayed || !again.Time.Equal(first.Time) || string(again.Result) != string(first.Result) || calls.Load() != 1 {
		t.Errorf("again: %+v, %v, %d calls", again, err, calls.Load())
	}
	if _, err := s.Evaluate(ctx, req("", 2)); codeOf(err) != problem.IDReused {
		t.Errorf("another payload: %v", err)
	}
	// A function's error would be the same again; a panic may not.
	for do, want := range map[string]int64{"error": 1, "panic": 2} {
		calls.Store(0)
		for range 2 {
			_, _ = s.Evaluate(ctx, evaluate.Request{ID: do, Event: event(do, 1)})
		}
		if calls.Load() != want {
			t.Errorf("%s twice: %d calls, want %d", do, calls.Load(), want)
		}
	}
}

func TestDeadlineHoldsThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, obs, _ := newService(t, func(c *evaluate.Config) {
			c.FunctionDeadlines = map[string]time.Duration{"fraud": 2 * time.Second}
			c.Admission.MaxInFlight, c.Admission.Queue = 1, 0
		})
		start := time.Now()
		_, err := s.Evaluate(context.Background(), evaluate.Request{Event: event("sleep", 1)})
		if codeOf(err) != problem.DeadlineExceeded || time.Since(start) != 2*time.Second || !strings.Contains(err.Error(), "within 2s") {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		_, err = s.Evaluate(context.Background(), evaluate.Request{Event: event("", 1)})
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != problem.Overloaded || p.RetryAfter <= 0 {
			t.Errorf("while the function hangs its place is taken: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := s.Evaluate(context.Background(), evaluate.Request{Event: event("", 1)}); err != nil {
			t.Errorf("after it ended: %v", err)
		}
		if obs.codes["shed/queue_full"] != 1 || s.Status().ShedTotal != 1 {
			t.Errorf("shed: %v", obs.codes)
		}
	})
}

func TestQuarantineIsTold(t *testing.T) {
	s, obs, _ := newService(t, func(c *evaluate.Config) { c.Quarantine.After = 3 })
	var last error
	for range 4 {
		_, last = s.Evaluate(context.Background(), evaluate.Request{Event: event("panic", 1)})
	}
	var p *problem.Error
	if !errors.As(last, &p) || p.Code != problem.FunctionQuarantined || p.RetryAfter <= 0 {
		t.Errorf("got %v", last)
	}
	f := s.Status().Functions[0]
	if !f.Quarantined || f.Panics != 3 || !strings.Contains(f.FirstPanic, "told to") || obs.codes["quarantine/fraud/true"] != 1 {
		t.Errorf("status %+v, observed %v", f, obs.codes)
	}
}

func TestBatch(t *testing.T) {
	s, _, _ := newService(t, func(c *evaluate.Config) { c.Batch.MaxItems = 3 })
	ctx := context.Background()
	got, err := s.EvaluateBatch(ctx, []evaluate.Request{
		{ID: "a", Event: event("", 1)}, {ID: "b", Event: event("panic", 2)}, {ID: "c", Event: event("", 3)},
	})
	if err != nil || len(got) != 3 {
		t.Fatal(err)
	}
	if string(got[0].Answer.Result) != `{"value":1}` || got[0].Err != nil ||
		got[1].Err.Code != problem.FunctionPanic || got[1].Err.DecisionID != "b" || string(got[2].Answer.Result) != `{"value":3}` {
		t.Errorf("got %+v", got)
	}
	if _, err := s.EvaluateBatch(ctx, make([]evaluate.Request, 4)); codeOf(err) != problem.BatchTooLarge {
		t.Errorf("too large: %v", err)
	}
}

func TestDrain(t *testing.T) {
	s, _, _ := newService(t, nil)
	s.Drain()
	if _, err := s.Evaluate(context.Background(), evaluate.Request{Event: event("", 1)}); codeOf(err) != problem.Draining {
		t.Errorf("got %v", err)
	}
	if _, err := s.EvaluateBatch(context.Background(), []evaluate.Request{{Event: event("", 1)}}); codeOf(err) != problem.Draining {
		t.Errorf("batch: got %v", err)
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	r := udf.NewRegistry()
	udf.Scalar(r, "fraud", func(context.Context, int64) (int64, error) { return 0, nil })
	for want, change := range map[string]func(*evaluate.Config){
		`did you mean fraud?`:             func(c *evaluate.Config) { c.DefaultFunction = "frod" },
		`function_deadlines: unknown_f`:   func(c *evaluate.Config) { c.FunctionDeadlines = map[string]time.Duration{"other": 1} },
		`admission.max_in_flight: 0`:      func(c *evaluate.Config) { c.Admission.MaxInFlight = 0 },
		`deadline: -1s, must be positive`: func(c *evaluate.Config) { c.Deadline = -time.Second },
	} {
		cfg := evaluate.DefaultConfig()
		change(&cfg)
		if _, err := evaluate.New(cfg, r, nil, &recorder{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	r := udf.NewRegistry()
	udf.Raw(r, "fraud", func(context.Context, []byte) ([]byte, error) { return []byte(`{}`), nil })
	s, err := evaluate.New(evaluate.DefaultConfig(), r, nil, &recorder{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Evaluate(context.Background(), evaluate.Request{Event: []byte(`{"a":1}`)}); err != nil {
			b.Fatal(err)
		}
	}
}
