package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Ratios are of the same round, goals are put to the comparison they are of, and what was not measured has no row.
func TestCompare(t *testing.T) {
	query := udfQuery{name: "SQL BIGINT -> BIGINT", rows: 10, goal: 0.85, modes: []string{modeJava, modeGo, modeBare, modeThread, modeProcess}}
	all := map[string]*measured{
		query.name + modeGo:     {jobs: []float64{9, 9, 9, 8, 9}, steady: []reading{{100, 1}, {50, 2}, {80, 3}}},
		query.name + modeJava:   {jobs: []float64{10, 10, 10, 8, 10}, steady: []reading{{200, 1}, {50, 1}, {100, 1}}},
		query.name + modeBare:   {jobs: []float64{18, 12, 10, 32, 12}},
		query.name + modeThread: {steady: []reading{{10, 9}, {10, 9}, {10, 9}}},
	}
	var r Report
	compare(&r, query, all)
	const cpu = ", steady, processor time of a row"
	want := []Case{
		{Case: query.name + ", whole job", Against: "Java", Ours: 9, Theirs: 10, Ratio: 0.9, Goal: 0.85},
		{Case: query.name + ", steady", Against: "Java", Ours: 80, Theirs: 100, Ratio: 0.8},
		{Case: query.name + cpu, Against: "Java", Ours: 2, Theirs: 1, Ratio: 0.5},
		{Case: query.name + ", whole job", Against: "JNI, C and Go alone", Ours: 9, Theirs: 12, Ratio: 0.75},
		{Case: query.name + ", steady", Against: "PyFlink, thread mode", Ours: 80, Theirs: 10, Ratio: 8, Goal: 4},
		{Case: query.name + cpu, Against: "PyFlink, thread mode", Ours: 2, Theirs: 9, Ratio: 4.5},
	}
	if len(r.Cases) != len(want) {
		t.Fatalf("got %+v", r.Cases)
	}
	for i, c := range r.Cases {
		if w := want[i]; c.Case != w.Case || c.Against != w.Against || c.Ours != w.Ours || c.Theirs != w.Theirs || c.Ratio != w.Ratio || c.Goal != w.Goal || (c.Unit != "rows/s") != strings.HasSuffix(w.Case, cpu) {
			t.Errorf("got %+v, want %+v", c, w)
		}
	}
}

// Each goal of the steady state is put to a comparison that is made.
func TestGoalsAreMeasured(t *testing.T) {
	for _, g := range udfGoals {
		found := false
		for _, q := range udfQueries {
			for _, mode := range q.modes {
				found = found || q.name == g.query && mode == g.mode
			}
		}
		if !found {
			t.Errorf("%+v is not measured", g)
		}
	}
}

func TestTableSaysWhatIsMissing(t *testing.T) {
	r := Report{Missing: []string{"PyFlink: no route to host"}}
	r.more(Case{Case: "a", Ours: 1, Theirs: 2, Goal: 0.6})
	r.more(Case{Case: "b", Ours: 1, Theirs: 2})
	if r.missed() != 1 || r.goals() != 1 {
		t.Errorf("%d of %d goals missed", r.missed(), r.goals())
	}
	var out bytes.Buffer
	r.table(&out)
	for _, want := range []string{"MISSED", "no goal", "MISSING PyFlink: no route to host"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// An environment without PyFlink, or with that of another Flink, is refused by name; one that was not finished is made again.
func TestFindPyFlink(t *testing.T) {
	root, venv := t.TempDir(), filepath.Join(t.TempDir(), "venv")
	python := func(path, script string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DREY_PYFLINK_VENV", venv)
	for script, want := range map[string]string{
		"echo no module named pyflink >&2; exit 1": "has no PyFlink",
		"echo 2.2.1 /x": "has PyFlink 2.2.1, the cluster is Flink 2.3.0",
		"echo 2.3.0 /x": "",
	} {
		python(filepath.Join(venv, "bin", "python"), script)
		dir := t.TempDir()
		got, err := findPyFlink(t.Context(), root, "/home", dir)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), venv) {
				t.Errorf("%s: %v", script, err)
			}
			continue
		}
		if err != nil || got.path != "/x:"+dir || got.flink != "/home/opt/flink-python-2.3.0.jar" {
			t.Errorf("%s: %+v, %v", script, got, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "functions.py")); err != nil {
			t.Error(err)
		}
	}

	t.Setenv("DREY_PYFLINK_VENV", "")
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	pip := filepath.Join(root, ".drey", "pyflink-2.3.0", "bin", "python")
	python(filepath.Join(bin, "python3"), `mkdir -p "$3/bin" && echo run >>"`+root+`/venvs"
cat >"$3/bin/python" <<'END'
#!/bin/sh
if [ "$2" = pip ]; then echo no route to host; exit 1; fi
echo 2.3.0 /x
END
chmod +x "$3/bin/python"`)
	if _, err := findPyFlink(t.Context(), root, "/home", t.TempDir()); err == nil || !strings.Contains(err.Error(), "no route to host") {
		t.Errorf("got %v", err)
	}
	python(filepath.Join(bin, "python3"), `mkdir -p "$3/bin" && echo run >>"`+root+`/venvs"
printf '#!/bin/sh\n[ "$2" = pip ] || echo 2.3.0 /x\n' >"$3/bin/python" && chmod +x "$3/bin/python"`)
	python(pip, "echo what an installation that broke off left; exit 1")
	for range 2 {
		if _, err := findPyFlink(t.Context(), root, "/home", t.TempDir()); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "venvs")); err != nil || strings.Count(string(text), "run") != 2 {
		t.Errorf("made %q, %v", text, err)
	}
}
