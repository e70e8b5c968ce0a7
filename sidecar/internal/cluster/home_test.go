package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// maven puts a program named mvn first in the PATH.
func maven(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "mvn"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// assembles is a Maven that copies one jar to where it is told, and counts its runs.
const assembles = `for a; do case $a in -Dflink.home=*) home=${a#-Dflink.home=};; esac; done
mkdir $home/lib && echo jar >$home/lib/flink.jar && echo run >>"$home/../runs"`

func runs(t *testing.T, root string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".drey", "runs"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "run")
}

// A download that broke off never looks complete, and is done again.
func TestFlinkHomeIsCompleteOrNot(t *testing.T) {
	root := t.TempDir()
	maven(t, strings.Replace(assembles, "echo run", "echo no route to host; exit 1; echo run", 1))
	if _, err := Home(t.Context(), root, func(string) {}); err == nil || !strings.Contains(err.Error(), "no route to host") || !strings.Contains(err.Error(), "run this again") {
		t.Fatalf("got %v", err)
	}
	left, err := filepath.Glob(filepath.Join(root, ".drey", "flink-*"))
	if err != nil || len(left) != 1 || !strings.HasSuffix(left[0], ".lock") {
		t.Errorf("left: %v, %v", left, err)
	}
	// What a run that was killed half-way leaves.
	part := filepath.Join(root, ".drey", "flink-"+FlinkVersion+".part", "lib")
	if err := os.MkdirAll(part, 0o755); err != nil {
		t.Fatal(err)
	}
	maven(t, assembles)
	for range 2 {
		home, err := Home(t.Context(), root, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(home, "lib", "flink.jar")); err != nil {
			t.Error(err)
		}
	}
	if n := runs(t, root); n != 1 {
		t.Errorf("assembled %d times", n)
	}
	// Of another version of the program.
	if err := os.WriteFile(filepath.Join(root, ".drey", "flink-"+FlinkVersion, "stamp"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Home(t.Context(), root, func(string) {}); err != nil || runs(t, root) != 2 {
		t.Errorf("assembled %d times, %v", runs(t, root), err)
	}
}

func TestFlinkHomeIsAssembledOnce(t *testing.T) {
	root := t.TempDir()
	maven(t, assembles)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := Home(t.Context(), root, func(string) {}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := runs(t, root); n != 1 {
		t.Errorf("assembled %d times", n)
	}
}

func TestFindJava(t *testing.T) {
	home := t.TempDir()
	java := filepath.Join(home, "bin", "java")
	if err := os.Mkdir(filepath.Dir(java), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	for says, want := range map[string]string{
		`openjdk version "17.0.15" 2025-04-15`: "",
		`java version "25" 2025-09-16 LTS`:     "",
		`openjdk version "11.0.2" 2019-01-15`:  "is Java 11",
		`java version "1.8.0_392"`:             "is Java 1,",
		`what?`:                                "set JAVA_HOME",
	} {
		if err := os.WriteFile(java, []byte("#!/bin/sh\necho '"+says+"' >&2\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := findJava(t.Context())
		if want == "" && (err != nil || got != java) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %q, %v", says, got, err)
		}
	}
	t.Setenv("JAVA_HOME", filepath.Join(home, "none"))
	if _, err := findJava(t.Context()); err == nil || !strings.Contains(err.Error(), "scripts/prerequisites") {
		t.Errorf("got %v", err)
	}
}
