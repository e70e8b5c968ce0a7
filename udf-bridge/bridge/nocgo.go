//go:build !cgo

package bridge

import "github.com/drey-flink/drey/udf-bridge/udf"

// Register does nothing here: without cgo there is no C interface, and go build -buildmode=c-shared says so.
func Register(...func(*udf.Registry)) {}
