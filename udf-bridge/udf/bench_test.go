package udf_test

import (
	"context"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

type orderIn struct {
	ID, Account int64
	Amount      float64
	Items       int32
	Country     string
	Known       bool
}

type orderOut struct {
	ID       int64
	Score    float64
	Decision string
	Limit    int64
}

func decideOrder(_ context.Context, o orderIn) (orderOut, error) {
	return orderOut{ID: o.ID, Score: o.Amount / (o.Amount + 1000), Decision: "pass", Limit: o.Account}, nil
}

func benchmarkCall[In any](b *testing.B, register func(*udf.Registry), rows ...In) {
	r := udf.NewRegistry()
	register(r)
	c := open(b, r.Functions()[0])
	in, err := udf.EncodeRows(rows...)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 1<<16)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Call(ctx, udf.OpEval, in, dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}

var anOrder = orderIn{ID: 1, Account: 2, Amount: 250, Items: 3, Country: "DE", Known: true}

// BenchmarkRow6To4 is what scripts/bench measures through SQL, without Java: decode, call, encode.
func BenchmarkRow6To4(b *testing.B) {
	benchmarkCall(b, func(r *udf.Registry) { udf.Scalar(r, "f", decideOrder) }, anOrder)
}

func BenchmarkRow6To4Batch(b *testing.B) {
	rows := make([]orderIn, 128)
	for i := range rows {
		rows[i] = anOrder
	}
	benchmarkCall(b, func(r *udf.Registry) { udf.Scalar(r, "f", decideOrder) }, rows...)
}

type nestedIn struct{ Order orderIn }

func BenchmarkRow6To4Nested(b *testing.B) {
	benchmarkCall(b, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(ctx context.Context, in nestedIn) (orderOut, error) { return decideOrder(ctx, in.Order) })
	}, nestedIn{anOrder})
}
