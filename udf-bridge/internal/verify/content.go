// Package verify judges a built jar: what is in it, and, in a real JVM, how its functions take NULL and the extremes of
// every type.
package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drey-flink/drey/udf-bridge/internal/binding"
	"github.com/drey-flink/drey/udf-bridge/internal/builder"
	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

// Content lists what is wrong with the entries of a jar: something missing, changed, or that does not belong there.
func Content(jar jarfile.Jar, m manifest.Manifest) []string {
	var problems []string
	report := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	for _, name := range builder.Unknown(jar, m.Build) {
		report("%s does not belong into the jar", name)
	}
	if m.ABI != builder.ABI {
		report("the C interface has version %s, this go-udf-builder is for %s; use the one that built the jar", m.ABI, builder.ABI)
	}
	if len(m.Libraries) == 0 {
		report("there is no library in it")
	}
	problems = append(problems, libraries(jar, m)...)
	problems = append(problems, classes(jar, m)...)
	if id, err := builder.BuildID(m, jar); err != nil {
		report("%v", err)
	} else if id != m.Build {
		report("it was changed after it was built, or built by another version of go-udf-builder: its content has the id %s, it says %s", id, m.Build)
	}
	return problems
}

// libraries compares the hashes of the native libraries, and the two lists of them.
func libraries(jar jarfile.Jar, m manifest.Manifest) []string {
	var problems []string
	abi, listed, err := manifest.ParseLibraries(jar[manifest.LibrariesFile(m.Build)])
	if err != nil {
		problems = append(problems, err.Error())
	} else if abi != m.ABI || !maps.Equal(listed, m.Libraries) {
		problems = append(problems, "libraries.properties and manifest.json differ")
	}
	for _, platform := range slices.Sorted(maps.Keys(m.Libraries)) {
		l := m.Libraries[platform]
		for _, file := range [][2]string{{l.Library, l.LibrarySHA256}, {l.Shim, l.ShimSHA256}} {
			content, ok := jar[manifest.Dir(m.Build)+"/"+file[0]]
			sum := sha256.Sum256(content)
			switch got := hex.EncodeToString(sum[:]); {
			case !ok:
				problems = append(problems, fmt.Sprintf("%s is missing", file[0]))
			case got != file[1]:
				problems = append(problems, fmt.Sprintf("%s has the SHA-256 %s, the manifest says %s", file[0], got, file[1]))
			}
		}
	}
	return problems
}

// classes compares the generated classes with what the manifest's signatures ask for, and finds generated ones that no
// function has.
func classes(jar jarfile.Jar, m manifest.Manifest) []string {
	var problems []string
	known := map[string]bool{}
	for _, f := range m.Functions {
		name := strings.ReplaceAll(f.Class, ".", "/") + ".class"
		known[name] = true
		want, err := binding.Class(f, m.Build)
		content, ok := jar[name]
		switch {
		case err != nil:
			problems = append(problems, err.Error())
		case !ok:
			problems = append(problems, fmt.Sprintf("class %s of function %s is missing", f.Class, f.Name))
		case !bytes.Equal(content, want):
			problems = append(problems, fmt.Sprintf("class %s is not the one of %s", f.Class, f.Signature))
		}
	}
	folder := strings.ReplaceAll(binding.Package, ".", "/") + "/"
	for _, name := range slices.Sorted(maps.Keys(jar)) {
		if strings.HasPrefix(name, folder) && !known[name] {
			problems = append(problems, fmt.Sprintf("%s is the class of no function", name))
		}
	}
	return problems
}
