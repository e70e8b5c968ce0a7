// Package cgo has C code of its own.
package cgo

// static int one(void) { return 1; }
import "C"

// One is 1.
func One() int { return int(C.one()) }
