package bench

import (
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf/udftest"
)

// default.pgo, by which scripts/bench has the functions compiled, is of these and of BenchmarkProcessJSON:
//
//	go test -bench . -cpuprofile default.pgo
func BenchmarkCalls(b *testing.B) {
	name := "123456" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for function, rows := range map[string][]any{
		"plus_one":     {int64(41)},
		"upper_concat": {texts{name, name}},
		"decide": {
			decideIn{order{ID: 7, Account: 4711, Amount: 250, Items: 3, Country: "NL", Known: true}},
			decideIn{order{ID: 8, Account: 4712, Amount: 9000, Items: 1, Country: "DE"}},
		},
	} {
		b.Run(function, func(b *testing.B) { udftest.Benchmark(b, udftest.Open(b, Register, function), rows...) })
	}
}
