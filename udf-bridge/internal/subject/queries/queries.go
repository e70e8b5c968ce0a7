// Package queries is what the tests of Flink's SQL call (package dev.drey.flink.table): one small function for each thing
// that the planner and the runtime may do with a Go function.
package queries

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Register adds the functions to a registry.
func Register(r *udf.Registry) {
	udf.Scalar(r, "plus_one", plusOne, udf.Doc("The next number."))
	udf.Scalar(r, "abs", same, udf.Doc("What it is given, unlike Flink's own function of that name."))
	udf.Scalar(r, "describe_payment", describePayment)
	udf.Scalar(r, "next_if_any", nextIfAny)
	udf.Scalar(r, "join_strict", joinStrict, udf.NullOnNull())
	udf.Scalar(r, "strict_difference", strictDifference, udf.NullOnNull())
	udf.Scalar(r, "answer", func(context.Context, struct{}) (int64, error) { return 42, nil })
	udf.Scalar(r, "question", func(context.Context, struct{}) (string, error) { return "what do you get", nil })
	udf.Scalar(r, "dice", dice, udf.Deterministic(false))
	udf.Scalar(r, "greet", greet, udf.Args("name"), udf.Open(openGreeting),
		udf.Parameter("greeting", "hello", "what everyone is greeted with"))
	udf.Scalar(r, "swap", swap)
	udf.Scalar(r, "utf8_broken_after", utf8BrokenAfter)
	udf.Scalar(r, "bytes_of", bytesOf)
	udf.Scalar(r, "cents", cents)
	udf.Scalar(r, "receipt", receiptOf)
	udf.Scalar(r, "fail_on", failOn)
	udf.Scalar(r, "attempt_or_fail", attemptOrFail, udf.Open(openAttempt), udf.Deterministic(false))
	udf.JSON(r, "classify", classify)
	udf.Raw(r, "reverse_bytes", reverseBytes)
	udf.Table(r, "words", words, udf.Args("text"))
	udf.Table(r, "letters", letters, udf.NullOnNull())
	udf.Table(r, "below", below)
	udf.Aggregate(r, "total", udf.Aggregation[int64, sum, int64]{
		Accumulate: accumulateSum, Retract: retractSum, Merge: mergeSum, Result: resultSum,
	})
	udf.Aggregate(r, "longest", udf.Aggregation[*string, *string, *string]{
		Accumulate: accumulateLongest, Result: resultLongest,
	})
	udf.Aggregate(r, "rows_seen", udf.Aggregation[struct{}, int64, int64]{
		Accumulate: func(_ context.Context, acc *int64, _ struct{}) error { *acc++; return nil },
		Retract:    func(_ context.Context, acc *int64, _ struct{}) error { *acc--; return nil },
		Result:     func(_ context.Context, acc int64) (int64, error) { return acc, nil },
	})
}

func plusOne(_ context.Context, n int64) (int64, error) { return n + 1, nil }

func same(_ context.Context, n int64) (int64, error) { return n, nil }

type payment struct {
	Amount int64
	Factor float64
	Label  *string
}

func describePayment(_ context.Context, p payment) (string, error) {
	label := "NULL"
	if p.Label != nil {
		label = *p.Label
	}
	return fmt.Sprintf("%d * %g %s", p.Amount, p.Factor, label), nil
}

func nextIfAny(_ context.Context, n udf.Null[int32]) (udf.Null[int32], error) {
	n.V++
	return n, nil
}

type pair struct {
	Number int64
	Text   string
}

func joinStrict(_ context.Context, p pair) (string, error) {
	return fmt.Sprintf("%d:%s", p.Number, p.Text), nil
}

type difference struct {
	A, B int32
}

func strictDifference(_ context.Context, d difference) (int32, error) { return d.A - d.B, nil }

type die struct {
	Sides int64
}

func dice(_ context.Context, d die) (int64, error) {
	if d.Sides < 1 {
		return 0, fmt.Errorf("a die has a side at least, not %d", d.Sides)
	}
	return 1 + rand.Int64N(d.Sides), nil
}

type greeting struct {
	words string
	where string
}

func openGreeting(_ context.Context, job udf.Job) (*greeting, error) {
	words := job.Parameters["greeting"]
	if words == "" {
		return nil, errors.New("the parameter greeting is empty; set it to some words")
	}
	return &greeting{words: words, where: fmt.Sprintf("%d/%d of %s", job.Subtask, job.Parallelism, job.Name)}, nil
}

