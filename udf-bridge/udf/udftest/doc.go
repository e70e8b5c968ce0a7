// Package udftest runs a function as Flink runs it: opened with a job, called through the row codec in both directions, on
// memory that is not its own, closed at the end.
//
//	func TestRiskScore(t *testing.T) {
//		f := udftest.Open(t, risk.Register, "risk_score")
//		if got := udftest.Call[risk.Risk](f, risk.Payment{Account: 7, Amount: 612.1}); got.Score != 0.9 {
//			t.Errorf("got %v", got)
//		}
//		udftest.Check(f)
//	}
//
// [Check] calls the function with NULL wherever it may be and with the extremes of every type, and finds what would fail
// a job: panics, results that are no value of their SQL type, results that depend on the order of rows or on memory that
// the function may not keep. [CheckAll] does so with every function of a package.
//
// A panic is an error here as it is there, with the stack: [Error] returns it. Table functions have [Rows]. An aggregate
// has a [Group], whose accumulator can be taken through a restart:
//
//	g := udftest.Open(t, Register, "weighted_avg").Group()
//	g.Add(Weighted{Value: 3, Weight: 2})
//	g.Restart() // what is in Flink's state is all that is left
//	g.Add(Weighted{Value: 6, Weight: 1})
//	avg := udftest.Result[float64](g)
package udftest
