package jarfile_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
)

func written(t *testing.T, j jarfile.Jar) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := j.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample() jarfile.Jar {
	return jarfile.Jar{"b/C.class": []byte("c"), "a.txt": bytes.Repeat([]byte("text "), 1000), jarfile.ManifestName: []byte("m"), "META-INF/A": nil, "B": []byte{0}}
}

func TestWrite_sameBytes(t *testing.T) {
	if !bytes.Equal(written(t, sample()), written(t, sample())) {
		t.Error("equal content made different bytes")
	}
}

func TestWrite_order(t *testing.T) {
	b := written(t, sample())
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if y := f.Modified.UTC().Format("2006-01-02 15:04:05"); y != "1980-01-01 00:00:00" {
			t.Errorf("%s has the time %s", f.Name, y)
		}
	}
	if diff := cmp.Diff([]string{jarfile.ManifestName, "B", "META-INF/A", "a.txt", "b/C.class"}, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestWriteFile_ReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.jar")
	for range 2 { // the second replaces the first
		if err := sample().WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := jarfile.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want["META-INF/A"] = []byte{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("beside the jar: %v, %v", left, err)
	}
	if err := sample().WriteFile(filepath.Join(dir, "missing", "x.jar")); err == nil {
		t.Error("written into a folder that does not exist")
	}
}

func TestRead_refuses(t *testing.T) {
	var twice bytes.Buffer
	z := zip.NewWriter(&twice)
	for range 2 {
		if _, err := z.Create("a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	good := written(t, sample())
	damaged := bytes.Clone(good)
	damaged[bytes.Index(damaged, []byte("B"))+10] ^= 0xff
	for _, c := range []struct {
		name, want string
		content    []byte
	}{
		{"twice", "entry a occurs twice", twice.Bytes()},
		{"no zip", "not a valid zip", []byte("PK, but no more")},
		{"cut", "not a valid zip", good[:len(good)-30]},
		{"damaged", "entry ", damaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jarfile.Read(bytes.NewReader(c.content), int64(len(c.content)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := sample().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, content []byte) {
		j, err := jarfile.Read(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			for name := range j {
				if strings.HasSuffix(name, "/") {
					t.Errorf("a folder was read: %q", name)
				}
			}
		}
	})
}

func TestAttributes(t *testing.T) {
	long := strings.Repeat("0123456789", 15)
	got := string(jarfile.Attributes(jarfile.Attribute{Name: "A", Value: "b"}, jarfile.Attribute{Name: "Long", Value: long}, jarfile.Attribute{Name: "Two", Value: "one\ntwo"},
		jarfile.Attribute{Name: "Umlaut", Value: strings.Repeat("ü", 40)}))
	if !strings.HasPrefix(got, "Manifest-Version: 1.0\r\nA: b\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("%q", got)
	}
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > 72 {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
	joined := strings.ReplaceAll(got, "\r\n ", "")
	for _, want := range []string{"\r\nLong: " + long + "\r\n", "\r\nTwo: one two\r\n", "\r\nUmlaut: " + strings.Repeat("ü", 40) + "\r\n"} {
		if !strings.Contains(joined, want) {
			t.Errorf("%q is not in %q", want, joined)
		}
	}
}
