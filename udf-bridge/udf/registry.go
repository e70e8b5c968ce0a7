package udf

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Registry holds the functions of one program. Register functions fill it at start; afterwards it is read only and safe
// for concurrent use. The zero value is not usable: call NewRegistry.
type Registry struct {
	byName map[string]*Function
	errs   []error
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{byName: map[string]*Function{}} }

// validName is what both SQL (unquoted) and a URL path segment accept.
var validName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)

func (r *Registry) add(f *Function) {
	name := f.desc.Name
	switch {
	case !validName.MatchString(name):
		r.Fail(name, errors.New("the name must be a letter or _ followed by at most 127 letters, digits or _"))
	case r.byName[name] != nil:
		r.Fail(name, errors.New("registered twice: give one of the two another name"))
	default:
		r.byName[name] = f
	}
}

// Fail records that a function cannot be registered, for a Register that finds something missing: a model file that does
// not parse, say. The program that links the function in sees it in [Registry.Err] and does not start.
func (r *Registry) Fail(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("function %q: %w", name, err))
}

// Err returns everything that is wrong with the registered functions, joined, or nil. A program must check it once
// after registration: a function with an error is not in the registry.
func (r *Registry) Err() error { return errors.Join(r.errs...) }

// AddMissing takes those functions of other whose names are still free. So a program's own functions, registered first,
// stand in for built-in ones of the same name.
func (r *Registry) AddMissing(other *Registry) {
	for name, f := range other.byName {
		if r.byName[name] == nil {
			r.byName[name] = f
		}
	}
	r.errs = append(r.errs, other.errs...)
}

// Lookup returns the function of that name.
func (r *Registry) Lookup(name string) (*Function, bool) {
	f, ok := r.byName[name]
	return f, ok
}

// Functions returns all functions, sorted by name.
func (r *Registry) Functions() []*Function {
	all := make([]*Function, 0, len(r.byName))
	for _, f := range r.byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *Function) int { return cmp.Compare(a.desc.Name, b.desc.Name) })
	return all
}

// Nearest returns up to three registered names that a person who typed name may have meant, the closest first.
func (r *Registry) Nearest(name string) []string {
	type near struct {
		name     string
		distance int
	}
	var found []near
	for candidate := range r.byName {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate))
		if d <= max(2, len(candidate)/2) {
			found = append(found, near{candidate, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	names := make([]string, 0, 3)
	for _, n := range found[:min(3, len(found))] {
		names = append(names, n.name)
	}
	return names
}
