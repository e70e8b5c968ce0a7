package builder

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
)

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindBase(t *testing.T) {
	beside, drey := t.TempDir(), t.TempDir()
	target := filepath.Join(drey, "jvm-shim", "target")
	mkdir(t, target)
	find := func(given string) string {
		path, err := findBase(given, filepath.Join(beside, "go-udf-builder"), module{Dir: drey})
		if err != nil {
			return err.Error()
		}
		return path
	}
	touch := func(path string, age time.Duration) string {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	touch(filepath.Join(target, "go-udf-bridge-0.1.0-tests.jar"), 0)
	if got, want := find(""), "build it: cd "+drey+" && mvn -q -pl jvm-shim package -DskipTests, and say where it is: --shim-jar FILE"; !strings.Contains(got, want) {
		t.Errorf("none: %s", got)
	}
	_, err := findBase("", filepath.Join(beside, "go-udf-builder"), module{Path: "example.com/acme/drey", Version: "v1.2.3", Dir: drey})
	if want := "git clone https://example.com/acme/drey && cd drey && git checkout v1.2.3 && mvn"; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cd "+drey) {
		t.Errorf("of the module cache: %v", err)
	}
	touch(filepath.Join(target, "go-udf-bridge-0.2.0.jar"), time.Hour)
	newest := touch(filepath.Join(target, "go-udf-bridge-0.1.0.jar"), time.Minute)
	if got := find(""); got != newest {
		t.Errorf("of Maven's: %s", got)
	}
	own := touch(filepath.Join(beside, "go-udf-bridge-0.1.0.jar"), time.Hour)
	if got := find(""); got != own {
		t.Errorf("beside the program: %s", got)
	}
	if got := find("given.jar"); got != "given.jar" {
		t.Errorf("given: %s", got)
	}
}

func TestBaseEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "base.jar")
	base := jarfile.Jar{
		"META-INF/MANIFEST.MF": nil, "META-INF/maven/dev.drey/pom.xml": nil, "META-INF/services/org.apache.flink.table.factories.Factory": nil,
		"GoUDFProxy.class": nil, "dev/drey/flink/udf/GoScalarFunction.class": []byte("x"), "dev/drey/flink/udf/library/GoLibrary.class": nil, "dev/drey/flink/table/GoModule.class": nil, "log4j2.properties": nil,
	}
	write := func() {
		if err := base.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	write()
	got, err := baseEntries(path)
	if err != nil {
		t.Fatal(err)
	}
	for name := range base {
		want := name != "META-INF/MANIFEST.MF" && name != "log4j2.properties" && !strings.Contains(name, "maven")
		if _, taken := got[name]; taken != want {
			t.Errorf("%s taken: %v", name, taken)
		}
	}
	delete(base, "dev/drey/flink/udf/GoScalarFunction.class")
	write()
	if _, err := baseEntries(path); err == nil || !strings.Contains(err.Error(), "has no class dev.drey.flink.udf.GoScalarFunction") {
		t.Errorf("error %v", err)
	}
}

func TestUnknown(t *testing.T) {
	jar := jarfile.Jar{}
	for _, name := range []string{
		"META-INF/MANIFEST.MF", "META-INF/drey/build", "META-INF/drey/ab/manifest.json", "META-INF/drey/ab/linux-amd64/libgo_udf.so", "dev/drey/udf/F.class",
		"dev/drey/flink/udf/GoScalarFunction.class", "GoUDFProxy.class", "META-INF/services/x",
	} {
		jar[name] = nil
	}
	if unknown := Unknown(jar, "ab"); len(unknown) > 0 {
		t.Errorf("refused: %v", unknown)
	}
	bad := []string{"META-INF/drey/cd/manifest.json", "META-INF/x", "dev/drey/flink/x.txt", "dev/drey/udf/inner/F.class", "main.go", "org/apache/flink/table/data/RowData.class"}
	for _, name := range bad {
		jar[name] = nil
	}
	if unknown := Unknown(jar, "ab"); !slices.Equal(unknown, bad) {
		t.Errorf("unknown: %v, want %v", unknown, bad)
	}
}
