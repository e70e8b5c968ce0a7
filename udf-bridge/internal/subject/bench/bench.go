// Package bench is what `scripts/bench udf` measures: small functions whose twins in Java and in Python do exactly the
// same (package dev.drey.flink.jobs.bench, and the script beside the benchmark).
package bench

import (
	"context"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Register adds the functions to a registry.
func Register(r *udf.Registry) {
	udf.Scalar(r, "plus_one", plusOne, udf.Doc("the next number"), udf.Deterministic(true), udf.Args("n"))
	udf.Scalar(r, "upper_concat", upperConcat, udf.Doc("the first text in capitals, and the second"), udf.Deterministic(true))
	udf.JSON(r, "process_json", processJSON, udf.Doc("score of an order, as JSON"), udf.Deterministic(true), udf.Args("event"))
	udf.Scalar(r, "decide", decide, udf.Doc("what to do about an order"), udf.Deterministic(true))
}

func plusOne(_ context.Context, n int64) (int64, error) { return n + 1, nil }

type texts struct {
	First, Second string
}

func upperConcat(_ context.Context, in texts) (string, error) {
	return strings.ToUpper(in.First) + in.Second, nil
}

// event is an order as a shop sends it; more items make it larger.
type event struct {
	ID     string  `json:"id"`
	Amount float64 `json:"amount"`
	Items  []item  `json:"items"`
	Note   string  `json:"note"`
}

type item struct {
	SKU      string  `json:"sku"`
	Price    float64 `json:"price"`
	Quantity int64   `json:"quantity"`
}

type scored struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
	Items int64   `json:"items"`
}

// processJSON scores how far the amount is from what the items cost: 0 is exact, 1 is anything.
func processJSON(_ context.Context, e event) (scored, error) {
	var total float64
	for _, i := range e.Items {
		total += i.Price * float64(i.Quantity)
	}
	off := e.Amount - total
	if off < 0 {
		off = -off
	}
	return scored{ID: e.ID, Score: off / (off + total + 1), Items: int64(len(e.Items))}, nil
}

type order struct {
	ID      int64
	Account int64
	Amount  float64
	Items   int32
	Country string
	Known   bool
}

type decideIn struct {
	Order order
}

type decision struct {
	ID       int64
	Score    float64
	Decision string
	Limit    int64
}

func decide(_ context.Context, in decideIn) (decision, error) {
	o := &in.Order
	score := o.Amount / (o.Amount + 1000)
	if !o.Known {
		score += (1 - score) / 2
	}
	d := decision{ID: o.ID, Score: score, Decision: "pass", Limit: 100 * int64(o.Items)}
	if score > 0.8 {
		d.Decision, d.Limit = "review "+o.Country, o.Account%1000
	}
	return d, nil
}
