package buildercli_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/drey-flink/drey/udf-bridge/internal/basejartest"
	"github.com/drey-flink/drey/udf-bridge/internal/buildercli"
)

// The scripts run this test program as the command go-udf-builder.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"go-udf-builder": func() {
			os.Exit(buildercli.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs the transcripts. $DREY is this working copy; the go command keeps its caches.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOSUMDB", "GOFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(string(out), "\n")
	base := ""
	if toolchain() {
		base = basejartest.Compile(t)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			for i, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GONOSUMDB", "GOFLAGS"} {
				env.Setenv(name, values[i])
			}
			env.Setenv("DREY", root)
			env.Setenv("BASE", base)
			env.Setenv("JAVA_HOME", os.Getenv("JAVA_HOME"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "toolchain" {
				return false, fmt.Errorf("no condition %q", name)
			}
			return base != "", nil
		},
	})
}

// toolchain says whether a jar can be built here.
func toolchain() bool {
	for _, command := range []string{"gcc", "javac"} {
		if _, err := exec.LookPath(command); err != nil {
			return false
		}
	}
	return true
}
