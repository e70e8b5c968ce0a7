// Package functions is what the end-to-end tests call inside the TaskManager: fraud, for the job that comes with Drey, and
// two small ones, one of which some rows make panic.
package functions

import (
	"context"

	"github.com/drey-flink/drey/sidecar/functions/fraud"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Register adds the functions to a registry.
func Register(r *udf.Registry) {
	fraud.Register(r)
	udf.Scalar(r, "next_number", nextNumber, udf.Args("n"), udf.Deterministic(true))
	udf.Scalar(r, "shelf", shelf, udf.Args("n"), udf.Deterministic(true))
}

func nextNumber(_ context.Context, n int64) (int64, error) { return n + 1, nil }

var shelves = []string{"left", "middle", "right"}

// shelf panics for what is on no shelf, as a forgotten check of bounds does.
func shelf(_ context.Context, n int64) (string, error) { return lookUp(n), nil }

func lookUp(n int64) string { return shelves[n] }
