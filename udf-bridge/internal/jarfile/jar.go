// Package jarfile reads and writes jars. What it writes depends on the entries alone: sorted names, one fixed time, no
// extra fields.
package jarfile

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ManifestName is the entry that Java's JarInputStream wants first.
const ManifestName = "META-INF/MANIFEST.MF"

// fixedTime is the first that a zip can hold.
var fixedTime = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Jar is the content of a jar: entry names and bytes, without folders.
type Jar map[string][]byte

// Write writes the jar.
func (j Jar) Write(w io.Writer) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	names := slices.SortedFunc(maps.Keys(j), func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == ManifestName:
			return -1
		case b == ManifestName:
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		if err := writeEntry(z, name, j[name]); err != nil {
			return fmt.Errorf("entry %s: %w", name, err)
		}
	}
	return z.Close()
}

func writeEntry(z *zip.Writer, name string, content []byte) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: fixedTime})
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// WriteFile writes the jar to a file that gets its name last, so that a reader never sees half of it.
func (j Jar) WriteFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = j.Write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// Limits of what is read, against a file that unpacks to more than memory holds.
const (
	maxEntry   = 512 << 20
	maxContent = 1 << 30
)

// ReadFile reads a jar from a file.
func ReadFile(path string) (Jar, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	j, err := Read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// Read reads a jar of size bytes. An entry that occurs twice is an error: Java would take one of the two.
func Read(r io.ReaderAt, size int64) (Jar, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	j, total := Jar{}, uint64(0)
	for _, entry := range z.File {
		if strings.HasSuffix(entry.Name, "/") {
			continue
		}
		if _, twice := j[entry.Name]; twice {
			return nil, fmt.Errorf("entry %s occurs twice", entry.Name)
		}
		if total += entry.UncompressedSize64; entry.UncompressedSize64 > maxEntry || total > maxContent {
			return nil, fmt.Errorf("entry %s makes more than %d MiB", entry.Name, maxContent>>20)
		}
		if j[entry.Name], err = readEntry(entry); err != nil {
			return nil, fmt.Errorf("entry %s: %w", entry.Name, err)
		}
	}
	return j, nil
}

func readEntry(entry *zip.File) ([]byte, error) {
	r, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxEntry))
}
