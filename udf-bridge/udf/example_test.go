package udf_test

import (
	"context"
	"fmt"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

type payment struct {
	Account int64
	Amount  float64
	Country *string // nullable
}

type risk struct {
	Score   float64
	Reasons []string
}

func riskScore(_ context.Context, p payment) (risk, error) {
	if p.Amount > 500 && p.Country == nil {
		return risk{Score: 0.9, Reasons: []string{"large amount from nowhere"}}, nil
	}
	return risk{Score: 0.1}, nil
}

func ExampleScalar() {
	r := udf.NewRegistry()
	udf.Scalar(r, "risk_score", riskScore, udf.Doc("risk of one payment"))
	if err := r.Err(); err != nil {
		fmt.Println(err)
		return
	}
	f, _ := r.Lookup("risk_score")
	fmt.Println(f.Describe().Signature())

	result, err := f.CallJSON(context.Background(), []byte(`{"account": 7, "amount": 612.1}`))
	fmt.Println(string(result), err)
	_, err = f.CallJSON(context.Background(), []byte(`{"account": "seven"}`))
	fmt.Println(err)
	// Output:
	// risk_score(account BIGINT NOT NULL, amount DOUBLE NOT NULL, country STRING) -> ROW<`score` DOUBLE NOT NULL, `reasons` ARRAY<STRING NOT NULL> NOT NULL> NOT NULL
	// {"score":0.9,"reasons":["large amount from nowhere"]} <nil>
	// account: is a string, the function takes BIGINT; amount: is missing, the function takes DOUBLE NOT NULL
}
