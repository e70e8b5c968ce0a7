// Package builder makes go-udf-bridge.jar out of a user's package: the Go library, the C shim, a Java class for each
// function, and the manifest that says what is in it. The same input gives the same bytes, wherever it is built.
//
// Nothing is written into the user's module: the generated mains are laid over it (go build -overlay).
package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drey-flink/drey/udf-bridge/internal/analyzer"
	"github.com/drey-flink/drey/udf-bridge/internal/binding"
	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// ABI is the version of the C interface between the shim and the library.
const ABI = "1.0"

// Options say what to build.
type Options struct {
	Dir      string   // the patterns are relative to it
	Patterns []string // the user's packages, as `go build` takes them
	Tags     string   // build tags, separated by commas
	Profile  string   // for the Go compiler: a file relative to Dir, ProfileAuto ("" too) or ProfileOff

	ShimJar    string   // the jar with Drey's Java classes; "" finds it
	Executable string   // the path of this program: the jar may be beside it
	Platforms  []string // as linux/amd64; none is the one of this machine

	// Allow are the rules of the analyzer that are not applied.
	Allow map[analyzer.Rule]bool
	// Warn receives what the analyzer warns of. It may be nil.
	Warn func(analyzer.Finding)
	// Progress receives each step when it is done. It may be nil.
	Progress func(step string, took time.Duration)
}

// Result is a finished jar and what is in it.
type Result struct {
	Jar      jarfile.Jar
	Manifest manifest.Manifest
}

// job is a build that runs.
type job struct {
	Options
	source  *source
	profile string // of the CPU, for the compiler; "" for none
	temp    string
	overlay string
}

