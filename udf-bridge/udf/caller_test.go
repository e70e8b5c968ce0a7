package udf_test

import (
	"context"
	"errors"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

func open(t testing.TB, f *udf.Function, opts ...udf.OpenOption) *udf.Caller {
	t.Helper()
	instance, err := f.Open(context.Background(), udf.Job{}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := instance.Close(); err != nil {
			t.Error(err)
		}
	})
	return instance.Caller()
}

func plusOne(_ context.Context, n int64) (int64, error) { return n + 1, nil }

func TestFixed(t *testing.T) {
	f := one(t, func(r *udf.Registry) { udf.Scalar(r, "plus_one", plusOne) })
	if !f.Describe().Fixed() {
		t.Fatal("BIGINT -> BIGINT is not fixed")
	}
	c := open(t, f)
	if got, null, err := c.Fixed(context.Background(), 0, &[4]int64{41}); got != 42 || null || err != nil {
		t.Errorf("got %d, %v, %v", got, null, err)
	}
	var input *udf.InputError
	if _, _, err := c.Fixed(context.Background(), 1, &[4]int64{}); !errors.As(err, &input) {
		t.Errorf("NULL for NOT NULL: got %v", err)
	}
	ctx := context.Background()
	args := [4]int64{41}
	if n := testing.AllocsPerRun(1000, func() { _, _, _ = c.Fixed(ctx, 0, &args) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkFixed(b *testing.B) {
	r := udf.NewRegistry()
	udf.Scalar(r, "plus_one", plusOne)
	c := open(b, r.Functions()[0])
	ctx := context.Background()
	args := [4]int64{41}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := c.Fixed(ctx, 0, &args); err != nil {
			b.Fatal(err)
		}
	}
}
