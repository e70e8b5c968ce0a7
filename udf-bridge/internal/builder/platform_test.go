package builder

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPlatforms(t *testing.T) {
	linux := environment{GOOS: "linux", GOARCH: "amd64", CC: "gcc"}
	for _, c := range []struct {
		name      string
		wanted    []string
		env       environment
		installed string
		variable  string // CC_linux_arm64
		want      string
	}{
		{"this machine", nil, linux, "gcc cc", "", "linux-amd64 by gcc"},
		{"cc will do", nil, linux, "cc", "", "linux-amd64 by cc"},
		{"twice the same", []string{"linux/amd64", "linux/amd64"}, linux, "gcc", "", "linux-amd64 by gcc"},
		{"both, sorted", []string{"linux/arm64", "linux/amd64"}, linux, "gcc aarch64-linux-gnu-gcc", "", "linux-amd64 by gcc, linux-arm64 by aarch64-linux-gnu-gcc"},
		{"zig", []string{"linux/arm64"}, linux, "gcc zig", "", "linux-arm64 by zig cc -target aarch64-linux-gnu"},
		{"variable", []string{"linux/arm64"}, linux, "gcc zig my-cc", "my-cc --sysroot /x", "linux-arm64 by my-cc --sysroot /x"},
		{"on a Mac, with zig", []string{"linux/amd64"}, environment{GOOS: "darwin", GOARCH: "amd64", CC: "clang"}, "clang zig", "", "linux-amd64 by zig cc -target x86_64-linux-gnu"},
		{"on a Mac, unasked", nil, environment{GOOS: "darwin", GOARCH: "arm64", CC: "clang"}, "clang", "", "error: this machine builds for darwin"},
		{"none", nil, linux, "", "", "error: no C compiler: the library needs cgo; install gcc"},
		{"no cross compiler", []string{"linux/amd64", "linux/arm64"}, linux, "gcc", "", "error: no C compiler for linux/arm64 on this linux/amd64 machine; install one (Debian: apt-get install gcc-aarch64-linux-gnu), put zig on the PATH, or set CC_linux_arm64"},
		{"another system", []string{"darwin/arm64"}, linux, "gcc", "", "error: --platform darwin/arm64: want linux/amd64"},
		{"no architecture", []string{"linux"}, linux, "gcc", "", "error: --platform linux: want"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CC_linux_arm64", c.variable)
			t.Setenv("CC_linux_amd64", "")
			found, err := platforms(c.wanted, c.env, func(name string) (string, error) {
				if slices.Contains(strings.Fields(c.installed), name) {
					return name, nil
				}
				return "", exec.ErrNotFound
			})
			var parts []string
			for _, p := range found {
				parts = append(parts, p.String()+" by "+strings.Join(p.cc, " "))
			}
			got := strings.Join(parts, ", ")
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != c.want && !(strings.HasPrefix(c.want, "error: ") && strings.HasPrefix(got, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestJavaHome_runtimeOnly(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", t.TempDir())
	_, err := javaHome()
	if err == nil || !strings.Contains(err.Error(), "it is a runtime, not a JDK); no javac on the PATH); install one") {
		t.Errorf("error %v", err)
	}
}

func TestMainRoot(t *testing.T) {
	main, other := &module{Path: "example.com/m", Main: true}, &module{Path: "example.com/other"}
	for _, c := range []struct {
		dirs []string // with a leading - : of another module
		want string
	}{
		{[]string{"/m/a/internal/x"}, "/m/a/internal/x"},
		{[]string{"/m/a/internal/x", "/m/a/internal/y"}, "/m/a/internal"},
		{[]string{"/m/a", "/m/ab"}, "/m"},
		{[]string{"/m/a", "/m"}, "/m"},
		{[]string{"-/cache/o", "/m/a"}, "/m/a"},
		{[]string{"-/cache/o"}, "/m"},
	} {
		s := source{env: environment{GOMOD: "/m/go.mod"}}
		for _, dir := range c.dirs {
			if dir, foreign := strings.CutPrefix(dir, "-"); foreign {
				s.packages = append(s.packages, listed{Dir: dir, Module: other})
			} else {
				s.packages = append(s.packages, listed{Dir: dir, Module: main})
			}
		}
		if got := s.mainRoot(); got != c.want {
			t.Errorf("of %v: %s, want %s", c.dirs, got, c.want)
		}
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	mkdir(t, inner)
	for _, c := range []struct {
		patterns []string
		work     string
		want     []string
	}{
		{[]string{"./inner"}, inner, []string{inner}},
		{[]string{"."}, dir, []string{dir}},
		{[]string{"./..."}, dir, []string{dir + "/..."}},
		{[]string{"./inner/...", "."}, inner, []string{inner + "/...", dir}},
		{[]string{"example.com/f"}, dir, []string{"example.com/f"}},
		{[]string{inner}, inner, []string{inner}},
	} {
		work, absolute, err := locate(dir, c.patterns)
		if err != nil || work != c.work || !slices.Equal(absolute, c.want) {
			t.Errorf("%v: in %s %v, %v, want in %s %v", c.patterns, work, absolute, err, c.work, c.want)
		}
	}
	if _, _, err := locate(dir, []string{"./missing"}); err == nil || err.Error() != "./missing: no such folder" {
		t.Errorf("a folder that is not there: %v", err)
	}
}
