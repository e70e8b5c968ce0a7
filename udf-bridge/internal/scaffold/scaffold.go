// Package scaffold writes a Go module with functions for Flink that compiles, passes its tests and builds at once.
package scaffold

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"unicode"
)

//go:embed template/*.tmpl
var templates embed.FS

// Options say what to write.
type Options struct {
	Dir    string // must not exist, or be empty
	Module string // path of the new module; "" makes one of the folder's name

	// The Drey module that is required: a version, or a folder that go.mod replaces it by.
	DreyVersion string
	DreyDir     string
}

// Write writes the module and lets the go command complete its go.mod and go.sum.
func Write(ctx context.Context, o Options) error {
	if err := free(o.Dir); err != nil {
		return err
	}
	if o.Module == "" {
		o.Module = "example.com/" + strings.ToLower(filepath.Base(o.Dir))
	}
	if !validModule.MatchString(o.Module) {
		return fmt.Errorf("module path %q: want letters, digits and -._~ between slashes, as example.com/functions; say another: --module PATH", o.Module)
	}
	data := struct {
		Options
		Package, GoVersion string
	}{o, packageName(o.Module), languageVersion}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return err
	}
	err := fs.WalkDir(templates, "template", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		t, err := template.ParseFS(templates, path)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, data); err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".tmpl")
		if name == "gitignore" {
			name = ".gitignore"
		}
		return os.WriteFile(filepath.Join(o.Dir, name), text.Bytes(), 0o644)
	})
	if err != nil {
		return err
	}
	return tidy(ctx, o.Dir)
}

// free wants a folder that is not there or is empty: nothing of the user's is ever written over.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty (%s); name a folder that does not exist yet", dir, entries[0].Name())
	default:
		return nil
	}
}

// tidy adds what is required indirectly, and the hashes.
func tidy(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the files are written, but go mod tidy says:\n%s\nwhen that is mended, type: cd %s && go mod tidy", bytes.TrimSpace(out), dir)
	}
	return nil
}

var validModule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9][A-Za-z0-9._~-]*)*$`)

// packageName makes a Go package name of the last element of a module path.
func packageName(module string) string {
	elements := strings.Split(module, "/")
	last := elements[len(elements)-1]
	if n := len(elements); n > 1 && regexp.MustCompile(`^v[0-9]+$`).MatchString(last) {
		last = elements[n-2]
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, last)
	if name == "" || unicode.IsDigit(rune(name[0])) || name == "main" || token.IsKeyword(name) {
		return "functions"
	}
	return name
}

// languageVersion is the least that Drey needs, as go.mod writes it. That of the toolchain which made this program may be
// newer than the Go of whoever runs it.
const languageVersion = "1.26"
