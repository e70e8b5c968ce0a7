package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackageName(t *testing.T) {
	for module, want := range map[string]string{
		"example.com/fraud":          "fraud",
		"example.com/My-Functions":   "myfunctions",
		"github.com/acme/pricing/v2": "pricing",
		"example.com/2fast":          "functions",
		"example.com/go":             "functions",
		"example.com/main":           "functions",
		"example.com/_":              "functions",
		"v3":                         "v3",
	} {
		if got := packageName(module); got != want {
			t.Errorf("%s: %s, want %s", module, got, want)
		}
	}
}

func TestLanguageVersion_isDreys(t *testing.T) {
	module, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\ngo " + languageVersion + ".0\n"; !strings.Contains(string(module), want) {
		t.Errorf("go.mod has no line %q: a new module would ask for another Go than Drey needs", strings.TrimSpace(want))
	}
}

// Nothing is written over, and nothing is written at all where it cannot work.
func TestWrite_refuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.go"), []byte("package mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Dir: full}, "is not empty (mine.go)"},
		{Options{Dir: filepath.Join(full, "mine.go")}, "not a directory"},
		{Options{Dir: filepath.Join(parent, "new"), Module: "example.com/a b"}, `module path "example.com/a b"`},
		{Options{Dir: filepath.Join(parent, "new"), Module: "/abs"}, `module path "/abs"`},
	} {
		if err := Write(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
	for dir, want := range map[string]int{full: 1, parent: 0} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != want {
			t.Errorf("%s holds %v (%v)", dir, entries, err)
		}
	}
}
