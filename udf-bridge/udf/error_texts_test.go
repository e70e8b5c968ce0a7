package udf_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// TestTextsOfResultErrors: a result that is no value of its type is said in one sentence, the same by rows and by JSON.
func TestTextsOfResultErrors(t *testing.T) {
	type item struct{ Name string }
	const utf8 = " is not valid UTF-8, which STRING must be; return []byte for BYTES"
	check := func(want string, byRow, byJSON error) {
		t.Helper()
		var result *udf.ResultError
		for how, err := range map[string]error{"row": byRow, "JSON": byJSON} {
			if err == nil || err.Error() != want || !errors.As(err, &result) {
				t.Errorf("by %s: got  %v\nwant %s", how, err, want)
			}
		}
	}
	byRow, byJSON := evalRow(t, "\xff")
	check("the result"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, item{"\xff"})
	check("the result's name"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, &item{"\xff"})
	check("the result's name"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, []item{{}, {"\xff"}})
	check("the result[1].name"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, map[int8][]string{7: {"\xff"}})
	check("the result[7][0]"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, struct{ M map[string]int64 }{map[string]int64{"\xff": 1}})
	check("the result's m[a key]"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, udf.Multiset[string]{"\xff": 1})
	check("the result[a key]"+utf8, byRow, byJSON)
	byRow, byJSON = evalRow(t, udf.TimeOfDay(-1))
	check("the result -1 ms is no time of a day; it must be 0 to 86399999", byRow, byJSON)
	for value, want := range map[float64]string{
		math.NaN():  "the result's scores[0] is NaN, which JSON cannot carry; return a *float64 or udf.Null, and leave it NULL",
		math.Inf(1): "the result's scores[0] is +Inf, which JSON cannot carry; return a *float64 or udf.Null, and leave it NULL",
	} {
		_, byJSON := evalRow(t, struct{ Scores []float64 }{[]float64{value}}) // rows carry it
		check(want, byJSON, byJSON)
	}
}

// TestTextOfAFixedResult: a function of numbers alone has no row around its result.
func TestTextOfAFixedResult(t *testing.T) {
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(context.Context, int64) (udf.TimeOfDay, error) { return -1, nil })
	}))
	err := c.Fixed(context.Background(), &udf.FixedCall{})
	if want := "the result -1 ms is no time of a day; it must be 0 to 86399999"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestTextsOfAccumulators: what an aggregate knows so far is called by its name, not the result's.
func TestTextsOfAccumulators(t *testing.T) {
	const utf8 = " is not valid UTF-8, which STRING must be; return []byte for BYTES"
	accumulate := func(register func(*udf.Registry), opts ...udf.OpenOption) error {
		row, err := udf.EncodeRows("text")
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, one(t, register), opts...).Call(context.Background(), udf.OpAccumulate, append(sized(nil), row...), nil)
		return err
	}
	type named struct{ Last string }
	type nested struct{ All []named }
	for want, register := range map[string]func(*udf.Registry){
		"the accumulator" + utf8: func(r *udf.Registry) {
			udf.Aggregate(r, "f", last(func(acc *string, _ string) { *acc = "\xff" }))
		},
		"the accumulator's last" + utf8: func(r *udf.Registry) {
			udf.Aggregate(r, "f", last(func(acc *named, _ string) { acc.Last = "\xff" }))
		},
		"the accumulator[0].all[0].last" + utf8: func(r *udf.Registry) {
			udf.Aggregate(r, "f", last(func(acc *[]nested, _ string) { *acc = []nested{{[]named{{"\xff"}}}} }))
		},
	} {
		var result *udf.ResultError
		if err := accumulate(register); err == nil || err.Error() != want || !errors.As(err, &result) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// last is an aggregation that keeps what set makes of the last text.
func last[Acc any](set func(acc *Acc, text string)) udf.Aggregation[string, Acc, bool] {
	return udf.Aggregation[string, Acc, bool]{
		Accumulate: func(_ context.Context, acc *Acc, text string) error { set(acc, text); return nil },
		Result:     func(context.Context, Acc) (bool, error) { return true, nil },
	}
}
