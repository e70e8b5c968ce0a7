package verify_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/internal/binding"
	"github.com/drey-flink/drey/udf-bridge/internal/builder"
	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/internal/verify"
)

const (
	emptySHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	class    = "dev/drey/udf/F.class"
)

// sample is a jar as the builder makes it, with empty libraries.
func sample(t *testing.T) (jarfile.Jar, manifest.Manifest) {
	t.Helper()
	m := manifest.Manifest{Format: manifest.Format, ABI: builder.ABI, Libraries: map[string]manifest.Library{
		"linux-amd64": {Library: "linux-amd64/l.so", LibrarySHA256: emptySHA, Shim: "linux-amd64/s.so", ShimSHA256: emptySHA},
	}}
	text := `[{"name":"f","kind":"SCALAR","signature":"f(a BIGINT NOT NULL) -> STRING","arguments":[{"name":"a","sql":"BIGINT NOT NULL"}],"result":{"sql":"STRING"}}]`
	if err := json.Unmarshal([]byte(text), &m.Functions); err != nil {
		t.Fatal(err)
	}
	binding.Name(m.Functions)
	jar := jarfile.Jar{"dev/drey/flink/udf/GoScalarFunction.class": []byte("base"), jarfile.ManifestName: nil}
	id, err := builder.BuildID(m, jar)
	if err != nil {
		t.Fatal(err)
	}
	m.Build = id
	seal(t, jar, m)
	jar[manifest.BuildFile] = []byte(id)
	jar[manifest.Dir(id)+"/linux-amd64/l.so"], jar[manifest.Dir(id)+"/linux-amd64/s.so"] = nil, nil
	if jar[class], err = binding.Class(m.Functions[0], id); err != nil {
		t.Fatal(err)
	}
	return jar, m
}

// seal writes the manifest and the list of libraries.
func seal(t *testing.T, jar jarfile.Jar, m manifest.Manifest) {
	t.Helper()
	text, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jar[manifest.File(m.Build)], jar[manifest.LibrariesFile(m.Build)] = text, manifest.Libraries(m)
}

func TestContent(t *testing.T) {
	good, m := sample(t)
	if problems := verify.Content(good, m); len(problems) > 0 {
		t.Fatalf("of a good jar: %q", problems)
	}
	dir := manifest.Dir(m.Build) + "/"
	for _, c := range []struct {
		name, want string
		change     func(jar jarfile.Jar, m *manifest.Manifest)
	}{
		{"of Flink's", "org/apache/flink/X.class does not belong", func(jar jarfile.Jar, _ *manifest.Manifest) { jar["org/apache/flink/X.class"] = nil }},
		{"no library", "linux-amd64/l.so is missing", func(jar jarfile.Jar, _ *manifest.Manifest) { delete(jar, dir+"linux-amd64/l.so") }},
		{"changed library", "linux-amd64/s.so has the SHA-256", func(jar jarfile.Jar, _ *manifest.Manifest) { jar[dir+"linux-amd64/s.so"] = []byte{1} }},
		{"no class", "class dev.drey.udf.F of function f is missing", func(jar jarfile.Jar, _ *manifest.Manifest) { delete(jar, class) }},
		{"changed class", "class dev.drey.udf.F is not the one of f(a BIGINT", func(jar jarfile.Jar, _ *manifest.Manifest) {
			jar[class] = bytes.Replace(jar[class], []byte("eval"), []byte("evil"), 1)
		}},
		{"class of nothing", "dev/drey/udf/G.class is the class of no function", func(jar jarfile.Jar, _ *manifest.Manifest) { jar["dev/drey/udf/G.class"] = nil }},
		{"changed base", "it was changed after it was built", func(jar jarfile.Jar, _ *manifest.Manifest) {
			jar["dev/drey/flink/udf/GoScalarFunction.class"] = []byte("other")
		}},
		{"changed manifest", "it was changed after it was built", func(jar jarfile.Jar, m *manifest.Manifest) { m.Go.SDK = "v9"; seal(t, jar, *m) }},
		{"other list", "libraries.properties and manifest.json differ", func(jar jarfile.Jar, _ *manifest.Manifest) { jar[dir+"libraries.properties"] = []byte("abi=1.0\n") }},
		{"ABI", "the C interface has version 2.0", func(_ jarfile.Jar, m *manifest.Manifest) { m.ABI = "2.0" }},
		{"no platform", "there is no library in it", func(_ jarfile.Jar, m *manifest.Manifest) { m.Libraries = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			jar, m := maps.Clone(good), m
			c.change(jar, &m)
			if problems := strings.Join(verify.Content(jar, m), "\n"); !strings.Contains(problems, c.want) {
				t.Errorf("problems %q, want %q", problems, c.want)
			}
		})
	}
}
