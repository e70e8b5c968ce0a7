package statetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/sidecar/state"
	"github.com/drey-flink/drey/sidecar/state/statetest"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func request(key, id string) statetest.Request {
	return statetest.Request{Key: key, ID: id, Event: `{}`}
}

func counted(n int) string { return fmt.Sprintf(`{"count":%d}`, n) }

func expect(t *testing.T, what, got string, want int) {
	t.Helper()
	if got != counted(want) {
		t.Errorf("%s: %s, want %s", what, got, counted(want))
	}
}

func TestIDsAndConflicts(t *testing.T) {
	f := statetest.Open(t, counter.Register, "count")
	expect(t, "first", f.Call(request("a", "1")), 1)
	expect(t, "the same again", f.Call(request("a", "1")), 1)
	if f.Tries() != 1 {
		t.Errorf("a stored answer called the function: %d calls", f.Tries())
	}
	expect(t, "without an id", f.Call(request("a", "")), 2)
	expect(t, "without an id once more", f.Call(request("a", "")), 3)
	expect(t, "another key", f.Call(request("b", "2")), 1)
	before := f.Tries()
	expect(t, "thrown away once", f.Again(request("a", "3")), 4)
	if got := f.Tries() - before; got != 2 {
		t.Errorf("thrown away once: %d calls, want 2", got)
	}
	before = f.Tries()
	expect(t, "overtaken", f.Overtaken(request("a", "slow"), func() { expect(t, "the one that overtakes", f.Call(request("a", "quick")), 5) }), 6)
	if got := f.Tries() - before; got != 3 {
		t.Errorf("overtaken: %d calls, want 3", got)
	}
	before = f.Tries()
	expect(t, "another key in between", f.Overtaken(request("a", "4"), func() { f.Call(request("b", "")) }), 7)
	if got := f.Tries() - before; got != 2 {
		t.Errorf("another key in between: %d calls, want 2", got)
	}
}

func TestRestore(t *testing.T) {
	f := statetest.Open(t, counter.Register, "count")
	expect(t, "done", f.Call(request("a", "done")), 1)
	flying := request("a", "flying")
	expect(t, "in flight", f.Call(flying), 2)
	first := f.Checkpoint(flying)
	expect(t, "after it", f.Call(request("a", "later")), 3)
	second := f.Checkpoint()
	for range 2 { // also a second time, and back behind a later one
		f.Restore(first)
		before := f.Tries()
		for _, r := range first.InFlight() {
			expect(t, "in flight, again", f.Call(r), 2)
		}
		if f.Tries() != before {
			t.Error("the answer of what was in flight is not stored")
		}
		expect(t, "after it, again", f.Call(request("a", "later")), 3)
	}
	f.Restore(second)
	expect(t, "from the second one", f.Call(request("a", "new")), 4)
	third := f.Checkpoint()
	f.Restore(third)
	expect(t, "from one that was taken after a restore", f.Call(request("a", "")), 5)
}

func window(ctx context.Context, at int64) (int64, error) {
	s, ok := state.From(ctx)
	if !ok {
		return 0, state.ErrNone
	}
	counts, err := s.Count("n", state.Tumbling(time.Second), time.UnixMilli(at), 1)
	if err != nil || len(counts) == 0 {
		return -1, err
	}
	return counts[0].N, nil
}

func TestWatermark(t *testing.T) {
	f := statetest.Open(t, func(r *udf.Registry) { udf.Scalar(r, "window", window) }, "window")
	at := func(event string, watermark int64) statetest.Request {
		r := statetest.Request{Key: "k", Event: event}
		if watermark >= 0 {
			r.Watermark = time.UnixMilli(watermark)
		}
		return r
	}
	for _, c := range []struct{ got, want string }{
		{f.Call(at("10", -1)), `{"value":1}`},
		{f.Call(at("20", 500)), `{"value":2}`},
		{f.Call(at("20", 998)), `{"value":3}`},
		{f.Call(at("20", 999)), `{"value":-1}`}, // the window is closed
		{f.Call(at("20", 0)), `{"value":-1}`},   // a watermark does not go back
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	f.Restore(f.Checkpoint())
	if got := f.Call(at("20", -1)); got != `{"value":-1}` {
		t.Errorf("the watermark was not restored: %s", got)
	}
}

// sums adds up numbers, and refuses some after it has written them.
func sums(ctx context.Context, n int64) (int64, error) {
	s, ok := state.From(ctx)
	if !ok {
		return 0, state.ErrNone
	}
	sum, err := state.Update(s, "sum", func(sum int64, _ bool) (int64, error) { return sum + n, nil })
	switch {
	case n < 0:
		return 0, errors.New("is negative")
	case n == 13:
		panic("unlucky")
	}
	return sum, err
}

func TestErrorsChangeNothing(t *testing.T) {
	register := func(r *udf.Registry) { udf.Scalar(r, "sums", sums) }
	f := statetest.Open(t, register, "sums")
	number := func(n string) statetest.Request { return statetest.Request{Key: "k", Event: n} }
	f.Call(number("5"))
	if err := f.Error(number("-1")); !strings.Contains(err.Error(), "is negative") {
		t.Error(err)
	}
	if err := f.Error(number("13")); !strings.Contains(err.Error(), "unlucky") {
		t.Error(err)
	}
	if err := f.Error(number(`"x"`)); !strings.Contains(err.Error(), "is a string") {
		t.Error(err)
	}
	if got := f.Call(number("2")); got != `{"value":7}` {
		t.Errorf("got %s", got)
	}
	statetest.Check(t, register, "sums", []statetest.Request{number("5"), number("-1"), number("13"), number("2")})
}

func TestParametersAndDeadline(t *testing.T) {
	type greeting struct{ text string }
	register := func(r *udf.Registry) {
		udf.Scalar(r, "greet", func(ctx context.Context, wait bool) (string, error) {
			if wait {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return udf.Opened[greeting](ctx).text, nil
		}, udf.Parameter("text", "hello", ""), udf.Open(func(_ context.Context, job udf.Job) (greeting, error) {
			return greeting{job.Parameters["text"]}, nil
		}))
	}
	f := statetest.Open(t, register, "greet", statetest.Parameter("text", "good day"), statetest.Deadline(20*time.Millisecond))
	if err := f.Error(statetest.Request{Event: "true"}); !strings.Contains(err.Error(), "within 20ms") {
		t.Error(err)
	}
	g := statetest.Open(t, register, "greet", statetest.Parameter("text", "good day"))
	if got := g.Call(statetest.Request{Event: "false"}); got != `{"value":"good day"}` {
		t.Errorf("got %s", got)
	}
}

// failing is a test that is meant to fail: it notes why.
type failing struct {
	testing.TB

	said     []string
	cleanups []func()
}

type stopped struct{}

func (f *failing) Helper()           {}
func (f *failing) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *failing) Error(args ...any) { f.said = append(f.said, fmt.Sprint(args...)) }
func (f *failing) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}
func (f *failing) Fatal(args ...any)                 { f.Error(args...); panic(stopped{}) }
func (f *failing) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(stopped{}) }

