package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
)

const described = `{"name":"risk","kind":"SCALAR","deterministic":true,"news":{"of":["a","later","version"]},
	"arguments":[{"name":"a","sql":"BIGINT NOT NULL","type":{"root":"BIGINT"}},{"name":"b","sql":"STRING"}],"result":{"sql":"DOUBLE NOT NULL"}}`

func sample(t *testing.T) manifest.Manifest {
	t.Helper()
	m := manifest.Manifest{
		Format: manifest.Format, Build: "0123456789abcdef", ABI: "1.0",
		Go: manifest.Go{Version: "go1.26.8", SDK: "v1.2.3", Packages: []string{"example.com/f"}, Modules: []manifest.Module{{Path: "example.com", Version: "(devel)"}}},
		Libraries: map[string]manifest.Library{
			"linux-arm64": {Library: "linux-arm64/l.so", LibrarySHA256: "aa", Shim: "linux-arm64/s.so", ShimSHA256: "bb"},
			"linux-amd64": {Library: "linux-amd64/l.so", LibrarySHA256: "cc", Shim: "linux-amd64/s.so", ShimSHA256: "dd"},
		},
		Functions: make([]manifest.Function, 1),
	}
	if err := json.Unmarshal([]byte(described), &m.Functions[0]); err != nil {
		t.Fatal(err)
	}
	m.Functions[0].Class = "dev.drey.udf.Risk"
	return m
}

// What this version does not know must reach the jar: the SDK of the user's module may be newer.
func TestManifest_carriesTheUnknown(t *testing.T) {
	text, err := sample(t).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Functions []struct {
			Class string
			News  map[string][]string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if f := got.Functions[0]; f.Class != "dev.drey.udf.Risk" || len(f.News["of"]) != 3 {
		t.Errorf("written %s", text)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Errorf("read and written again (-want +got):\n%s", diff)
	}
	if a := m.Functions[0].Arguments; a[0].Nullable() || !a[1].Nullable() {
		t.Errorf("nullability of %+v", a)
	}
}

func TestOf(t *testing.T) {
	text, err := sample(t).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	const build, file = "META-INF/drey/build", "META-INF/drey/0123456789abcdef/manifest.json"
	if _, err := manifest.Of(map[string][]byte{build: []byte("0123456789abcdef\n"), file: text}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name, want string
		jar        map[string][]byte
	}{
		{"another jar", "no entry META-INF/drey/build", map[string][]byte{"a": nil}},
		{"no manifest", "no entry " + file, map[string][]byte{build: []byte("0123456789abcdef")}},
		{"no JSON", "manifest.json: ", map[string][]byte{build: []byte("0123456789abcdef"), file: []byte("{")}},
		{"of another version", "has format 2", map[string][]byte{build: []byte("0123456789abcdef"), file: []byte(`{"format":2}`)}},
		{"of another build", `is of build "0123456789abcdef", the jar of "ff"`, map[string][]byte{build: []byte("ff"), "META-INF/drey/ff/manifest.json": text}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := manifest.Of(c.jar); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLibraries(t *testing.T) {
	m := sample(t)
	text := manifest.Libraries(m)
	want := `abi=1.0
linux-amd64.library=linux-amd64/l.so
linux-amd64.library.sha256=cc
linux-amd64.shim=linux-amd64/s.so
linux-amd64.shim.sha256=dd
linux-arm64.library=linux-arm64/l.so
linux-arm64.library.sha256=aa
linux-arm64.shim=linux-arm64/s.so
linux-arm64.shim.sha256=bb
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("libraries.properties (-want +got):\n%s", diff)
	}
	abi, libraries, err := manifest.ParseLibraries(text)
	if err != nil || abi != "1.0" {
		t.Fatalf("abi %q, error %v", abi, err)
	}
	if diff := cmp.Diff(m.Libraries, libraries); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"format":1,"functions":[`+described+`]}`), []byte("abi=1.0\nlinux-amd64.shim=x\n"))
	f.Add([]byte(`{"format":1,"functions":[null]}`), []byte("=\n.\n#"))
	f.Fuzz(func(t *testing.T, text, properties []byte) {
		if m, err := manifest.Parse(text); err == nil {
			if _, err := m.Bytes(); err != nil {
				t.Errorf("read but not written: %v", err)
			}
		}
		abi, libraries, err := manifest.ParseLibraries(properties)
		if err != nil {
			return
		}
		abi2, libraries2, err := manifest.ParseLibraries(manifest.Libraries(manifest.Manifest{ABI: abi, Libraries: libraries}))
		if err != nil || abi2 != abi || !cmp.Equal(libraries, libraries2) {
			t.Errorf("%q read as %q %v, written and read again %q %v, %v", properties, abi, libraries, abi2, libraries2, err)
		}
	})
}
