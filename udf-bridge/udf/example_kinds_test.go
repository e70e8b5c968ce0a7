package udf_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

func ExampleTable() {
	r := udf.NewRegistry()
	udf.Table(r, "words", func(_ context.Context, text string, emit func(string)) error {
		for _, w := range strings.Fields(text) {
			emit(w)
		}
		return nil
	}, udf.Args("text"))
	f, _ := r.Lookup("words")
	fmt.Println(f.Describe().Signature())
	rows, err := f.CallJSON(context.Background(), []byte(`"to be or not"`))
	fmt.Println(string(rows), err)
	// Output:
	// words(text STRING NOT NULL) -> STRING NOT NULL
	// {"value":["to","be","or","not"]} <nil>
}

type weighted struct {
	Value  float64
	Weight int64
}

// average is what is known of the rows so far. Flink keeps it in its state.
type average struct {
	Sum    float64
	Weight int64
}

func ExampleAggregate() {
	r := udf.NewRegistry()
	udf.Aggregate(r, "weighted_avg", udf.Aggregation[weighted, average, *float64]{
		Accumulate: func(_ context.Context, acc *average, in weighted) error {
			acc.Sum += in.Value * float64(in.Weight)
			acc.Weight += in.Weight
			return nil
		},
		Retract: func(_ context.Context, acc *average, in weighted) error {
			acc.Sum -= in.Value * float64(in.Weight)
			acc.Weight -= in.Weight
			return nil
		},
		Result: func(_ context.Context, acc average) (*float64, error) {
			if acc.Weight == 0 {
				return nil, nil // NULL
			}
			avg := acc.Sum / float64(acc.Weight)
			return &avg, nil
		},
	})
	f, _ := r.Lookup("weighted_avg")
	fmt.Println(f.Describe().Signature())
	// Output:
	// weighted_avg(value DOUBLE NOT NULL, weight BIGINT NOT NULL) -> DOUBLE USING ROW<`sum` DOUBLE NOT NULL, `weight` BIGINT NOT NULL> NOT NULL
}

// blocklist is read once for each operator, not for each row.
type blocklist map[string]bool

func ExampleOpen() {
	r := udf.NewRegistry()
	udf.Scalar(r, "is_blocked", func(ctx context.Context, country string) (bool, error) {
		return udf.Opened[blocklist](ctx)[country], nil
	},
		udf.Parameter("blocked", "", "countries that are blocked, with commas between them"),
		udf.Open(func(_ context.Context, job udf.Job) (blocklist, error) {
			list := blocklist{}
			for country := range strings.SplitSeq(job.Parameters["blocked"], ",") {
				list[country] = true
			}
			return list, nil
		}))
	f, _ := r.Lookup("is_blocked")
	opened, err := f.Open(context.Background(), udf.Job{Parameters: map[string]string{"blocked": "XX,YY"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer opened.Close()
	answer, err := opened.CallJSON(context.Background(), []byte(`"YY"`))
	fmt.Println(string(answer), err)
	// Output: {"value":true} <nil>
}

func ExampleJSON() {
	type order struct {
		Amount float64 `json:"amount"`
	}
	type score struct {
		Score float64 `json:"score"`
	}
	r := udf.NewRegistry()
	udf.JSON(r, "score_order", func(_ context.Context, o order) (score, error) {
		return score{o.Amount / (o.Amount + 100)}, nil
	})
	f, _ := r.Lookup("score_order")
	fmt.Println(f.Describe().Signature())
	answer, err := f.CallJSON(context.Background(), []byte(`{"amount": 300}`))
	fmt.Println(string(answer), err)
	// Output:
	// score_order(event STRING NOT NULL) -> STRING NOT NULL
	// {"score":0.75} <nil>
}
