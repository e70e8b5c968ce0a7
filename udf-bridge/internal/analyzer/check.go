package analyzer

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Finding is one danger in the code.
type Finding struct {
	Rule     Rule
	Warning  bool // it does not stop the build
	Position token.Position
	Message  string
}

// String is the finding as a compiler would say it.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s", f.Position.Filename, f.Position.Line, f.Message)
}

// Check returns what is dangerous in the code and not allowed, in order of files and lines.
func (c *Code) Check(allowed map[Rule]bool) []Finding {
	var found []Finding
	for _, pkg := range c.packages {
		for _, file := range pkg.Syntax {
			found = append(found, check(pkg, file)...)
		}
		found = append(found, checkCgo(pkg)...)
	}
	found = slices.DeleteFunc(found, func(f Finding) bool { return allowed[f.Rule] })
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Position.Filename, b.Position.Filename), cmp.Compare(a.Position.Line, b.Position.Line))
	})
	return found
}

func check(pkg *packages.Package, file *ast.File) []Finding {
	var found []Finding
	report := func(at token.Pos, rule Rule, format string, a ...any) {
		found = append(found, Finding{Rule: rule, Warning: warns[rule], Position: pkg.Fset.Position(at), Message: fmt.Sprintf(format, a...)})
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			report(n.Pos(), Goroutine, "go: a panic in this goroutine ends the TaskManager; use udf.Go(ctx, fn): there it is an error of the call")
		case *ast.Ident: // a call, or a value that something else may call
			if d, name, ok := dangerOf(pkg.TypesInfo.Uses[n]); ok {
				report(n.Pos(), d.rule, "%s: %s; %s", name, d.why, d.instead)
			}
		}
		return true
	})
	return found
}

// checkCgo looks for import "C" in the files as they were written: the ones that are type-checked have been through cgo.
func checkCgo(pkg *packages.Package) []Finding {
	var found []Finding
	for _, name := range pkg.GoFiles {
		if slices.Contains(pkg.CompiledGoFiles, name) {
			continue
		}
		file, err := parser.ParseFile(pkg.Fset, name, nil, parser.ImportsOnly)
		if err != nil {
			continue // it compiled: cgo read it
		}
		for _, spec := range file.Imports {
			if spec.Path.Value == `"C"` {
				found = append(found, Finding{
					Rule: Cgo, Warning: warns[Cgo], Position: pkg.Fset.Position(spec.Pos()),
					Message: `import "C": a fault in C ends the TaskManager, and no recover helps; pure Go is safer`,
				})
			}
		}
	}
	return found
}
