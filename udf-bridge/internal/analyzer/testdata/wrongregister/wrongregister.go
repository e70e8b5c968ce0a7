// Package wrongregister takes its registry by value.
package wrongregister

import "github.com/drey-flink/drey/udf-bridge/udf"

// Register is not as it should be.
func Register(udf.Registry) {}
