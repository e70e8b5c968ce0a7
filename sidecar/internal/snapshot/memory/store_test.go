package memory_test

import (
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestConformance(t *testing.T) {
	snapshottest.Conformance(t, func(*testing.T) snapshottest.Store { return memory.New() })
}
