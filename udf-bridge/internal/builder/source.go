package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/analyzer"
)

// dreyModule is the module that the SDK, the bridge and the C shim are in.
const dreyModule = "github.com/drey-flink/drey"

// source is what a build starts from: the user's packages in the user's module, and the Drey module that it requires.
type source struct {
	go_      golang
	env      environment
	drey     module
	packages []listed // that have a Register
	analysed []string // import paths of the packages and of what they import in their own module
	usesCgo  bool     // outside the standard library
	wildcard bool     // packages without a Register are left out, not refused
}

// open finds the packages. Dir is where the patterns are relative to.
func open(ctx context.Context, dir string, patterns []string, tags string) (*source, error) {
	work, absolute, err := locate(dir, patterns)
	if err != nil {
		return nil, err
	}
	s := &source{go_: golang{dir: work, tags: tags, env: []string{"CGO_ENABLED=1"}}}
	if s.env, err = s.go_.environment(ctx); err != nil {
		return nil, err
	}
	if s.env.GOMOD == "" || s.env.GOMOD == os.DevNull {
		return nil, fmt.Errorf("%s is not in a Go module; go-udf-builder init DIR makes one, or: cd DIR && go mod init example.com/functions", work)
	}
	if s.drey, err = s.findDrey(ctx); err != nil {
		return nil, err
	}
	all, err := s.go_.list(ctx, absolute...)
	if err != nil {
		return nil, err
	}
	return s, s.take(all, patterns)
}

// locate makes the patterns independent of the working directory. A pattern may name a folder of another module than the
// one of dir, as after init: then the go command runs there.
func locate(dir string, patterns []string) (work string, absolute []string, err error) {
	work = dir
	for i, pattern := range patterns {
		if !strings.HasPrefix(pattern, ".") && !filepath.IsAbs(pattern) {
			absolute = append(absolute, pattern)
			continue
		}
		folder, rest := pattern, ""
		if base, ok := strings.CutSuffix(pattern, "..."); ok {
			folder, rest = base, string(filepath.Separator)+"..."
		}
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		folder = filepath.Clean(folder)
		info, err := os.Stat(folder)
		if err != nil {
			return "", nil, fmt.Errorf("%s: no such folder", pattern)
		}
		if i == 0 && info.IsDir() {
			work = folder
		}
		absolute = append(absolute, folder+rest)
	}
	return work, absolute, nil
}

// findDrey asks which Drey the user's module requires: the library is built from that one.
func (s *source) findDrey(ctx context.Context) (module, error) {
	out, err := s.go_.run(ctx, "list", "-mod=readonly", "-m", "-json", dreyModule)
	if err != nil {
		return module{}, fmt.Errorf("the module of %s does not require Drey; type: go get %s\n%w", s.env.GOMOD, dreyModule, err)
	}
	var m module
	if err := json.Unmarshal(out, &m); err != nil {
		return module{}, fmt.Errorf("go list -m: %w", err)
	}
	if m.Dir == "" {
		return module{}, fmt.Errorf("%s %s is not downloaded; type: go mod download %[1]s", dreyModule, m.Version)
	}
	return m, nil
}

// take sorts the listed packages.
func (s *source) take(all []listed, patterns []string) error {
	s.wildcard = strings.Contains(strings.Join(patterns, " "), "...")
	var problems []error
	for _, p := range all {
		local := p.Module != nil && p.Module.Main && !isDreys(p.ImportPath)
		if !p.Standard && len(p.CgoFiles) > 0 {
			s.usesCgo = true
		}
		switch {
		case p.Error != nil && (!p.DepOnly || local):
			problems = append(problems, errors.New(p.Error.Err))
		case p.Error != nil:
			problems = append(problems, fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err))
		case p.DepOnly:
			if local {
				s.analysed = append(s.analysed, p.ImportPath)
			}
		case p.Name == "main" && !s.wildcard:
			problems = append(problems, fmt.Errorf("%s is package main, which nothing can import; move the functions and Register into a package of their own", p.ImportPath))
		case p.Name == "main":
		default:
			s.packages = append(s.packages, p)
			s.analysed = append(s.analysed, p.ImportPath)
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	if len(s.packages) == 0 {
		return fmt.Errorf("no package matches %s", strings.Join(patterns, " "))
	}
	return nil
}

// isDreys says whether a package is the SDK or below it: it starts goroutines with care, and is not the user's.
func isDreys(importPath string) bool {
	return strings.HasPrefix(importPath, dreyModule+"/udf-bridge/") && !strings.HasPrefix(importPath, dreyModule+"/udf-bridge/internal/subject/")
}

// mainRoot is the deepest folder that holds all packages of the user's module: a main below it may import their internal
// packages. Packages of other modules are found from anywhere.
func (s *source) mainRoot() string {
	root := ""
	for _, p := range s.packages {
		switch {
		case p.Module == nil || !p.Module.Main:
		case root == "":
			root = p.Dir
		default:
			for !within(root, p.Dir) {
				root = filepath.Dir(root)
			}
		}
	}
	if root == "" {
		return filepath.Dir(s.env.GOMOD)
	}
	return root
}

func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// keepRegistering wants a Register in each package. Of those that a wildcard matched it keeps the ones that have one.
func (s *source) keepRegistering(code *analyzer.Code) error {
	var kept []listed
	var problems []error
	for _, p := range s.packages {
		if err := code.Registers(p.ImportPath); err == nil {
			kept = append(kept, p)
		} else {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 && (!s.wildcard || len(kept) == 0) {
		return errors.Join(problems...)
	}
	s.packages = kept
	return nil
}

// pure is the variable for programs of which no library is made: without cgo, unless the user's code needs it.
func (s *source) pure() string {
	if s.usesCgo {
		return "CGO_ENABLED=1"
	}
	return "CGO_ENABLED=0"
}
