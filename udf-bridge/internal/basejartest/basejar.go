// Package basejartest makes, for tests of the builder, the jar with Drey's Java classes that Maven makes of jvm-shim:
// those that need nothing but a JDK, which are all that loads and calls Go, and stubs of the classes that need Flink.
package basejartest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
)

// Compile compiles the jar into a temporary folder and returns its path. It skips the test if there is no javac.
func Compile(t testing.TB) string {
	t.Helper()
	javac, err := exec.LookPath("javac")
	if err != nil {
		t.Skip("no javac on the PATH: there is nothing to put into a jar")
	}
	root := Root(t)
	java := filepath.Join(root, "jvm-shim", "src", "main", "java")
	sources, err := filepath.Glob(filepath.Join(java, "dev", "drey", "flink", "udf", "Go*Exception.java"))
	if err != nil {
		t.Fatal(err)
	}
	sources = append(sources, filepath.Join(java, "GoUDFProxy.java"))
	sources = append(sources, below(t, filepath.Join(java, "dev", "drey", "flink", "udf", "library"))...)
	sources = append(sources, below(t, filepath.Join(root, "udf-bridge", "internal", "binding", "testdata", "stub", "dev"))...)
	sources = append(sources, below(t, filepath.Join(root, "udf-bridge", "internal", "binding", "testdata", "stub", "org"))...)

	classes := t.TempDir()
	if out, err := exec.Command(javac, append([]string{"--release", "11", "-nowarn", "-d", classes}, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	jar := jarfile.Jar{}
	for _, path := range below(t, classes) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(classes, path)
		if err != nil {
			t.Fatal(err)
		}
		jar[filepath.ToSlash(name)] = content
	}
	path := filepath.Join(t.TempDir(), "go-udf-bridge-0-test.jar")
	if err := jar.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Root is the folder of the Drey module.
func Root(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/drey-flink/drey").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// below lists the files in a folder and the folders in it.
func below(t testing.TB, folder string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
