package binding_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/internal/binding"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

var update = flag.Bool("update", false, "write testdata/calls.golden")

func column(sql string) manifest.Column { return manifest.Column{Name: "c", SQL: sql} }

func function(name, kind, result string, arguments ...string) manifest.Function {
	f := manifest.Function{Name: name, Kind: kind, Result: column(result)}
	for _, a := range arguments {
		f.Arguments = append(f.Arguments, column(a))
	}
	return f
}

// A real JVM verifies, loads and calls the classes, on base classes that note what they are asked. The golden file is a
// transcript of that.
func TestClassesInJVM(t *testing.T) {
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("no javac on the PATH: the classes can only be judged by a JVM")
	}
	all := []manifest.Function{
		function("none", manifest.KindScalar, "BIGINT NOT NULL"),
		function("plus_one", manifest.KindScalar, "BIGINT NOT NULL", "BIGINT NOT NULL"),
		function("small", manifest.KindScalar, "TINYINT NOT NULL", "BOOLEAN NOT NULL", "TINYINT NOT NULL", "SMALLINT NOT NULL", "INT NOT NULL"),
		function("is_big", manifest.KindScalar, "BOOLEAN NOT NULL", "FLOAT NOT NULL", "DOUBLE NOT NULL"),
		function("to_float", manifest.KindScalar, "FLOAT NOT NULL", "FLOAT NOT NULL"),
		function("to_double", manifest.KindScalar, "DOUBLE NOT NULL", "DOUBLE NOT NULL", "BIGINT NOT NULL"),
		function("to_short", manifest.KindScalar, "SMALLINT NOT NULL", "BIGINT NOT NULL"),
		function("days", manifest.KindScalar, "DATE NOT NULL", "DATE NOT NULL", "TIME(3) NOT NULL", "INTERVAL YEAR(4) TO MONTH NOT NULL", "INTERVAL DAY(9) TO SECOND(3) NOT NULL"),
		function("five", manifest.KindScalar, "BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT NOT NULL", "BIGINT NOT NULL"),
		function("nullable", manifest.KindScalar, "BIGINT", "BIGINT", "BOOLEAN", "TINYINT", "SMALLINT", "INT", "FLOAT", "DOUBLE", "DATE"),
		function("mixed", manifest.KindScalar, "STRING", "BIGINT NOT NULL", "STRING NOT NULL", "DOUBLE NOT NULL", "BOOLEAN NOT NULL", "TINYINT NOT NULL", "SMALLINT NOT NULL", "INT NOT NULL", "FLOAT NOT NULL"),
		function("long_of_string", manifest.KindScalar, "BIGINT NOT NULL", "VARCHAR(20) NOT NULL"),
		function("booleanOfRow", manifest.KindScalar, "BOOLEAN NOT NULL", "ROW<`a` BIGINT NOT NULL, `b` STRING> NOT NULL"),
		function("everything", manifest.KindScalar, "ROW<`a` INT> NOT NULL", "CHAR(3)", "BYTES NOT NULL", "BINARY(4)", "VARBINARY(4)", "DECIMAL(38, 18) NOT NULL",
			"TIMESTAMP(9)", "TIMESTAMP_LTZ(9) NOT NULL", "ARRAY<INT NOT NULL>", "MAP<STRING NOT NULL, INT> NOT NULL", "MULTISET<STRING NOT NULL>"),
		function("process_json", manifest.KindJSON, "STRING NOT NULL", "STRING NOT NULL"),
		function("raw_bytes", manifest.KindRaw, "BYTES NOT NULL", "BYTES NOT NULL"),
		function("split", manifest.KindTable, "ROW<`word` STRING NOT NULL> NOT NULL", "STRING NOT NULL", "INT NOT NULL"),
		function("mean", manifest.KindAggregate, "DOUBLE", "DOUBLE NOT NULL", "STRING"),
		function("last", manifest.KindAggregate, "BIGINT", "BIGINT NOT NULL"),
	}
	strict := function("strict", manifest.KindScalar, "BIGINT NOT NULL", "BIGINT NOT NULL", "STRING NOT NULL")
	strict.NullOnNull = true
	all = append(all, strict)
	i := slices.IndexFunc(all, func(f manifest.Function) bool { return f.Name == "mean" })
	all[i].Retract, all[i].Merge = true, true
	binding.Name(all)

	classes := t.TempDir()
	var sources []string
	err = filepath.WalkDir("testdata/stub", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".java") {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(javac, append([]string{"-d", classes}, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	arguments := []string{"-XX:TieredStopAtLevel=1", "-XX:+UnlockDiagnosticVMOptions", "-XX:+BytecodeVerificationLocal", "-cp", classes, "Probe"}
	for _, f := range all {
		b, err := binding.Class(f, "0123456789abcdef")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(classes, strings.ReplaceAll(f.Class, ".", "/")+".class")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, f.Class)
	}
	var stdout, stderr bytes.Buffer
	probe := exec.Command("java", arguments...)
	probe.Stdout, probe.Stderr = &stdout, &stderr
	if err := probe.Run(); err != nil {
		t.Fatalf("java: %v\n%s%s", err, stdout.String(), stderr.String())
	}
	const golden = "testdata/calls.golden"
	if *update {
		if err := os.WriteFile(golden, stdout.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
		t.Errorf("calls differ from %s (-want +got):\n%s", golden, diff)
	}
}

func TestClassRefuses(t *testing.T) {
	wide := function("wide", manifest.KindScalar, "STRING")
	for range 130 {
		wide.Arguments = append(wide.Arguments, column("BIGINT NOT NULL"))
	}
	for _, c := range []struct {
		name string
		f    manifest.Function
		want string
	}{
		{"type", function("f", manifest.KindScalar, "VARIANT", "BIGINT"), "result: SQL type VARIANT is not one"},
		{"argument type", function("f", manifest.KindScalar, "INT", "GEOMETRY(4) NOT NULL"), "argument c: SQL type GEOMETRY(4) NOT NULL"},
		{"kind", function("f", "PROCESS", "INT"), `function "f": is of kind PROCESS`},
		{"slots", wide, "parameters take 261 slots"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f.Class = "dev.drey.udf.F"
			if _, err := binding.Class(c.f, "0"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	var functions []manifest.Function
	for _, name := range []string{"risk_score", "processJson", "fraud", "FRAUD", "f_r_aud", "_", "_9", "a__b", "x1"} {
		functions = append(functions, manifest.Function{Name: name})
	}
	reversed := slices.Clone(functions)
	slices.Reverse(reversed)
	binding.Name(functions)
	binding.Name(reversed)
	got := map[string]string{}
	for i, f := range functions {
		got[f.Name] = strings.TrimPrefix(f.Class, "dev.drey.udf.")
		if reversed[i].Class != f.Class {
			t.Errorf("%s is %s or %s, by the order of registration", f.Name, f.Class, reversed[i].Class)
		}
	}
	want := map[string]string{
		"risk_score": "RiskScore", "processJson": "ProcessJson", "FRAUD": "FRAUD", "f_r_aud": "FRAud2", "fraud": "Fraud3",
		"_": "F", "_9": "F9", "a__b": "AB", "x1": "X1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
}
