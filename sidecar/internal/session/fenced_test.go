package session

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// TestFencedSessionDoesNotComeBack: the process was killed after the newer session was on the disk, and before the one that
// it takes over was removed from it.
func TestFencedSessionDoesNotComeBack(t *testing.T) {
	config := DefaultConfig()
	config.Prefix, config.Folder = "drey/", t.TempDir()
	start := func() *Manager {
		t.Helper()
		m, err := New(config, memory.New(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	stop := func(m *Manager) {
		t.Helper()
		if err := m.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	m := start()
	spec := Spec{Job: "job", Operator: "op", MaxParallelism: 4, KeyGroups: statestore.Range{To: 3}}
	old, err := m.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	folder, aside := m.disk.sessionFolder(old.Fence), filepath.Join(t.TempDir(), "aside")
	if err := os.CopyFS(aside, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	newer, err := m.Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	stop(m)
	if err := os.CopyFS(folder, os.DirFS(aside)); err != nil {
		t.Fatal(err)
	}

	m = start()
	defer stop(m)
	if err := m.Mark(t.Context(), old, Mark{Epoch: 1}); CodeOf(err) != CodeFenced {
		t.Errorf("the session that was taken over: %v", err)
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if err := m.Mark(t.Context(), newer, Mark{Epoch: 1}); err != nil {
		t.Errorf("the newer session: %v", err)
	}
}
