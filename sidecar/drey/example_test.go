package drey_test

import (
	"context"

	"github.com/drey-flink/drey/sidecar/drey"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// A sidecar of your own is a main with one line, and a Register.
func Example() {
	drey.Main(Register)
}

// Register adds the program's functions.
func Register(r *udf.Registry) { udf.Scalar(r, "risk_score", riskScore) }

type transaction struct {
	Amount float64
	Region *string // nullable
}

func riskScore(_ context.Context, tx transaction) (float64, error) {
	if tx.Region == nil {
		return 0.9, nil
	}
	return min(1, tx.Amount/10_000), nil
}
