//go:build !linux

package snapshottest

import "testing"

// SmallFS skips the test: it mounts a file system as Linux does.
func SmallFS(t *testing.T, _ int64) string {
	t.Helper()
	t.Skip("needs Linux")
	return ""
}

// ReadOnly is never reached.
func ReadOnly(*testing.T, string) {}