func greet(ctx context.Context, name string) (string, error) {
	g := udf.Opened[*greeting](ctx)
	return fmt.Sprintf("%s %s from %s", g.words, name, g.where), nil
}

type swapped struct {
	Text   string
	Number int64
	Tags   []string
}

func swap(_ context.Context, p pair) (swapped, error) {
	return swapped{Text: p.Text, Number: p.Number, Tags: strings.Split(p.Text, ",")}, nil
}

func utf8BrokenAfter(_ context.Context, text string) (string, error) { return text + "\xff", nil }

func bytesOf(_ context.Context, text string) ([]byte, error) { return []byte(text), nil }

type money struct {
	Amount decimal.Decimal `udf:"amount,DECIMAL(10,2)"`
	Factor int64
}

type priced struct {
	Total decimal.Decimal `udf:"total,DECIMAL(6,2)"`
}

func cents(_ context.Context, m money) (priced, error) {
	return priced{Total: m.Amount.Mul(decimal.NewFromInt(m.Factor))}, nil
}

type receipt struct {
	ID     int64
	Weight float64
	Amount decimal.Decimal `udf:"amount,DECIMAL(12, 4)"`
	Paid   time.Time
	Label  string
}

// receiptOf has arguments that columns of smaller types are cast to.
func receiptOf(_ context.Context, r receipt) (string, error) {
	return fmt.Sprintf("%d %g %s %s %s", r.ID, r.Weight, r.Amount, r.Paid.UTC().Format(time.RFC3339Nano), r.Label), nil
}

func failOn(_ context.Context, n int64) (int64, error) {
	if n == 13 {
		return 0, errors.New("thirteen is unlucky")
	}
	return n, nil
}

type failing struct {
	N  int64
	At int64
}

type attempt int

func openAttempt(_ context.Context, job udf.Job) (attempt, error) { return attempt(job.Attempt), nil }

// attemptOrFail fails once, in the first attempt.
func attemptOrFail(ctx context.Context, in failing) (int32, error) {
	attempt := udf.Opened[attempt](ctx)
	if attempt == 0 && in.N == in.At {
		return 0, fmt.Errorf("the first attempt ends at %d", in.N)
	}
	return int32(attempt), nil
}

type order struct {
	ID     string  `json:"id"`
	Amount float64 `json:"amount"`
}

type class struct {
	ID    string `json:"id"`
	Large bool   `json:"large"`
}

func classify(_ context.Context, o order) (class, error) {
	return class{ID: o.ID, Large: o.Amount > 100}, nil
}

func reverseBytes(_ context.Context, in []byte) ([]byte, error) {
	out := make([]byte, len(in))
	for i, b := range in {
		out[len(in)-1-i] = b
	}
	return out, nil
}

type word struct {
	Word string
	Size int32
}

func words(_ context.Context, text string, emit func(word)) error {
	for _, w := range strings.Fields(text) {
		emit(word{Word: w, Size: int32(len(w))})
	}
	return nil
}

func letters(_ context.Context, text string, emit func(string)) error {
	for _, r := range text {
		emit(string(r))
	}
	return nil
}

func below(_ context.Context, n int64, emit func(int64)) error {
	for i := range n {
		emit(i)
	}
	return nil
}

type sum struct {
	Sum  int64
	Rows int64
	Log  string // as long as there are rows: accumulators that change their size
}

func accumulateSum(_ context.Context, acc *sum, n int64) error {
	acc.Sum += n
	acc.Rows++
	acc.Log = strings.Repeat("+", int(acc.Rows))
	return nil
}

func retractSum(_ context.Context, acc *sum, n int64) error {
	acc.Sum -= n
	acc.Rows--
	acc.Log = strings.Repeat("+", max(0, int(acc.Rows)))
	return nil
}

func mergeSum(_ context.Context, acc *sum, other sum) error {
	acc.Sum += other.Sum
	acc.Rows += other.Rows
	acc.Log += other.Log
	return nil
}

func resultSum(_ context.Context, acc sum) (int64, error) { return acc.Sum, nil }

func accumulateLongest(_ context.Context, acc **string, text *string) error {
	if text != nil && (*acc == nil || len(*text) > len(**acc)) {
		*acc = text
	}
	return nil
}

func resultLongest(_ context.Context, acc *string) (*string, error) { return acc, nil }
