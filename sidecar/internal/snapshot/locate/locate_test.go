package locate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/s3"
	"github.com/drey-flink/drey/sidecar/metadata"
)

const job = "14ab15ac1452e671ba95b9cfcafa7c47"

func locator(t *testing.T, c locate.Config) *locate.Locator {
	t.Helper()
	c.S3 = s3.Config{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", AccessKey: "k", SecretKey: "s"}
	l, err := locate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func at(t *testing.T, text string) metadata.Location {
	t.Helper()
	l, err := metadata.ParseLocation(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What a checkpoint may name depends on where it lies, or on what is allowed; never on what it names.
func TestAllowed(t *testing.T) {
	base := t.TempDir()
	checkpoint := filepath.Join(base, job, "chk-7")
	if err := os.MkdirAll(checkpoint, 0o700); err != nil {
		t.Fatal(err)
	}
	onS3 := "s3://flink/ck/" + job + "/chk-7"
	for _, c := range []struct {
		name, folder, file string
		allow              []string
		refused            bool
	}{
		{name: "its own bucket", folder: onS3, file: "s3://flink/other/x"},
		{name: "by another scheme of S3", folder: onS3, file: "s3p://flink/ck/x"},
		{name: "another bucket", folder: onS3, file: "s3://secrets/x", refused: true},
		{name: "a local file", folder: onS3, file: "/etc/passwd", refused: true},
		{name: "another host", folder: onS3, file: "hdfs://namenode/x", refused: true},
		{name: "a bucket that begins alike", folder: onS3, file: "s3://flink2/x", refused: true},
		{name: "allowed prefix", folder: onS3, allow: []string{"s3://flink/ck"}, file: "s3a://flink/ck/x"},
		{name: "allowed bucket", folder: onS3, allow: []string{"s3://other/"}, file: "s3://other/x"},
		{name: "beside the allowed prefix", folder: onS3, allow: []string{"s3://flink/ck"}, file: "s3://flink/ck2/x", refused: true},
		{name: "its own, and not allowed", folder: onS3, allow: []string{"s3://other"}, file: onS3 + "/x", refused: true},
		{name: "the folder of checkpoints", folder: checkpoint, file: "file:" + base + "/" + job + "/shared/x"},
		{name: "another job's", folder: checkpoint, file: base + "/00000000000000000000000000000000/shared/x"},
		{name: "beside the folder of checkpoints", folder: checkpoint, file: base + "x/y", refused: true},
		{name: "a folder that is none of Flink's", folder: filepath.Join(base, job), file: base + "/x", refused: true},
		{name: "a host in a file URL", folder: checkpoint, file: "file://host" + base + "/x", refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := locator(t, locate.Config{Allow: c.allow}).Within(at(t, c.folder))
			o, err := l.Object(t.Context(), at(t, c.file))
			if c.refused {
				if !errors.Is(err, locate.ErrRefused) || !errors.Is(err, snapshot.ErrDenied) {
					t.Errorf("got %+v, %v", o, err)
				}
				return
			}
			if err != nil || o.Source == nil || o.Key == "" || strings.HasPrefix(o.Key, "/") {
				t.Errorf("got %+v, %v", o, err)
			}
		})
	}
}

func TestNothingIsAllowedByItself(t *testing.T) {
	l := locator(t, locate.Config{})
	for _, file := range []string{"s3://flink/x", "/etc/passwd"} {
		if _, err := l.Object(t.Context(), at(t, file)); !errors.Is(err, locate.ErrRefused) || !strings.Contains(err.Error(), "allow its prefix") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestMap(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "x"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := locator(t, locate.Config{Map: []string{"s3a://flink=" + folder}})
	for _, file := range []string{"s3://flink/x", "s3a://flink/x", "s3p://flink/x"} {
		o, err := l.Object(t.Context(), at(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if found, err := o.Source.Stat(t.Context(), o.Key); err != nil || found.Size != 7 {
			t.Errorf("%s: %+v, %v", file, found, err)
		}
	}
	if _, err := l.Object(t.Context(), at(t, "s3://other/x")); !errors.Is(err, locate.ErrRefused) {
		t.Errorf("a bucket that is not mapped: %v", err)
	}
	more := l.WithMap(map[string]string{"other": folder, "flink": t.TempDir()})
	for _, file := range []string{"s3://flink/x", "s3://other/x"} {
		o, err := more.Object(t.Context(), at(t, file))
		if err == nil {
			_, err = o.Source.Stat(t.Context(), o.Key)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []locate.Config{
		{Allow: []string{"flink/x"}}, {Allow: []string{"hdfs://n/x"}}, {Allow: []string{"s3://flink/../x"}},
		{Map: []string{"s3://flink"}}, {Map: []string{"s3://flink="}}, {Map: []string{"/a=/b"}}, {Map: []string{"s3://flink/prefix=/b"}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "write ") {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := locate.New(c); err == nil {
			t.Errorf("%+v: taken", c)
		}
	}
}
