package buildercli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/udf-bridge/internal/scaffold"
)

const dreyModule = "github.com/drey-flink/drey"

func (p *program) init() *cobra.Command {
	var module, drey string
	cmd := &cobra.Command{
		Use: "init DIR", Short: "Write a module with functions to start from", Args: oneFolder,
		Long: `Writes a Go module into a new folder: a scalar and a table function, their test, and a README with the next commands.
It compiles, passes its tests and builds as it is.`,
		Example: `  go-udf-builder init functions
  go-udf-builder init pricing --module github.com/acme/pricing
  go-udf-builder init functions --drey ../drey              with a Drey of your own: a folder, or a version`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := scaffold.Options{Dir: filepath.Join(p.dir, args[0]), Module: module}
			if filepath.IsAbs(args[0]) {
				o.Dir = args[0]
			}
			var err error
			if o.DreyVersion, o.DreyDir, err = p.drey(cmd.Context(), drey); err != nil {
				return err
			}
			begun := time.Now()
			if err := scaffold.Write(cmd.Context(), o); err != nil {
				return err
			}
			p.progress("write module", time.Since(begun))
			fmt.Fprintf(p.stderr, "next: cd %s && go test ./... && go tool go-udf-builder build .\n", args[0])
			if work := workspace(cmd.Context(), o.Dir); work != "" {
				fmt.Fprintf(p.stderr, "note: %s is in force there; first type: go work use %s\n", work, args[0])
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&module, "module", "", "`path` of the new module (default: example.com/ and the folder's name)")
	cmd.Flags().StringVar(&drey, "drey", "", "the Drey module to use: a `version`, or a folder (default: the one this program is from)")
	return cmd
}

func oneFolder(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s wants the folder to make, as: %[1]s functions", cmd.CommandPath())
	}
	return nil
}

// release matches a version that can be downloaded.
var release = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// drey says which Drey the new module requires: the one given; the one of the module of the working directory, if that
// has it in a folder; the folder this program was compiled from; or this program's version.
func (p *program) drey(ctx context.Context, given string) (version, dir string, err error) {
	if release.MatchString(given) {
		return given, "", nil
	}
	if given != "" {
		dir, err := filepath.Abs(given)
		if err == nil && !isDrey(dir) {
			err = usageError{fmt.Errorf("--drey %s: neither a version such as v1.2.3 nor a folder with the module %s", given, dreyModule)}
		}
		return "", dir, err
	}
	if dir := ownFolder(ctx, p.dir); dir != "" {
		return "", dir, nil
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) && !strings.Contains(file, "@") {
		if dir := filepath.Join(filepath.Dir(file), "..", "..", ".."); isDrey(dir) {
			return "", dir, nil
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == dreyModule && release.MatchString(m.Version) {
				return m.Version, "", nil
			}
		}
	}
	return "", "", errors.New("this program was built from a working copy that is not here any more; say which Drey to use: --drey FOLDER, or --drey v1.2.3")
}

// isDrey says whether a folder holds the Drey module.
func isDrey(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && regexp.MustCompile(`(?m)^module `+regexp.QuoteMeta(dreyModule)+`\s*$`).Match(text)
}

// ownFolder is where the module of dir has Drey, if that is a folder of the user's and not the module cache.
func ownFolder(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-json", dreyModule)
	cmd.Dir = dir
	out, err := cmd.Output()
	var m struct {
		Dir     string
		Main    bool
		Replace *struct{ Version string }
	}
	if err != nil || json.Unmarshal(out, &m) != nil || !isDrey(m.Dir) {
		return ""
	}
	if m.Main || m.Replace != nil && m.Replace.Version == "" {
		return m.Dir
	}
	return ""
}

// workspace is the go.work that is in force in a folder, or "".
func workspace(ctx context.Context, dir string) string {
	cmd := exec.CommandContext(ctx, "go", "env", "GOWORK")
	cmd.Dir = dir
	out, err := cmd.Output()
	if work := strings.TrimSpace(string(out)); err == nil && work != "off" {
		return work
	}
	return ""
}
