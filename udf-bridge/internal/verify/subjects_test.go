package verify_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/internal/analyzer"
	"github.com/drey-flink/drey/udf-bridge/internal/basejartest"
	"github.com/drey-flink/drey/udf-bridge/internal/builder"
	"github.com/drey-flink/drey/udf-bridge/internal/console"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/internal/verify"
)

// built is a jar of test subjects, as go-udf-builder makes it.
func built(t *testing.T, subject string) (path string, m manifest.Manifest) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a library and starts JVMs: left out of short runs")
	}
	for _, command := range []string{"gcc", "javac", "java"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s on the PATH: there is no jar to verify", command)
		}
	}
	result, err := builder.Build(t.Context(), builder.Options{
		Dir: basejartest.Root(t), Patterns: []string{"./udf-bridge/internal/subject/" + subject}, ShimJar: basejartest.Compile(t),
		Allow: map[analyzer.Rule]bool{analyzer.Exit: true, analyzer.Goroutine: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if problems := verify.Content(result.Jar, result.Manifest); len(problems) > 0 {
		t.Errorf("content: %q", problems)
	}
	path = filepath.Join(t.TempDir(), "subject.jar")
	if err := result.Jar.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path, result.Manifest
}

// verified builds a jar of test subjects and calls the functions that keep wants in a real JVM.
func verified(t *testing.T, subject string, keep func(name string) bool) []verify.Verdict {
	t.Helper()
	path, m := built(t, subject)
	m.Functions = slices.DeleteFunc(m.Functions, func(f manifest.Function) bool { return !keep(f.Name) })
	verdicts, err := verify.Functions(t.Context(), m, verify.Options{
		Start: func(ctx context.Context) (*console.Console, error) {
			return console.Start(ctx, console.Options{Jar: path, Patience: time.Minute})
		},
		Parameters: map[string]string{"greeting": "good morning"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

// Every SQL type, nullable and not, nested, goes through Go in a real JVM and comes back; every kind of function too.
func TestFunctions_everyType(t *testing.T) {
	verdicts := verified(t, "echo", func(string) bool { return true })
	kinds := map[string]bool{}
	for _, v := range verdicts {
		kinds[v.Kind] = true
		if v.Calls < 3 {
			t.Errorf("%s: %d calls", v.Function, v.Calls)
		}
		for _, p := range v.Problems {
			t.Errorf("%s: %s: %s\n%s", v.Function, p.Case, p.What, p.Trace)
		}
		if v.Errors > v.Calls/2 && v.Kind != manifest.KindJSON && v.Kind != manifest.KindRaw {
			t.Errorf("%s: %d of %d calls ended with an error: %s", v.Function, v.Errors, v.Calls, v.Example)
		}
	}
	if len(verdicts) < 40 || !kinds[manifest.KindScalar] || !kinds[manifest.KindTable] || !kinds[manifest.KindAggregate] {
		t.Errorf("%d functions of the kinds %v", len(verdicts), kinds)
	}
}

// A Java program calls GoUDFProxy.processJson with nothing but the jar on its class path.
func TestProcessJSON(t *testing.T) {
	jar, _ := built(t, "faults")
	program := filepath.Join(t.TempDir(), "Caller.java")
	if err := os.WriteFile(program, []byte(`
public class Caller {
    public static void main(String[] events) {
        for (String event : events) {
            try {
                System.out.println(GoUDFProxy.processJson(event));
            } catch (dev.drey.flink.udf.GoException e) {
                System.out.println(e.getClass().getSimpleName() + " " + e.getMessage());
            }
        }
    }
}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "java", "-Ddrey.udf.library-dir="+t.TempDir(), "-Ddrey.udf.memory-limit=512m", "-cp", jar, program,
		`{"amount":612.1,"id":"ü"}`, `"panic"`, `{"id":`)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || lines[0] != `{"amount":612.1,"id":"ü"}` || !strings.HasPrefix(lines[1], "GoPanicException process_json: told to") ||
		!strings.HasPrefix(lines[2], "GoFunctionException process_json: ") {
		t.Errorf("%s\n%s", out, stderr.String())
	}
}

// What is bad is found and named, an error that a function returns is not bad, and after the end of the process the next
// function is tried in another.
func TestFunctions_faults(t *testing.T) {
	want := map[string]string{ // "": fine
		"deadline": "", "decimal_overflow": "", "greeting": "", "invalid_utf8": "", "plus_one": "", "process_json": "", "repeat": "", "wrapped_error": "",
		"division_by_zero":        "panicked: division_by_zero: runtime error: integer divide by zero",
		"error_in_open":           "cannot be opened: error_in_open: open error_in_open: no such model",
		"error_in_close":          "cannot close",
		"index_out_of_range":      "panicked: index_out_of_range: runtime error: index out of range",
		"nil_dereference":         "panicked: nil_dereference: runtime error: invalid memory address",
		"panic_in_goroutine":      "panicked: panic_in_goroutine: in a goroutine",
		"panic_in_open":           "cannot be opened: panic_in_open: no model",
		"panic_in_bare_goroutine": "ended the process: the JVM ended (signal: aborted) before it answered: panic: nobody can catch this",
		"goexit":                  "ended the process: the JVM ended (",
		"wild_pointer":            "panicked: wild_pointer: runtime error: invalid memory address",
	}
	got := map[string]string{}
	for _, v := range verified(t, "faults", func(name string) bool { _, wanted := want[name]; return wanted }) {
		got[v.Function] = ""
		if len(v.Problems) > 0 {
			p := v.Problems[0]
			got[v.Function] = p.What
			if strings.Contains(p.What, "panicked") && !strings.Contains(p.Trace, "faults.go") {
				t.Errorf("%s: the trace names no line of Go:\n%s", v.Function, p.Trace)
			}
		}
		if v.Function == "wrapped_error" && (v.Errors != v.Calls || v.Calls == 0 || !strings.Contains(v.Example, "no such file")) {
			t.Errorf("wrapped_error: %d errors of %d calls: %s", v.Errors, v.Calls, v.Example)
		}
	}
	for name, what := range got { // the rest of the text is of the runtime
		if strings.HasPrefix(what, want[name]) || want[name] != "" && strings.Contains(what, want[name]) {
			got[name] = want[name]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
