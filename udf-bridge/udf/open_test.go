package udf_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/fastjson"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

type model struct {
	job    udf.Job
	closed *int
	err    error
}

func (m *model) Close() error { *m.closed++; return m.err }

func TestOpenAndClose(t *testing.T) {
	opened, closed := 0, 0
	bad := errors.New("disk is gone")
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(ctx context.Context, _ int64) (string, error) { return udf.Opened[*model](ctx).job.Name, nil },
			udf.Parameter("region", "eu", "where"), udf.Parameter("limit", "10", ""),
			udf.Open(func(_ context.Context, job udf.Job) (*model, error) {
				opened++
				return &model{job, &closed, bad}, nil
			}))
	})
	if got := f.Describe().Parameters; len(got) != 2 || got[0] != (udf.ParameterInfo{Name: "region", Default: "eu", Doc: "where"}) {
		t.Errorf("parameters: %v", got)
	}
	if _, err := f.CallJSON(context.Background(), []byte("1")); err == nil || !strings.Contains(err.Error(), "f is not opened") {
		t.Errorf("unopened: %v", err)
	}
	given := map[string]string{"region": "us", "other": "x"}
	instance, err := f.Open(context.Background(), udf.Job{Name: "payments", Parameters: given, Subtask: 1, Parallelism: 2, Attempt: 3})
	if err != nil {
		t.Fatal(err)
	}
	a, b := instance.Caller(), instance.Caller()
	for _, c := range []*udf.Caller{a, b, a} {
		if got, err := eval[int64, string](c, 1); err != nil || got[0] != "payments" {
			t.Errorf("got %v, %v", got, err)
		}
	}
	if got, err := instance.CallJSON(context.Background(), []byte("1")); err != nil || string(got) != `{"value":"payments"}` {
		t.Errorf("got %s, %v", got, err)
	}
	if opened != 1 || len(given) != 2 {
		t.Errorf("opened %d times; the caller's parameters are %v", opened, given)
	}
	if err := instance.Close(); !errors.Is(err, bad) || err.Error() != "close f: disk is gone" {
		t.Errorf("close: %v", err)
	}
	if err := instance.Close(); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}
	if _, err := eval[int64, string](a, 1); !errors.Is(err, udf.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if _, err := instance.CallJSON(context.Background(), []byte("1")); !errors.Is(err, udf.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// TestJobParametersHaveDefaults: one that is not declared does not come, as in Flink.
func TestJobParametersHaveDefaults(t *testing.T) {
	var job udf.Job
	f := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", plusOne, udf.Parameter("region", "eu", ""), udf.Parameter("limit", "10", ""), udf.Open(func(_ context.Context, j udf.Job) (int, error) {
			job = j
			return 0, nil
		}))
	})
	if _, err := f.Open(context.Background(), udf.Job{Parameters: map[string]string{"limit": "", "more": "y"}, Attempt: 2}); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"region": "eu", "limit": ""}; !maps.Equal(job.Parameters, want) || job.Attempt != 2 {
		t.Errorf("got %+v", job)
	}
}

func opens(t *testing.T, fn func(ctx context.Context, job udf.Job) (string, error)) *udf.Function {
	t.Helper()
	return one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(ctx context.Context, _ int64) (string, error) { return udf.Opened[string](ctx), nil }, udf.Open(fn))
	})
}

func TestOpenFails(t *testing.T) {
	bad := errors.New("no model")
	_, err := opens(t, func(context.Context, udf.Job) (string, error) { return "", bad }).Open(context.Background(), udf.Job{})
	if !errors.Is(err, bad) || err.Error() != "open f: no model" {
		t.Errorf("got %v", err)
	}
	_, err = opens(t, func(context.Context, udf.Job) (string, error) { panic(bad) }).Open(context.Background(), udf.Job{})
	var panicked *udf.PanicError
	if !errors.As(err, &panicked) || !errors.Is(err, bad) || !strings.Contains(string(panicked.Stack), "open_test.go") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = opens(t, func(ctx context.Context, _ udf.Job) (string, error) { return "", ctx.Err() }).Open(ctx, udf.Job{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestGoroutinesOfOpenLiveUntilClose(t *testing.T) {
	var ended bool
	f := opens(t, func(ctx context.Context, _ udf.Job) (string, error) {
		udf.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); ended = true; return ctx.Err() })
		return "x", nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	instance, err := f.Open(ctx, udf.Job{})
	if err != nil {
		t.Fatal(err)
	}
	cancel() // bounds the opening, which is over
	if got, err := eval[int64, string](instance.Caller(), 1); err != nil || got[0] != "x" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := instance.Close(); err != nil || !ended {
		t.Errorf("close: %v, the goroutine has ended: %v", err, ended)
	}
}

func TestGoroutineOfOpenThatFailsBreaksTheFunction(t *testing.T) {
	fail, failed := make(chan struct{}), make(chan struct{})
	f := opens(t, func(ctx context.Context, _ udf.Job) (string, error) {
		wait := udf.Go(ctx, func(context.Context) error { <-fail; panic("refresh") })
		udf.Go(ctx, func(context.Context) error { _ = wait(); close(failed); return nil })
		return "x", nil
	})
	c := open(t, f)
	if _, err := eval[int64, string](c, 1); err != nil {
		t.Fatal(err)
	}
	close(fail)
	<-failed
	if _, err := eval[int64, string](c, 1); err == nil || err.Error() != "a goroutine of udf.Open ended: panic: refresh" {
		t.Errorf("got %v", err)
	}
}

func TestOpenedOfAnotherType(t *testing.T) {
	for _, tc := range []struct {
		ctx  context.Context
		want string
	}{
		{context.Background(), "udf.Opened[int]: nothing is opened; register the function with udf.Open"},
		{udf.WithOpened(context.Background(), "text"), "udf.Opened[int]: the function's udf.Open returned string"},
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, tc.want) {
					t.Errorf("got %q", text)
				}
			}()
			udf.Opened[int](tc.ctx)
		}()
	}
	if got := udf.Opened[int](udf.WithOpened(context.Background(), 7)); got != 7 {
		t.Errorf("got %d", got)
	}
}

// What only calls need is made by Open: a library has more functions than a job uses, and its first row waits for all of
// their registrations.
func TestRegistrationCompilesNothing(t *testing.T) {
	if fastjson.Engine != "sonic" {
		t.Skip("nothing is compiled by ", fastjson.Engine)
	}
	type event struct {
		ID    string `json:"id"`
		Items []struct {
			SKU   string  `json:"sku"`
			Price float64 `json:"price"`
		} `json:"items"`
	}
	r := udf.NewRegistry()
	registered := allocations(func() {
		udf.JSON(r, "f", func(_ context.Context, e event) (int, error) { return len(e.Items), nil })
	})
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	var instance *udf.Instance
	opened := allocations(func() {
		var err error
		if instance, err = r.Functions()[0].Open(t.Context(), udf.Job{}); err != nil {
			t.Fatal(err)
		}
	})
	if opened < 10*registered {
		t.Errorf("registration takes %d allocations, and Open %d", registered, opened)
	}
	called := allocations(func() {
		if got, err := instance.CallJSON(t.Context(), []byte(`{"items":[{},{}]}`)); err != nil || string(got) != `{"value":2}` {
			t.Errorf("got %s, %v", got, err)
		}
	})
	if called > opened/10 {
		t.Errorf("the first call takes %d allocations, and Open %d", called, opened)
	}
}

func allocations(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}
