package segment

import (
	"bytes"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden: what this version writes does not change by accident, and what was written is read for ever.
func TestGolden(t *testing.T) {
	store, refs, keys := sample(t)
	dump := func(key string) []byte {
		body, _, err := store.Open(t.Context(), key, snapshot.Whole())
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	golden := filepath.Join("testdata", "increment.segment")
	if *update {
		for key, name := range map[string]string{keys[0]: "base.segment", keys[1]: "increment.segment", keys[2]: "manifest.json"} {
			if err := os.WriteFile(filepath.Join("testdata", name), dump(key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := memory.New()
	for key, name := range map[string]string{keys[0]: "base.segment", keys[1]: "increment.segment", keys[2]: "manifest.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.Create(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
	}
	// The increment's keys are in the order of their changes, so that it comes out the same; the base's are in no order.
	if got, err := os.ReadFile(golden); err != nil || !bytes.Equal(got, dump(keys[1])) {
		t.Errorf("the increment is %s, not what is in %s (%v)", hex.EncodeToString(dump(keys[1])), golden, err)
	}
	var m *Manifest
	data, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err == nil {
		m, err = ParseManifest(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	was, err := Load(t.Context(), old, m, want(m.KeyGroups))
	if err != nil {
		t.Fatal(err)
	}
	now, err := Restore(t.Context(), store, refs, want(m.KeyGroups))
	if err != nil {
		t.Fatal(err)
	}
	if !equal(contents(was.Partitions), contents(now.Partitions)) {
		t.Errorf("the golden files hold %v, want %v", contents(was.Partitions), contents(now.Partitions))
	}
}
