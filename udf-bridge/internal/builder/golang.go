package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// golang runs the go command in one folder with one environment.
type golang struct {
	dir  string
	env  []string // added to the process's
	tags string
}

// with is the same command with more variables.
func (g golang) with(env ...string) golang {
	g.env = append(append([]string(nil), g.env...), env...)
	return g
}

// flags are what every command that looks at packages gets, so that all see the same. Vendor folders are not used: they
// hold only what the user's own code imports, and the bridge is not among it.
func (g golang) flags() []string {
	flags := []string{"-mod=readonly", "-trimpath", "-buildvcs=false"}
	if g.tags != "" {
		flags = append(flags, "-tags="+g.tags)
	}
	return flags
}

// run returns what the command printed. Its error holds what the command complained about.
func (g golang) run(ctx context.Context, args ...string) ([]byte, error) {
	return run(ctx, g.dir, g.env, "go", args...)
}

func run(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if complaint := strings.TrimSpace(stderr.String()); err != nil && complaint != "" {
		return nil, &commandError{name: name, complaint: complaint, err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return stdout.Bytes(), nil
}

// commandError is a command that ended with an error and said why.
type commandError struct {
	name, complaint string
	err             error
}

func (e *commandError) Error() string { return e.complaint }
func (e *commandError) Unwrap() error { return e.err }

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Name       string
	Standard   bool
	DepOnly    bool
	CgoFiles   []string
	Module     *module
	Error      *struct{ Err string }
}

// module is what `go list -m` says of a module.
type module struct {
	Path    string
	Version string
	Dir     string
	Main    bool
	Replace *module
}

// released says whether the go command has downloaded the module, so that it is no folder of the user's.
func (m module) released() bool {
	return m.Version != "" && (m.Replace == nil || m.Replace.Version != "")
}

// list returns the packages that the patterns name and all that they import.
func (g golang) list(ctx context.Context, patterns ...string) ([]listed, error) {
	args := append([]string{"list", "-e", "-deps", "-json=ImportPath,Dir,Name,Standard,DepOnly,CgoFiles,Module,Error"}, g.flags()...)
	out, err := g.run(ctx, append(append(args, "--"), patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}

// environment is the part of `go env` that matters here.
type environment struct {
	GOVERSION, GOOS, GOARCH, GOMOD, GOWORK, CC string
}

func (g golang) environment(ctx context.Context) (environment, error) {
	var e environment
	out, err := g.run(ctx, "env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOMOD", "GOWORK", "CC")
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(out, &e)
}