// start finds the packages, checks them and lays the generated mains over them.
func start(ctx context.Context, o Options) (*job, error) {
	j := &job{Options: o}
	if o.Progress == nil {
		j.Progress = func(string, time.Duration) {}
	}
	if o.Warn == nil {
		j.Warn = func(analyzer.Finding) {}
	}
	err := j.step("find packages", func() (err error) {
		j.source, err = open(ctx, o.Dir, o.Patterns, o.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := j.step("analyze "+counted(len(j.source.analysed), "package"), func() error { return j.analyze(ctx) }); err != nil {
		return nil, err
	}
	if j.temp, err = os.MkdirTemp("", "go-udf-builder-*"); err != nil {
		return nil, err
	}
	if j.overlay, err = j.source.overlay(j.temp); err != nil {
		return nil, errors.Join(err, os.RemoveAll(j.temp))
	}
	return j, nil
}

// analyze loads the user's code: it must compile, have its Register functions, and not hold what ends a TaskManager.
func (j *job) analyze(ctx context.Context) error {
	s := j.source
	code, err := analyzer.Load(ctx, analyzer.Program{Dir: s.go_.dir, Env: []string{s.pure()}, BuildFlags: s.go_.flags(), Packages: s.analysed})
	if err != nil {
		return err
	}
	if err := s.keepRegistering(code); err != nil {
		return err
	}
	var problems []error
	for _, f := range code.Check(j.Allow) {
		f.Position.Filename = relative(j.Dir, f.Position.Filename)
		if f.Warning {
			j.Warn(f)
		} else {
			problems = append(problems, fmt.Errorf("%s (or, if you know better: --allow %s)", f, f.Rule))
		}
	}
	return errors.Join(problems...)
}

// relative is the shorter of the two ways to write a path.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

func (j *job) step(name string, do func() error) error {
	begun := time.Now()
	if err := do(); err != nil {
		return err
	}
	j.Progress(name, time.Since(begun))
	return nil
}

// Describe returns the functions that the packages register, sorted by name. No C compiler is needed.
func Describe(ctx context.Context, o Options) ([]manifest.Function, error) {
	j, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(j.temp)
	return j.describe(ctx)
}

// Build makes the jar.
func Build(ctx context.Context, o Options) (*Result, error) {
	j, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(j.temp)

	if j.profile, err = profile(o.Dir, o.Profile, j.source.packages); err != nil {
		return nil, err
	}
	targets, err := platforms(o.Platforms, j.source.env, exec.LookPath)
	if err != nil {
		return nil, err
	}
	basePath, err := findBase(o.ShimJar, o.Executable, j.source.drey)
	if err != nil {
		return nil, err
	}
	jar, err := baseEntries(basePath)
	if err != nil {
		return nil, err
	}
	m := manifest.Manifest{Format: manifest.Format, ABI: ABI, Libraries: map[string]manifest.Library{}}
	if m.Functions, err = j.describe(ctx); err != nil {
		return nil, err
	}
	native := jarfile.Jar{}
	for _, p := range targets {
		if err := j.native(ctx, p, native, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	if m.Build, err = BuildID(m, jar); err != nil {
		return nil, err
	}
	for name, content := range native {
		jar[manifest.Dir(m.Build)+"/"+name] = content
	}
	err = j.step("write "+counted(len(m.Functions), "class"), func() error { return describeIn(jar, m) })
	if err != nil {
		return nil, err
	}
	return &Result{Jar: jar, Manifest: m}, nil
}

// describe runs the generated program that registers the functions and prints what they are. What is wrong with them, a
// type without a SQL counterpart say, ends it here.
func (j *job) describe(ctx context.Context) ([]manifest.Function, error) {
	s := j.source
	program, out := filepath.Join(j.temp, "describe"), filepath.Join(j.temp, "functions.json")
	err := j.step("compile descriptions", func() error {
		args := append([]string{"build", "-overlay=" + j.overlay, "-o", program}, s.go_.flags()...)
		_, err := s.go_.with(s.pure()).run(ctx, append(args, filepath.Join(s.mainRoot(), describeMain))...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("go build: %w", missingSum(err))
	}
	if err := j.step("describe functions", func() error { _, err := run(ctx, s.go_.dir, nil, program, out); return err }); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var functions []manifest.Function
	if err := json.Unmarshal(text, &functions); err != nil {
		return nil, fmt.Errorf("descriptions: %w", err)
	}
	if len(functions) == 0 {
		return nil, fmt.Errorf("%s registers no function; call udf.Scalar(r, \"name\", fn) in its Register", strings.Join(importPaths(s.packages), ", "))
	}
	binding.Name(functions)
	for _, f := range functions { // what has no Java class ends here, before the slow part
		if _, err := binding.Class(f, ""); err != nil {
			return nil, err
		}
	}
	return functions, nil
}

// native builds the two libraries of a platform.
func (j *job) native(ctx context.Context, p platform, into jarfile.Jar, m *manifest.Manifest) error {
	var library, shim string
	err := j.step("build "+p.String()+" library", func() (err error) { library, err = j.library(ctx, p); return err })
	if err != nil {
		return err
	}
	err = j.step("build "+p.String()+" shim", func() (err error) { shim, err = j.source.shim(ctx, p, j.temp); return err })
	if err != nil {
		return err
	}
	entry := manifest.Library{Library: p.String() + "/" + libraryName, Shim: p.String() + "/" + shimName}
	if entry.LibrarySHA256, err = take(library, entry.Library, into); err != nil {
		return err
	}
	if entry.ShimSHA256, err = take(shim, entry.Shim, into); err != nil {
		return err
	}
	m.Libraries[p.String()] = entry
	m.Go, err = j.source.goInfo(library)
	return err
}

// take reads a file into the jar and returns its hash.
func take(path, name string, into jarfile.Jar) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	into[name] = content
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// BuildID is a hash of everything in the jar that does not depend on it: 16 hexadecimal digits. Of base it takes what is
// from the jar with Drey's Java classes.
func BuildID(m manifest.Manifest, base jarfile.Jar) (string, error) {
	h := sha256.New()
	m.Build = ""
	text, err := m.Bytes() // holds the hashes of the libraries
	if err != nil {
		return "", err
	}
	part := func(name string, content []byte) {
		fmt.Fprintf(h, "%s %d\n", name, len(content))
		h.Write(content)
	}
	part("manifest", text)
	for _, name := range slices.Sorted(maps.Keys(base)) {
		if fromBase(name) {
			part(name, base[name])
		}
	}
	for _, f := range m.Functions { // the classes, of a build without a name
		class, err := binding.Class(f, "")
		if err != nil {
			return "", err
		}
		part(f.Class, class)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// describeIn adds what the jar says of itself, and the classes.
func describeIn(jar jarfile.Jar, m manifest.Manifest) error {
	for _, f := range m.Functions {
		class, err := binding.Class(f, m.Build)
		if err != nil {
			return err
		}
		jar[strings.ReplaceAll(f.Class, ".", "/")+".class"] = class
	}
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	jar[manifest.BuildFile] = []byte(m.Build + "\n")
	jar[manifest.File(m.Build)] = text
	jar[manifest.LibrariesFile(m.Build)] = manifest.Libraries(m)
	jar[jarfile.ManifestName] = jarfile.Attributes(
		jarfile.Attribute{Name: "Implementation-Title", Value: "go-udf-bridge"},
		jarfile.Attribute{Name: "Drey-Build", Value: m.Build},
		jarfile.Attribute{Name: "Drey-ABI", Value: m.ABI},
		jarfile.Attribute{Name: "Drey-SDK", Value: m.Go.SDK},
		jarfile.Attribute{Name: "Go-Version", Value: m.Go.Version},
		jarfile.Attribute{Name: "Go-Packages", Value: strings.Join(m.Go.Packages, " ")},
		jarfile.Attribute{Name: "Go-Platforms", Value: strings.Join(slices.Sorted(maps.Keys(m.Libraries)), " ")},
	)
	return nil
}

func importPaths(packages []listed) []string {
	paths := make([]string, len(packages))
	for i, p := range packages {
		paths[i] = p.ImportPath
	}
	return paths
}

func counted(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	default:
		return fmt.Sprintf("%d %ss", n, noun)
	}
}
