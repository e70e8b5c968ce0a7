package invoke_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/udf-bridge/invoke"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// guard wraps a function that does what the event, a JSON string, tells it to.
func guard(t *testing.T, limits invoke.Quarantine, onChange func(string, bool)) *invoke.Guard {
	t.Helper()
	r := udf.NewRegistry()
	udf.Scalar(r, "f", func(ctx context.Context, do string) (string, error) {
		switch do {
		case "panic":
			panic("told to")
		case "nil":
			var p *int
			return "", errors.New(string(rune(*p)))
		case "goroutine":
			udf.Go(ctx, func(context.Context) error { panic("told to, elsewhere") })
		case "exit":
			runtime.Goexit()
		case "error":
			return "", errors.New("told to fail")
		case "wait":
			<-ctx.Done()
			return "", ctx.Err()
		case "sleep":
			time.Sleep(time.Minute) // in a synctest bubble: a function that does not look at its context
		}
		return do, nil
	})
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	instance, err := r.Functions()[0].Open(context.Background(), udf.Job{})
	if err != nil {
		t.Fatal(err)
	}
	return invoke.New(instance, limits, onChange)
}

func call(g *invoke.Guard, do string) (string, error) {
	got, err := g.Call(context.Background(), []byte(`"`+do+`"`), func() {})
	return string(got), err
}

func TestPanicIsTheErrorOfThatCall(t *testing.T) {
	g := guard(t, invoke.Quarantine{}, nil)
	for _, do := range []string{"panic", "nil", "goroutine"} {
		_, err := call(g, do)
		var p *invoke.PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "invoke_test.go") {
			t.Errorf("%s: want a PanicError with the user's stack, got %v", do, err)
		}
	}
	if _, err := call(g, "exit"); !errors.Is(err, invoke.ErrExit) {
		t.Errorf("Goexit: got %v", err)
	}
	if got, err := call(g, "ok"); err != nil || got != `{"value":"ok"}` {
		t.Errorf("after panics: %s, %v", got, err)
	}
	s := g.Stats()
	if s.Calls != 5 || s.Panics != 3 || s.Errors != 4 || !strings.HasPrefix(s.FirstPanic, "told to\n") || s.Running != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []bool
		g := guard(t, invoke.Quarantine{After: 2, Cooldown: time.Minute}, func(_ string, on bool) { changes = append(changes, on) })
		var quarantined *invoke.QuarantinedError
		// A poison record among good ones must not cost the function its place.
		for _, do := range []string{"panic", "ok", "panic", "error", "panic"} {
			if _, err := call(g, do); errors.As(err, &quarantined) {
				t.Fatalf("%s: quarantined though never twice in a row", do)
			}
		}
		_, _ = call(g, "panic")
		if _, err := call(g, "ok"); !errors.As(err, &quarantined) || quarantined.RetryAfter != time.Minute {
			t.Fatalf("after two in a row: got %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := call(g, "panic"); errors.As(err, &quarantined) {
			t.Fatal("after the cooldown one call must be let through")
		}
		if _, err := call(g, "ok"); !errors.As(err, &quarantined) {
			t.Fatal("the trial panicked: still quarantined")
		}
		time.Sleep(time.Minute)
		for range 2 {
			if _, err := call(g, "ok"); err != nil {
				t.Fatalf("a good trial must release the function: %v", err)
			}
		}
		if len(changes) != 2 || !changes[0] || changes[1] {
			t.Errorf("changes: %v", changes)
		}
	})
}

func TestDeadlineAnswersWhileTheFunctionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := guard(t, invoke.DefaultQuarantine(), nil)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start, finished := time.Now(), make(chan time.Duration, 1)
		_, err := g.Call(ctx, []byte(`"sleep"`), func() { finished <- time.Since(start) })
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("answered after %s with %v", time.Since(start), err)
		}
		if running := g.Stats().Running; running != 1 {
			t.Errorf("running: %d", running)
		}
		if after := <-finished; after != time.Minute {
			t.Errorf("finished after %s, want when the function really ended", after)
		}
		synctest.Wait()
		if s := g.Stats(); s.Running != 0 || s.Errors != 1 {
			t.Errorf("stats: %+v", s)
		}
	})
}
