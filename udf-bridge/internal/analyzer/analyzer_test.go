package analyzer_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/internal/analyzer"
)

const below = "github.com/drey-flink/drey/udf-bridge/internal/analyzer/testdata/"

func load(t *testing.T, cgo string, names ...string) (*analyzer.Code, error) {
	t.Helper()
	p := analyzer.Program{Env: []string{"CGO_ENABLED=" + cgo}}
	for _, name := range names {
		p.Packages = append(p.Packages, below+name)
	}
	return analyzer.Load(t.Context(), p)
}

func TestCheck(t *testing.T) {
	code, err := load(t, "0", "bad", "good")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range code.Check(nil) {
		line := fmt.Sprintf("%s:%d %s", filepath.Base(f.Position.Filename), f.Position.Line, f.Rule)
		if f.Warning {
			line += " warning"
		}
		got = append(got, line)
		if !strings.Contains(f.Message, "TaskManager") && f.Rule != analyzer.Signal && f.Rule != analyzer.Thread || !strings.Contains(f.Message, "; ") {
			t.Errorf("%s: the message does not say what it costs and what to do instead", f)
		}
	}
	if diff := cmp.Diff(wanted(t, "testdata/bad/bad.go"), got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// wanted reads the comments "// want RULE".
func wanted(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []string
	comment := regexp.MustCompile(`// want (.*)$`)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if m := comment.FindStringSubmatch(lines.Text()); m != nil {
			want = append(want, fmt.Sprintf("%s:%d %s", filepath.Base(path), n, m[1]))
		}
	}
	return want
}

func TestCheck_allowed(t *testing.T) {
	code, err := load(t, "0", "bad")
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := analyzer.Allowed([]string{"exit", "goroutine"})
	if err != nil {
		t.Fatal(err)
	}
	var rules []analyzer.Rule
	for _, f := range code.Check(allowed) {
		rules = append(rules, f.Rule)
	}
	if !slices.Equal(rules, []analyzer.Rule{analyzer.Signal, analyzer.Thread}) {
		t.Errorf("left: %v", rules)
	}
	if _, err := analyzer.Allowed([]string{"exits"}); err == nil || !strings.Contains(err.Error(), "there are exit, goroutine, signal") {
		t.Errorf("error %v", err)
	}
}

func TestCheck_cgo(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc: code with cgo cannot be loaded")
	}
	code, err := load(t, "1", "cgo")
	if err != nil {
		t.Fatal(err)
	}
	found := code.Check(nil)
	if len(found) != 1 || found[0].Rule != analyzer.Cgo || !found[0].Warning || found[0].Position.Line != 5 {
		t.Errorf("found %v", found)
	}
}

func TestRegisters(t *testing.T) {
	code, err := load(t, "0", "good", "noregister", "wrongregister")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"good":          "",
		"noregister":    "has no func Register(r *udf.Registry)",
		"wrongregister": "wrongregister.go:7:6: Register of package",
		"unknown":       "was not loaded",
	} {
		switch err := code.Registers(below + name); {
		case err == nil && want != "", err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

func TestLoad_broken(t *testing.T) {
	_, err := load(t, "0", "broken")
	if err == nil || !strings.Contains(err.Error(), "broken.go:4:13: cannot use \"text\"") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("error %v", err)
	}
}
