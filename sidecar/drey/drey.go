// Package drey makes a sidecar out of your functions. A program of your own is
//
//	func main() { drey.Main(Register) }
//
//	func Register(r *udf.Registry) { udf.Scalar(r, "risk_score", riskScore) }
//
// and has every command of drey: serve, functions, config check and the rest. The functions that come with Drey are
// there too; one of yours takes the place of a built-in one of the same name.
package drey

import (
	"context"
	"os"

	"github.com/drey-flink/drey/sidecar/internal/cli"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Main runs the command line of the process and does not return.
func Main(register ...func(*udf.Registry)) {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, register...))
}
