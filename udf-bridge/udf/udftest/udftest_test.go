package udftest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
	"github.com/drey-flink/drey/udf-bridge/udf/udftest"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Name() string      { return "recorded" }
func (r *recorder) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Error(a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprint(a...))
}

func (r *recorder) Errorf(format string, a ...any) { r.Error(fmt.Sprintf(format, a...)) }

func (r *recorder) Fatal(a ...any) {
	r.Error(a...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, a ...any) { r.Fatal(fmt.Sprintf(format, a...)) }

// failures runs what a test would do, and returns why it fails.
func failures(test func(t testing.TB)) []string {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	for _, cleanup := range slices.Backward(r.cleanups) {
		cleanup()
	}
	return r.failures
}

type payment struct {
	Account int64
	Amount  float64
	Country *string
}

type risk struct {
	Score   float64
	Reasons []string
}

func riskScore(_ context.Context, p payment) (risk, error) {
	if p.Account < 0 {
		return risk{}, errors.New("no such account")
	}
	if p.Amount > 500 && p.Country == nil {
		return risk{Score: 0.9, Reasons: []string{"large amount from nowhere"}}, nil
	}
	return risk{Score: 0.1}, nil
}

func scalar[In, Out any](fn func(context.Context, In) (Out, error), opts ...udf.Option) func(*udf.Registry) {
	return func(r *udf.Registry) { udf.Scalar(r, "f", fn, opts...) }
}

func TestCall(t *testing.T) {
	f := udftest.Open(t, scalar(riskScore), "f")
	got := udftest.Call[risk](f, payment{Account: 7, Amount: 612.1})
	if got.Score != 0.9 || len(got.Reasons) != 1 {
		t.Errorf("got %v", got)
	}
	if err := udftest.Error(f, payment{Account: -1}); err.Error() != "no such account" {
		t.Errorf("got %v", err)
	}
	if got, err := f.JSON(`{"account":7,"amount":1}`); err != nil || got != `{"score":0.1,"reasons":[]}` {
		t.Errorf("got %s, %v", got, err)
	}
	udftest.Check(f)
}

func TestRowsOfATable(t *testing.T) {
	f := udftest.Open(t, func(r *udf.Registry) {
		udf.Table(r, "split", func(_ context.Context, text string, emit func(string)) error {
			for part := range strings.SplitSeq(text, ",") {
				emit(part)
			}
			return nil
		})
	}, "split")
	if got := udftest.Rows[string](f, "a,,b"); !slices.Equal(got, []string{"a", "", "b"}) {
		t.Errorf("got %q", got)
	}
	udftest.Check(f)
}

func TestBytes(t *testing.T) {
	register := func(r *udf.Registry) {
		udf.JSON(r, "json", func(_ context.Context, v map[string]int) (int, error) { return len(v), nil })
		udf.Raw(r, "raw", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	}
	if got := udftest.Call[string](udftest.Open(t, register, "json"), `{"a":1}`); got != "1" {
		t.Errorf("got %s", got)
	}
	if got := udftest.Call[[]byte](udftest.Open(t, register, "raw"), []byte("abc")); string(got) != "abc" {
		t.Errorf("got %s", got)
	}
	udftest.CheckAll(t, register)
}

type opened struct{ closed *int }

func (o opened) Close() error { *o.closed++; return nil }

func TestOpenedWithAJob(t *testing.T) {
	closed := 0
	register := scalar(func(ctx context.Context, name string) (string, error) {
		return udf.Opened[func(string) string](ctx)(name), nil
	},
		udf.Parameter("greeting", "hello", ""), udf.Open(func(_ context.Context, job udf.Job) (func(string) string, error) {
			return func(name string) string {
				return fmt.Sprint(job.Parameters["greeting"], " ", name, " of ", job.Name, " ", job.Subtask)
			}, nil
		}))
	if got := udftest.Call[string](udftest.Open(t, register, "f"), "a"); got != "hello a of TestOpenedWithAJob 0" {
		t.Errorf("got %q", got)
	}
	f := udftest.Open(t, register, "f", udftest.Parameter("greeting", "hi"), udftest.Job(udf.Job{Name: "payments", Subtask: 3}))
	if got := udftest.Call[string](f, "b"); got != "hi b of payments 3" {
		t.Errorf("got %q", got)
	}
	for _, option := range []udftest.Option{
		udftest.Parameter("greetings", "hi"), udftest.Job(udf.Job{Parameters: map[string]string{"greetings": "hi"}}),
	} {
		said := failures(func(t testing.TB) { udftest.Open(t, register, "f", option) })
		if len(said) != 1 || !strings.Contains(said[0], `"greetings" is declared nowhere`) || !strings.Contains(said[0], "[greeting]") {
			t.Errorf("a parameter that is not declared: %q", said)
		}
	}
	t.Run("closed at its end", func(t *testing.T) {
		udftest.Open(t, scalar(riskScore, udf.Open(func(context.Context, udf.Job) (opened, error) { return opened{&closed}, nil })), "f")
	})
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

func TestPanicStopsTheGoroutinesOfItsCall(t *testing.T) {
	stopped := make(chan error, 1)
	f := udftest.Open(t, scalar(func(ctx context.Context, do string) ([]string, error) {
		udf.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			stopped <- ctx.Err()
			return nil
		})
		panic(do)
	}), "f")
	var panicked *udf.PanicError
	if err := udftest.Error(f, "told to"); !errors.As(err, &panicked) {
		t.Errorf("got %v", err)
	}
	if err := <-stopped; !errors.Is(err, context.Canceled) { // and not by the deadline
		t.Errorf("the goroutine was stopped by %v", err)
	}
}

func TestErrors(t *testing.T) {
	f := udftest.Open(t, scalar(func(ctx context.Context, do string) ([]string, error) {
		switch do {
		case "panic":
			panic("told to")
		case "nil":
			return []string{*(*string)(nil)}, nil
		case "utf-8":
			return []string{"\xff"}, nil
		case "large":
			return []string{strings.Repeat("a", 2000)}, nil
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}), "f", udftest.Timeout(time.Millisecond), udftest.MaxResultBytes(1000))
	var panicked *udf.PanicError
	for _, do := range []string{"panic", "nil"} {
		if err := udftest.Error(f, do); !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "udftest_test.go") {
			t.Errorf("%s: %v", do, err)
		}
	}
	var result *udf.ResultError
	for _, do := range []string{"utf-8", "large"} {
		if err := udftest.Error(f, do); !errors.As(err, &result) {
			t.Errorf("%s: %v", do, err)
		}
	}
	if err := udftest.Error(f, "wait"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	if got := udftest.Call[[]string](f, ""); len(got) != 0 {
		t.Errorf("after errors: %v", got)
	}
}

type weighted struct {
	Value  float64
	Weight int64
}

type sum struct {
	Sum    float64
	Weight int64
}

func average(change func(*udf.Aggregation[weighted, sum, *float64])) func(*udf.Registry) {
	agg := udf.Aggregation[weighted, sum, *float64]{
		Accumulate: func(_ context.Context, acc *sum, in weighted) error {
			acc.Sum += in.Value * float64(in.Weight)
			acc.Weight += in.Weight
			return nil
		},
		Retract: func(_ context.Context, acc *sum, in weighted) error {
			acc.Sum -= in.Value * float64(in.Weight)
			acc.Weight -= in.Weight
			return nil
		},
		Merge: func(_ context.Context, acc *sum, other sum) error {
			acc.Sum += other.Sum
			acc.Weight += other.Weight
			return nil
		},
		Result: func(_ context.Context, acc sum) (*float64, error) {
			if acc.Weight == 0 {
				return nil, nil
			}
			avg := acc.Sum / float64(acc.Weight)
			return &avg, nil
		},
	}
	if change != nil {
		change(&agg)
	}
	return func(r *udf.Registry) { udf.Aggregate(r, "f", agg) }
}

func TestGroup(t *testing.T) {
	f := udftest.Open(t, average(nil), "f")
	g := f.Group()
	if got := udftest.Result[*float64](g); got != nil || g.Accumulator() != nil {
		t.Errorf("of no rows: %v", *got)
	}
	g.Add(weighted{3, 2}, weighted{100, 5})
	g.Restart()
	g.Retract(weighted{100, 5})
	other := f.Group()
	other.Add(weighted{6, 1})
	g.Merge(other)
	if got := udftest.Result[*float64](g); got == nil || *got != 4 {
		t.Errorf("got %v", got)
	}
	copied := f.Group()
	copied.From(g.Accumulator())
	if got := udftest.Result[*float64](copied); got == nil || *got != 4 {
		t.Errorf("got %v", got)
	}
	udftest.Check(f)
}

// TestCheckFinds: each of these would hurt a job, and none is seen by calling the function once.
func TestCheckFinds(t *testing.T) {
	var counter atomic.Int64
	var kept []byte
	var total float64 // of weights, which have no NaN
	for _, tc := range []struct {
		name     string
		register func(*udf.Registry)
		want     string
	}{
		{"nil dereference", scalar(func(_ context.Context, p payment) (string, error) { return *p.Country, nil }), `f[2,2,null]: panic: runtime error: invalid memory address`},
		{"division by zero", scalar(func(_ context.Context, n int64) (int64, error) { return 10 / n, nil }), "f[0]: panic: runtime error: integer divide by zero"},
		{"index", scalar(func(_ context.Context, text string) (string, error) { return text[:1], nil }), `f[""]: panic: runtime error: slice bounds out of range`},
		{"cut runes", scalar(func(_ context.Context, text string) (string, error) { return text[:min(1, len(text))], nil }), "the result is not valid UTF-8"},
		{"negative length", scalar(func(_ context.Context, n int8) ([]bool, error) { return make([]bool, n), nil }), "panic: runtime error: makeslice: len out of range"},
		{"counter", scalar(func(_ context.Context, n int64) (int64, error) { return counter.Add(n), nil }), "if that is meant, register it with udf.Deterministic(false)"},
		{"kept memory", func(r *udf.Registry) {
			udf.Raw(r, "f", func(_ context.Context, b []byte) ([]byte, error) {
				if kept == nil {
					kept = b
				}
				return kept, nil
			})
		}, "gives another result the second time"},
		{"table panics", func(r *udf.Registry) {
			udf.Table(r, "f", func(_ context.Context, n int64, emit func([]int64)) error { emit(make([]int64, n)); return nil })
		}, "panic: runtime error: makeslice"},
		{"json panics", func(r *udf.Registry) {
			udf.JSON(r, "f", func(_ context.Context, v any) (string, error) { return v.(string), nil })
		}, "panic: interface conversion"},
		{"state beside the accumulator", average(func(a *udf.Aggregation[weighted, sum, *float64]) {
			a.Accumulate = func(_ context.Context, acc *sum, in weighted) error {
				total += float64(in.Weight)
				acc.Sum, acc.Weight = total, acc.Weight+1
				return nil
			}
			a.Retract, a.Merge = nil, nil
		}), "gives another result after a restart"},
		{"retract of half", average(func(a *udf.Aggregation[weighted, sum, *float64]) {
			a.Retract = func(_ context.Context, acc *sum, in weighted) error { acc.Weight -= in.Weight; return nil }
		}), "gives another result after a row was added and taken out again"},
		{"merge of half", average(func(a *udf.Aggregation[weighted, sum, *float64]) {
			a.Merge = func(_ context.Context, acc *sum, other sum) error { acc.Sum += other.Sum; return nil }
		}), "gives another result by a merge"},
		{"merge that replaces", average(func(a *udf.Aggregation[weighted, sum, *float64]) {
			a.Merge = func(_ context.Context, acc *sum, other sum) error {
				if acc.Weight > 0 {
					acc.Sum, acc.Weight = acc.Sum+other.Sum, acc.Weight+other.Weight
				}
				return nil
			}
		}), "gives another result merged into a group of no rows"},
		{"result of no rows", average(func(a *udf.Aggregation[weighted, sum, *float64]) {
			a.Result = func(_ context.Context, acc sum) (*float64, error) { _ = 1 / acc.Weight; return nil, nil }
		}), "panic: runtime error: integer divide by zero"},
	} {
		found := failures(func(t testing.TB) { udftest.Check(udftest.Open(t, tc.register, "f")) })
		if !slices.ContainsFunc(found, func(failure string) bool { return strings.Contains(failure, tc.want) }) {
			t.Errorf("%s: found %.500q", tc.name, found)
		}
	}
}

func TestMistakesInATest(t *testing.T) {
	one := scalar(riskScore)
	for want, test := range map[string]func(t testing.TB){
		`no function "g" is registered; there are: [f]`: func(t testing.TB) { udftest.Open(t, one, "g") },
		"no SQL type matches": func(t testing.TB) {
			udftest.Open(t, scalar(func(context.Context, func()) (int64, error) { return 0, nil }), "f")
		},
		"row 0 is a int, f takes a udftest_test.payment": func(t testing.TB) { udftest.Call[risk](udftest.Open(t, one, "f"), 1) },
		"f returns a udftest_test.risk, not a string":    func(t testing.TB) { udftest.Call[string](udftest.Open(t, one, "f"), payment{}) },
		"no such account":                      func(t testing.TB) { udftest.Call[risk](udftest.Open(t, one, "f"), payment{Account: -1}) },
		"want an error, got [{0.1 []}]":        func(t testing.TB) { _ = udftest.Error(udftest.Open(t, one, "f"), payment{}) },
		"f is an aggregate: take its Group":    func(t testing.TB) { udftest.Call[float64](udftest.Open(t, average(nil), "f"), weighted{}) },
		"f is no aggregate but of kind SCALAR": func(t testing.TB) { udftest.Open(t, one, "f").Group() },
		"open f: no model": func(t testing.TB) {
			udftest.Open(t, scalar(riskScore, udf.Open(func(context.Context, udf.Job) (int, error) { return 0, errors.New("no model") })), "f")
		},
	} {
		if found := failures(test); len(found) != 1 || !strings.Contains(found[0], want) {
			t.Errorf("found %q, want %s", found, want)
		}
	}
}

// Each row is called as often as the others, and no memory of the benchmark's own is counted.
func TestBenchmark(t *testing.T) {
	benchtime := flag.Lookup("test.benchtime").Value.String()
	t.Cleanup(func() { flag.Set("test.benchtime", benchtime) }) //nolint:errcheck // it is the one that was there
	if err := flag.Set("test.benchtime", "60x"); err != nil {
		t.Fatal(err)
	}
	var calls [3]int
	count := func(_ context.Context, i int64) (int64, error) { calls[i]++; return i, nil }
	result := testing.Benchmark(func(b *testing.B) {
		calls = [3]int{}
		f := udftest.Open(b, func(r *udf.Registry) { udf.Scalar(r, "count", count) }, "count")
		udftest.Benchmark(b, f, int64(0), int64(1), int64(2))
	})
	if calls != [3]int{20, 20, 20} || result.N != 60 || result.AllocsPerOp() != 0 {
		t.Errorf("%v calls in %v, %d allocations a call", calls, result, result.AllocsPerOp())
	}
}
