package binding

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Package is the Java package of the generated classes.
const Package = "dev.drey.udf"

// Name sorts the functions by name and gives each its class: risk_score becomes dev.drey.udf.RiskScore. Names that
// differ only in case or underscores get a number, since jars are unpacked on file systems that ignore case.
func Name(functions []manifest.Function) {
	slices.SortFunc(functions, func(a, b manifest.Function) int { return cmp.Compare(a.Name, b.Name) })
	taken := map[string]bool{}
	for i := range functions {
		base := className(functions[i].Name)
		name := base
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = base + strconv.Itoa(n)
		}
		taken[strings.ToLower(name)] = true
		functions[i].Class = Package + "." + name
	}
}

// className is the function's name in Java's style.
func className(function string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(function, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	name := b.String()
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "F" + name
	}
	return name
}
