// Package udf is what a Go developer imports to write a function for Flink.
//
// A package of user functions exports Register and names its functions there:
//
//	type Payment struct {
//		Account int64
//		Amount  float64
//		Country *string // a pointer may be NULL
//	}
//
//	type Risk struct {
//		Score   float64
//		Reasons []string
//	}
//
//	func Register(r *udf.Registry) {
//		udf.Scalar(r, "risk_score", riskScore, udf.Doc("risk of one payment"))
//	}
//
//	func riskScore(ctx context.Context, p Payment) (Risk, error) { ... }
//
// The Go types are read once, at registration: each exported field of the input struct is one argument, named by its
// `udf:"name"` tag or by the field's name in snake_case; any other input type is a single argument. A struct as result
// is a ROW. Nullable is a pointer or a Null; NULL never turns into zero. A type that has no counterpart in Flink is an
// error of the registration that names the field ([Registry.Err]).
//
// The same function runs unchanged wherever Drey places it. The sidecar calls it with JSON ([Function.CallJSON]).
package udf
