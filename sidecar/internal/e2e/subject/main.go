// Subject is the sidecar of the end-to-end tests: a function of a user's own in the place of fraud, which is slow, and
// which some records make fail or panic. The program is also the least that a sidecar of one's own needs.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/drey-flink/drey/sidecar/drey"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

func main() { drey.Main(register) }

func register(r *udf.Registry) { udf.Scalar(r, "fraud", decide) }

type payment struct {
	AccountID int64 `udf:"accountId"`
	Amount    float64
}

type verdict struct {
	Score    float64
	Decision string
	Reasons  []string
}

func decide(ctx context.Context, p payment) (verdict, error) {
	switch cents := int64(p.Amount*100 + 0.5); {
	case cents%97 == 0:
		return verdict{}, errors.New("an amount that this function cannot take")
	case cents%101 == 0:
		panic("an amount that nobody thought of")
	}
	select {
	case <-time.After(5 * time.Millisecond):
		return verdict{Score: 0.5, Decision: "pass", Reasons: []string{"slow"}}, nil
	case <-ctx.Done():
		return verdict{}, ctx.Err()
	}
}
