package fraud_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/drey-flink/drey/sidecar/functions/fraud"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// A job sends the transaction together with what Flink remembers of the account.
func Example() {
	registry := udf.NewRegistry()
	fraud.Register(registry)
	function, _ := registry.Lookup("fraud")

	result, err := function.CallJSON(context.Background(), []byte(`{
		"accountId": 3, "timestamp": 1700000041000, "amount": 505.00,
		"previousAmount": 0.43, "previousTimestamp": 1700000000000}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var verdict fraud.Verdict
	if err := json.Unmarshal(result, &verdict); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f %s\n", verdict.Score, verdict.Decision)
	fmt.Println(verdict.Reasons[0])
	// Output:
	// 0.97 alert
	// small amount 0.43 followed by 505.00 within 41 s
}
