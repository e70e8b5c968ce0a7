// Package analyzer reads a user's Go code before it goes into a TaskManager's process, and finds what would end that
// process: there, os.Exit or a panic in a goroutine of one's own takes every job of the TaskManager along.
//
// It reads the packages of the user's module, not those of other modules, and it does not follow calls: what it refuses
// may never run. Whoever knows that says so (--allow). What it cannot see stays the user's risk; the sidecar has none.
package analyzer

import (
	"context"
	"errors"
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// sdkPath is the package whose Registry a Register function takes.
const sdkPath = "github.com/drey-flink/drey/udf-bridge/udf"

// Program says what to load.
type Program struct {
	Dir        string   // where to run the go command
	Env        []string // added to the process's
	BuildFlags []string
	Packages   []string // import paths
}

// Code is loaded, type-checked code.
type Code struct{ packages []*packages.Package }

// Load reads the packages. Code that does not compile is an error with the compiler's lines.
func Load(ctx context.Context, p Program) (*Code, error) {
	loaded, err := packages.Load(&packages.Config{
		Context:    ctx,
		Mode:       packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo,
		Dir:        p.Dir,
		Env:        append(os.Environ(), p.Env...),
		BuildFlags: p.BuildFlags,
	}, p.Packages...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(loaded, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	var problems []error
	for _, pkg := range loaded {
		problems = append(problems, complaints(pkg.Errors)...)
	}
	return &Code{packages: loaded}, errors.Join(problems...)
}

// complaints are the compiler's. The go command repeats them in other words, which are only of use alone.
func complaints(all []packages.Error) []error {
	var own, others []error
	for _, e := range all {
		if e.Kind == packages.ParseError || e.Kind == packages.TypeError {
			own = append(own, e)
		} else {
			others = append(others, e)
		}
	}
	if len(own) > 0 {
		return own
	}
	return others
}

// Registers says why the package is not one of functions, or nil if it is: it has a func Register(*udf.Registry).
func (c *Code) Registers(importPath string) error {
	for _, pkg := range c.packages {
		if pkg.PkgPath == importPath {
			return registers(pkg)
		}
	}
	return fmt.Errorf("package %s was not loaded", importPath)
}

func registers(pkg *packages.Package) error {
	found := pkg.Types.Scope().Lookup("Register")
	if found == nil {
		return fmt.Errorf("package %s has no func Register(r *udf.Registry); the functions are named there: udf.Scalar(r, \"name\", fn)", pkg.PkgPath)
	}
	f, ok := found.(*types.Func)
	if ok {
		s := f.Signature()
		ok = s.TypeParams() == nil && s.Results().Len() == 0 && s.Params().Len() == 1 && isRegistry(s.Params().At(0).Type())
	}
	if !ok {
		return fmt.Errorf("%s: Register of package %s must be func Register(r *udf.Registry), with udf from %s", pkg.Fset.Position(found.Pos()), pkg.PkgPath, sdkPath)
	}
	return nil
}

func isRegistry(t types.Type) bool {
	p, ok := t.(*types.Pointer)
	if !ok {
		return false
	}
	n, ok := types.Unalias(p.Elem()).(*types.Named)
	return ok && n.Obj().Name() == "Registry" && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == sdkPath
}
