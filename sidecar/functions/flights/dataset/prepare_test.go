package dataset

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPrepareFetchesOnce(t *testing.T) {
	store, dir := t.TempDir(), filepath.Join(t.TempDir(), "new", "data")
	fetched := 0
	from := source{sha256: small().write(t, store), fetch: func(_ context.Context, dir string) error {
		fetched++
		return os.Rename(filepath.Join(store, archiveName), filepath.Join(dir, archiveName))
	}}
	var steps []string
	for range 2 {
		path, err := prepare(t.Context(), dir, from, func(s string) { steps = append(steps, s) })
		if err != nil {
			t.Fatal(err)
		}
		if path != filepath.Join(dir, FileName) {
			t.Errorf("path %s", path)
		}
	}
	if fetched != 1 || len(steps) != 3 {
		t.Errorf("fetched %d times, steps %q", fetched, steps)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	if want := []string{FileName, stampName, archiveName}; !slices.Equal(names, want) {
		t.Errorf("left %q, want %q", names, want)
	}
}

func TestPrepareRepairs(t *testing.T) {
	dir := t.TempDir()
	from := source{sha256: small().write(t, dir), fetch: noFetch(t)}
	path, err := prepare(t.Context(), dir, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"cut short":    func() error { return os.Truncate(path, 100) },
		"removed":      func() error { return os.Remove(path) },
		"no stamp":     func() error { return os.Remove(filepath.Join(dir, stampName)) },
		"broken stamp": func() error { return os.WriteFile(filepath.Join(dir, stampName), []byte("{"), 0o644) },
		"older layout": func() error {
			return os.WriteFile(filepath.Join(dir, stampName), []byte(`{"layout":0,"archive_sha256":"`+from.sha256+`"}`), 0o644)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if ready(dir, from.sha256) {
			t.Errorf("%s: still counts as ready", name)
		}
		if _, err := prepare(t.Context(), dir, from, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != string(whole) {
			t.Errorf("%s: not the same file again (%v)", name, err)
		}
	}
}

func TestPrepareRefusesAnotherArchive(t *testing.T) {
	dir := t.TempDir()
	small().write(t, dir)
	_, err := prepare(t.Context(), dir, source{sha256: ArchiveSHA256, fetch: noFetch(t)}, nil)
	if err == nil || !strings.Contains(err.Error(), "sha256") || !strings.Contains(err.Error(), "remove it and run again") {
		t.Errorf("error %v", err)
	}
}

func TestPrepareStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := prepare(ctx, dir, source{sha256: small().write(t, dir), fetch: noFetch(t)}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestPublishIsAllOrNothing: a failed write leaves the old file and no other.
func TestPublishIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if _, err := publish(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return broken
	}); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("the file is %q (%v)", text, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files left (%v)", len(files), err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path, err := prepare(t.Context(), dir, source{sha256: small().write(t, dir), fetch: noFetch(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	var late []bool
	for row, err := range Load(path, func(r *Row) bool { return r.Month == 1 }) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, row.ID)
		if l, known := row.Late(); known {
			late = append(late, l)
		}
	}
	if !slices.Equal(ids, []string{"f-000001", "f-000002", "f-000003"}) || !slices.Equal(late, []bool{true, true}) {
		t.Errorf("ids %q, late %v", ids, late)
	}
	for range Load(path, nil) {
		break // stopping early is no error
	}
	for name, text := range map[string]string{
		"line 2":         `{"id":"f-000001"}` + "\n{\n",
		"unknown member": `{"id":"f-000001","dep_delay":3}` + "\n",
		"line 1":         `{"id":7}` + "\n",
	} {
		broken := filepath.Join(dir, "broken.jsonl")
		if err := os.WriteFile(broken, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range Load(broken, nil) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), name) && name != "unknown member" {
			t.Errorf("%s: error %v", name, last)
		}
	}
	for _, err := range Load(filepath.Join(dir, "none"), nil) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	}
}
