package udf_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// does registers a function of BIGINT that does fn, and returns a Caller.
func does(t testing.TB, fn func(ctx context.Context, n int64) error, opts ...udf.OpenOption) *udf.Caller {
	t.Helper()
	return open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(ctx context.Context, n int64) (int64, error) { return n, fn(ctx, n) })
	}), opts...)
}

func fixed(ctx context.Context, c *udf.Caller, n int64) error {
	return c.Fixed(ctx, &udf.FixedCall{Args: [4]int64{n}})
}

func TestContextEndsWithTheCall(t *testing.T) {
	var kept []context.Context
	c := does(t, func(ctx context.Context, n int64) error {
		if ctx.Err() != nil {
			t.Errorf("call %d begins with %v", n, ctx.Err())
		}
		kept = append(kept, ctx)
		return nil
	})
	for n := range int64(3) {
		if err := fixed(context.Background(), c, n); err != nil {
			t.Fatal(err)
		}
		<-kept[n].Done()
		if err := kept[n].Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("after call %d: %v", n, err)
		}
	}
	if kept[0] == kept[1] {
		t.Error("a context that was asked is used for another call")
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := does(t, func(ctx context.Context, n int64) error {
			if n == 0 {
				deadline, ok := ctx.Deadline()
				if left := time.Until(deadline); !ok || left != time.Minute {
					t.Errorf("deadline in %v, %v", left, ok)
				}
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, udf.CallTimeout(time.Minute))
		if err := fixed(context.Background(), c, 0); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := fixed(context.Background(), c, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		parent, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start = time.Now()
		if err := fixed(parent, c, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the caller's own: got %v after %v", err, time.Since(start))
		}
		if err := fixed(context.Background(), does(t, func(ctx context.Context, _ int64) error {
			if _, ok := ctx.Deadline(); ok {
				t.Error("a deadline that nobody set")
			}
			return nil
		}), 0); err != nil {
			t.Error(err)
		}
	})
}

type contextKey struct{}

func TestContextOfTheCaller(t *testing.T) {
	var seen []any
	var derived context.Context
	c := does(t, func(ctx context.Context, n int64) error {
		seen = append(seen, ctx.Value(contextKey{}))
		var cancel context.CancelFunc
		derived, cancel = context.WithCancel(ctx)
		defer cancel()
		seen = append(seen, derived.Value(contextKey{}))
		return nil
	})
	for _, value := range []string{"a", "b"} {
		if err := fixed(context.WithValue(context.Background(), contextKey{}, value), c, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 4 || seen[0] != "a" || seen[1] != "a" || seen[2] != "b" || seen[3] != "b" {
		t.Errorf("got %v", seen)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fixed(cancelled, does(t, func(ctx context.Context, _ int64) error { return ctx.Err() }), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestContextCostsNothing unless somebody asks it.
func TestContextCostsNothing(t *testing.T) {
	type opened struct{ add int64 }
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(ctx context.Context, n int64) (int64, error) { return n + udf.Opened[*opened](ctx).add, nil },
			udf.Open(func(context.Context, udf.Job) (*opened, error) { return &opened{1}, nil }))
	})
	c, ctx, call := open(t, f, udf.CallTimeout(time.Hour)), context.Background(), udf.FixedCall{Args: [4]int64{41}}
	if got := testing.AllocsPerRun(200, func() {
		if err := c.Fixed(ctx, &call); call.Value != 42 || err != nil {
			t.Fatal(call.Value, err)
		}
	}); got != 0 {
		t.Errorf("%v allocations a call", got)
	}
}

func TestGoroutinesBelongToTheCall(t *testing.T) {
	bad := errors.New("bad")
	var ended chan struct{}
	tests := map[string]struct {
		fn   func(ctx context.Context) error
		want func(err error) bool
	}{
		"the call waits": {func(ctx context.Context) error {
			ended = make(chan struct{})
			udf.Go(ctx, func(context.Context) error {
				runtime.Gosched()
				close(ended)
				return nil
			})
			return nil
		}, func(err error) bool {
			select {
			case <-ended:
				return err == nil
			default:
				return false
			}
		}},
		"its error is the call's": {func(ctx context.Context) error {
			udf.Go(ctx, func(context.Context) error { return bad })
			return nil
		}, func(err error) bool { return err == bad }},
		"its error ends the others": {func(ctx context.Context) error {
			udf.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
			udf.Go(ctx, func(context.Context) error { return bad })
			return nil
		}, func(err error) bool { return err == bad }},
		"an error that was taken over is not": {func(ctx context.Context) error {
			if err := udf.Go(ctx, func(context.Context) error { return bad })(); err != bad {
				return errors.New("wait does not tell")
			}
			return nil
		}, func(err error) bool { return err == nil }},
		"the function's error ends them": {func(ctx context.Context) error {
			udf.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			return bad
		}, func(err error) bool { return err == bad }},
		"a panic is the call's error": {func(ctx context.Context) error {
			udf.Go(ctx, func(context.Context) error { panic(bad) })
			return nil
		}, isPanic},
		"a panic is, whoever waits": {func(ctx context.Context) error {
			_ = udf.Go(ctx, func(context.Context) error { panic(bad) })()
			return nil
		}, isPanic},
		"a nil dereference is": {func(ctx context.Context) error {
			var p *int64
			udf.Go(ctx, func(context.Context) error { *p = 1; return nil })
			return nil
		}, isPanic},
		"from a goroutine of its own": {func(ctx context.Context) error {
			return udf.Go(ctx, func(ctx context.Context) error {
				udf.Go(ctx, func(context.Context) error { return bad })
				return nil
			})()
		}, func(err error) bool { return err == bad }},
		"from a derived context": {func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(context.WithValue(ctx, contextKey{}, 1), time.Hour)
			defer cancel()
			udf.Go(ctx, func(context.Context) error { return bad })
			return nil
		}, func(err error) bool { return err == bad }},
		"Goexit is an error": {func(ctx context.Context) error {
			udf.Go(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			return nil
		}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "runtime.Goexit") }},
	}
	for name, tc := range tests {
		fn := func(ctx context.Context, _ int64) error { return tc.fn(ctx) }
		if err := fixed(context.Background(), does(t, fn), 0); !tc.want(err) {
			t.Errorf("%s: got %v", name, err)
		}
		f := one(t, func(r *udf.Registry) {
			udf.Scalar(r, "f", func(ctx context.Context, n int64) (int64, error) { return n, fn(ctx, n) })
		})
		if _, err := f.CallJSON(context.Background(), []byte("1")); !tc.want(err) {
			t.Errorf("%s, JSON: got %v", name, err)
		}
	}
}

func isPanic(err error) bool {
	var panicked *udf.PanicError
	return errors.As(err, &panicked) && strings.Contains(string(panicked.Stack), "context_test.go")
}

func TestGoOutsideOfACall(t *testing.T) {
	if err := udf.Go(context.Background(), func(context.Context) error { panic("alone") })(); !isPanic(err) {
		t.Errorf("got %v", err)
	}
}

// TestPanicEndsTheGoroutines: nothing of a call that panicked goes on.
func TestPanicEndsTheGoroutines(t *testing.T) {
	ended := make(chan struct{})
	c := does(t, func(ctx context.Context, n int64) error {
		if n == 0 {
			udf.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); close(ended); return nil })
			panic("told to")
		}
		return nil
	})
	func() {
		defer func() {
			if recover() != "told to" {
				t.Error("the panic does not pass")
			}
			c.Abandon()
		}()
		_ = fixed(context.Background(), c, 0)
	}()
	<-ended
	if err := fixed(context.Background(), c, 1); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}
