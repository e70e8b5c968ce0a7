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
	call := udf.FixedCall{Args: [4]int64{41}, Null: 1}
	if err := c.Fixed(context.Background(), &call); call.Value != 42 || call.Null != 0 || err != nil {
		t.Errorf("got %+v, %v", call, err)
	}
	var input *udf.InputError
	if err := c.Fixed(context.Background(), &udf.FixedCall{Nulls: 1}); !errors.As(err, &input) {
		t.Errorf("NULL for NOT NULL: got %v", err)
	}
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { _ = c.Fixed(ctx, &call) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

// Arguments that are nothing but words in Go too are read where the call has them, and all others are not: a field that is
// no argument must not become what happens to stand there.
func TestFixedArguments(t *testing.T) {
	type pair struct{ A, B int64 }
	type withMore struct {
		A    int64
		More *pair `udf:"-"`
	}
	type lessFirst struct {
		//lint:ignore U1000 a field that is no argument
		less int64
		B, C int64
	}
	for name, function := range map[string]func(r *udf.Registry){
		"no argument": func(r *udf.Registry) {
			udf.Scalar(r, "f", func(context.Context, struct{}) (int64, error) { return 12, nil })
		},
		"two words": func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, in pair) (int64, error) { return in.A + in.B, nil })
		},
		"a field behind": func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, in withMore) (int64, error) {
				if in.More != nil {
					return 0, errors.New("a field that is no argument was set")
				}
				return in.A + 5, nil
			})
		},
		"a field before": func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, in lessFirst) (int64, error) { return in.less + in.B + in.C, nil })
		},
		"a smaller one": func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, in struct {
				A int32
				B int64
			}) (int64, error) {
				return int64(in.A) + in.B, nil
			})
		},
	} {
		c := open(t, one(t, function))
		for range 2 {
			call := udf.FixedCall{Args: [4]int64{7, 5, 1 << 40, 1 << 40}}
			if err := c.Fixed(context.Background(), &call); call.Value != 12 || err != nil {
				t.Errorf("%s: %+v, %v", name, call, err)
			}
		}
	}
}

func BenchmarkFixed(b *testing.B) {
	r := udf.NewRegistry()
	udf.Scalar(r, "plus_one", plusOne)
	c := open(b, r.Functions()[0])
	ctx := context.Background()
	call := udf.FixedCall{Args: [4]int64{41}}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Fixed(ctx, &call); err != nil {
			b.Fatal(err)
		}
	}
}
