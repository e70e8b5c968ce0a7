package builder_test

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/basejartest"
	"github.com/drey-flink/drey/udf-bridge/internal/builder"
	"github.com/drey-flink/drey/udf-bridge/internal/scaffold"
	"github.com/drey-flink/drey/udf-bridge/internal/verify"
)

// needs skips a test where a library cannot be built.
func needs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds libraries: left out of short runs")
	}
	for _, command := range []string{"gcc", "javac"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s on the PATH: a library cannot be built", command)
		}
	}
}

// The same module in two folders, built at once side by side, gives the same bytes; the module is as it was before. The
// profile beside its functions was used, and its path is in no file either.
func TestBuild_reproducible(t *testing.T) {
	needs(t)
	base, root := basejartest.Compile(t), basejartest.Root(t)
	profile, err := os.ReadFile(filepath.Join(root, "udf-bridge", "internal", "subject", "bench", "default.pgo"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{filepath.Join(t.TempDir(), "fn"), filepath.Join(t.TempDir(), "deeper", "still", "fn")}
	jars := make([][]byte, len(dirs))
	var group sync.WaitGroup
	for i, dir := range dirs {
		if err := scaffold.Write(t.Context(), scaffold.Options{Dir: dir, DreyDir: root}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "default.pgo"), profile, 0o600); err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			before := listing(t, dir)
			result, err := builder.Build(t.Context(), builder.Options{Dir: dir, Patterns: []string{"."}, ShimJar: base})
			if err != nil {
				t.Error(err)
				return
			}
			var b bytes.Buffer
			if err := result.Jar.Write(&b); err != nil {
				t.Error(err)
			}
			jars[i] = b.Bytes()
			if after := listing(t, dir); after != before {
				t.Errorf("the module changed:\n%s\nwas\n%s", after, before)
			}
			for _, problem := range verify.Content(result.Jar, result.Manifest) {
				t.Error(problem)
			}
			for name, content := range result.Jar {
				if strings.HasSuffix(name, "libgo_udf.so") {
					if info, err := buildinfo.Read(bytes.NewReader(content)); err != nil || !slices.Contains(info.Settings, debug.BuildSetting{Key: "-pgo", Value: "default.pgo"}) {
						t.Errorf("%s was built without the profile: %v, %v", name, info, err)
					}
				}
				for _, path := range []string{dir, os.TempDir() + "/go-"} {
					if bytes.Contains(content, []byte(path)) {
						t.Errorf("%s holds the path %s", name, path)
					}
				}
			}
		})
	}
	group.Wait()
	if len(jars[0]) == 0 || !bytes.Equal(jars[0], jars[1]) {
		t.Errorf("jars of %d and %d bytes differ", len(jars[0]), len(jars[1]))
	}
}

// listing is the names and hashes of the files in a folder.
func listing(t *testing.T, dir string) string {
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Error(err)
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(&b, "%s %s\n", e.Name(), hex.EncodeToString(sum[:8]))
	}
	return b.String()
}
