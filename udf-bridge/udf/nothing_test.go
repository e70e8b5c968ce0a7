package udf_test

import (
	"context"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
	"github.com/drey-flink/drey/udf-bridge/udf/udftest"
)

// struct{} as the input is no argument, in every kind of function; as a result it is no type.
func TestNoArguments(t *testing.T) {
	register := func(r *udf.Registry) {
		udf.Scalar(r, "answer", func(context.Context, struct{}) (string, error) { return "42", nil })
		udf.Table(r, "twice", func(_ context.Context, _ struct{}, emit func(int64)) error {
			emit(1)
			emit(2)
			return nil
		})
		udf.Aggregate(r, "rows_seen", udf.Aggregation[struct{}, int64, int64]{
			Accumulate: func(_ context.Context, acc *int64, _ struct{}) error { *acc++; return nil },
			Result:     func(_ context.Context, acc int64) (int64, error) { return acc, nil },
		})
	}
	r := udf.NewRegistry()
	register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"answer": "answer() -> STRING NOT NULL", "twice": "twice() -> BIGINT NOT NULL", "rows_seen": "rows_seen() -> BIGINT NOT NULL USING BIGINT NOT NULL",
	} {
		f, _ := r.Lookup(name)
		if d := f.Describe(); len(d.Arguments) != 0 || d.Signature() != want {
			t.Errorf("%s: %s, %d arguments", name, d.Signature(), len(d.Arguments))
		}
	}
	udftest.CheckAll(t, register)

	refused := udf.NewRegistry()
	udf.Scalar(refused, "f", func(context.Context, int64) (struct{}, error) { return struct{}{}, nil })
	if refused.Err() == nil {
		t.Error("a result without a value was taken")
	}
}
