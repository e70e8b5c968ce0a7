package builder

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// The names of the native libraries, which Java knows too.
const (
	libraryName = "libgo_udf.so"
	shimName    = "libdrey_shim.so"
)

// linkFlags of both libraries: no path, no time and no build id in them, and every symbol resolved when it is loaded, so
// that a missing one is an error there and not in the middle of a job.
const linkFlags = "-Wl,--build-id=none -Wl,-z,now"

// library builds the Go library and returns its path.
func (j *job) library(ctx context.Context, p platform) (string, error) {
	s, out := j.source, filepath.Join(j.temp, p.String(), libraryName)
	if err := os.MkdirAll(filepath.Dir(out), 0o700); err != nil {
		return "", err
	}
	args := append([]string{"build", "-buildmode=c-shared", "-overlay=" + j.overlay, "-o", out}, s.go_.flags()...)
	if j.profile != "" {
		args = append(args, "-pgo="+j.profile)
	}
	args = append(args, "-ldflags=-s -w -buildid= -extldflags '"+linkFlags+"'", filepath.Join(s.mainRoot(), libraryMain))
	_, err := s.go_.with("CGO_ENABLED=1", "GOOS="+p.os, "GOARCH="+p.arch, "CC="+strings.Join(p.cc, " ")).run(ctx, args...)
	if err != nil {
		return "", fmt.Errorf("go build: %w", missingSum(err))
	}
	return out, nil
}

// missingSum says what to type when go.sum lacks what only the bridge imports.
func missingSum(err error) error {
	if strings.Contains(err.Error(), "missing go.sum entry") || strings.Contains(err.Error(), "updates to go.mod needed") {
		return fmt.Errorf("%w\ntype: go get %s/udf-bridge/bridge", err, dreyModule)
	}
	return err
}

// shim compiles the C shim of the Drey module and returns its path.
func (s *source) shim(ctx context.Context, p platform, temp string) (string, error) {
	home, err := javaHome()
	if err != nil {
		return "", err
	}
	code := filepath.Join(s.drey.Dir, "jvm-shim", "src", "main", "c")
	files, err := filepath.Glob(filepath.Join(code, "*.c"))
	if err != nil {
		return "", err
	}
	if len(files) == 0 {
		return "", fmt.Errorf("no C file in %s; the Drey module is not complete", code)
	}
	out := filepath.Join(temp, p.String(), shimName)
	if err := os.MkdirAll(filepath.Dir(out), 0o700); err != nil {
		return "", err
	}
	args := append([]string{}, p.cc[1:]...)
	args = append(args, "-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra",
		"-ffile-prefix-map="+s.drey.Dir+"=drey", "-ffile-prefix-map="+home+"=jdk",
		"-I", filepath.Join(home, "include"), "-I", filepath.Join(home, "include", p.os), "-I", filepath.Join(s.drey.Dir, "udf-bridge", "bridge"),
		"-s")
	args = append(args, strings.Fields(linkFlags)...)
	args = append(args, "-o", out)
	args = append(args, files...)
	if _, err := run(ctx, temp, nil, p.cc[0], append(args, "-ldl", "-lpthread")...); err != nil {
		return "", fmt.Errorf("compile the C shim: %w", err)
	}
	return out, nil
}

// goInfo is what a library was built from, as the library itself says it.
func (s *source) goInfo(library string) (manifest.Go, error) {
	info, err := buildinfo.ReadFile(library)
	if err != nil {
		return manifest.Go{}, fmt.Errorf("build info of %s: %w", libraryName, err)
	}
	g := manifest.Go{Version: info.GoVersion, SDK: "(devel)", Modules: []manifest.Module{}}
	if info.Main.Path != "" {
		g.Modules = append(g.Modules, manifest.Module{Path: info.Main.Path, Version: "(devel)"})
	}
	for _, dep := range info.Deps {
		m := manifest.Module{Path: dep.Path, Version: dep.Version, Sum: dep.Sum}
		switch r := dep.Replace; {
		case r == nil:
		case r.Sum == "": // a folder: its path is of this machine and says nothing elsewhere
			m.Version, m.Sum = "(devel)", ""
		default:
			m.Path, m.Version, m.Sum = r.Path, r.Version, r.Sum
		}
		if dep.Path == dreyModule {
			g.SDK = m.Version
		}
		g.Modules = append(g.Modules, m)
	}
	for _, p := range s.packages {
		g.Packages = append(g.Packages, p.ImportPath)
	}
	return g, nil
}