// failures are what a test says that does this.
func failures(t *testing.T, do func(t testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(stopped{}) {
				panic(r)
			}
		}()
		do(f)
	}()
	for _, cleanup := range f.cleanups {
		cleanup()
	}
	return strings.Join(f.said, "\n")
}

// Each of these functions has a fault that only one of the disturbances shows.
func TestCheckFinds(t *testing.T) {
	var process atomic.Int64 // outlives a restore, as a variable of the package does
	tries := map[string]int{}
	requests := []statetest.Request{request("a", ""), request("a", ""), request("b", "")}
	for _, c := range []struct {
		name, want string
		fn         func() func(ctx context.Context, in counter.Event) (int64, error)
	}{
		{"a counter of the package", "in another run", func() func(context.Context, counter.Event) (int64, error) {
			return func(context.Context, counter.Event) (int64, error) { return process.Add(1), nil }
		}},
		{"a counter of the opened function", "first call was thrown away", func() func(context.Context, counter.Event) (int64, error) {
			n := int64(0)
			return func(context.Context, counter.Event) (int64, error) { n++; return n, nil }
		}},
		{"a cache that is not restored", "between restores", func() func(context.Context, counter.Event) (int64, error) {
			seen := map[string]bool{}
			return func(ctx context.Context, _ counter.Event) (int64, error) {
				s, ok := state.From(ctx)
				if !ok {
					return 0, state.ErrNone
				}
				// The same when called again, but new after a restore.
				known := int64(0)
				for id := range seen {
					if id != s.ID() {
						known++
					}
				}
				seen[s.ID()] = true
				return known, nil
			}
		}},
		{"an error that passes", "when it came for the second time", func() func(context.Context, counter.Event) (int64, error) {
			clear(tries)
			return func(ctx context.Context, _ counter.Event) (int64, error) {
				s, ok := state.From(ctx)
				if !ok {
					return 0, state.ErrNone
				}
				if tries[s.ID()]++; tries[s.ID()] == 1 {
					return 0, errors.New("not yet")
				}
				return 1, nil
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := failures(t, func(t testing.TB) {
				statetest.Check(t, func(r *udf.Registry) { udf.JSON(r, "f", c.fn()) }, "f", requests)
			})
			if !strings.Contains(said, c.want) {
				t.Errorf("did not find it: %q", said)
			}
		})
	}
	statetest.Check(t, counter.Register, "count", requests)
}

func TestMisuse(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		do   func(t testing.TB)
	}{
		"no such function": {"did you mean count?", func(t testing.TB) { statetest.Open(t, counter.Register, "cuont") }},
		"not JSON":         {"event: ", func(t testing.TB) { statetest.Open(t, counter.Register, "count").Call(statetest.Request{Event: "{"}) }},
		"an id that no request may have": {"has a control character", func(t testing.TB) {
			statetest.Open(t, counter.Register, "count").Call(request("a", "\x01"))
		}},
		"an answer where an error was meant": {"is answered", func(t testing.TB) { _ = statetest.Open(t, counter.Register, "count").Error(request("a", "1")) }},
		"in flight without an id":            {"has no id", func(t testing.TB) { statetest.Open(t, counter.Register, "count").Checkpoint(request("a", "")) }},
		"a checkpoint of another function": {"restore: ", func(t testing.TB) {
			other := statetest.Open(t, counter.Register, "count").Checkpoint()
			statetest.Open(t, counter.Register, "count").Restore(other)
		}},
		"nothing to check with": {"no requests", func(t testing.TB) { statetest.Check(t, counter.Register, "count", nil) }},
		"one id twice": {`the id "1"`, func(t testing.TB) {
			statetest.Check(t, counter.Register, "count", []statetest.Request{request("a", "1"), request("b", "1")})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if said := failures(t, c.do); !strings.Contains(said, c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

func TestExample(t *testing.T) { testCount(t) }
