package udftest

import (
	"context"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Benchmark measures what a row costs in Go, the way through the row codec included: it calls the function with one row of
// in after the other, each as [Call] takes it, until the benchmark is over. The function was opened with b. Rows like those
// of the job make a profile by which the Go compiler can decide what to inline:
//
//	go test -bench . -cpuprofile default.pgo
func Benchmark(b *testing.B, f *Function, in ...any) {
	b.Helper()
	if len(in) == 0 {
		b.Fatal("a benchmark needs a row")
	}
	messages := make([][]byte, len(in))
	for i, row := range in {
		messages[i] = f.message(row)
	}
	result := make([]byte, 0, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := f.caller.Call(context.Background(), udf.OpEval, messages[i%len(messages)], result); err != nil {
			b.Fatalf("%s(%v): %v", f.Describe().Name, in[i%len(in)], err)
		}
	}
}
