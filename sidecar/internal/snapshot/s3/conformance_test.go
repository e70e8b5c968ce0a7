package s3_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

func TestConformance(t *testing.T) {
	server := snapshottest.StartS3(t)
	count := 0
	snapshottest.Conformance(t, func(t *testing.T) snapshottest.Store {
		count++
		return server.Bucket(t, fmt.Sprintf("bucket-%d", count))
	})
}

// More objects than one answer holds.
func TestListPages(t *testing.T) {
	server := snapshottest.StartS3(t)
	s := server.Bucket(t, "bucket")
	const n = 2500
	for i := range n {
		if err := os.WriteFile(filepath.Join(server.Folder, "bucket", fmt.Sprintf("k%04d", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	for o, err := range s.List(t.Context(), "k") {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("k%04d", next); o.Key != want {
			t.Fatalf("got %s, want %s", o.Key, want)
		}
		next++
	}
	if next != n {
		t.Errorf("%d objects of %d", next, n)
	}
}
