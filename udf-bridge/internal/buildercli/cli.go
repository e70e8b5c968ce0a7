// Package buildercli is the command line of go-udf-builder.
package buildercli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailure = 1 // it was tried and did not work
	ExitUsage   = 2 // the command line is wrong: nothing was tried
	ExitFound   = 4 // verify: the jar was tried, and something in it is bad

	ExitInterrupted = 130 // by Ctrl-C or SIGTERM, as a shell would say; what was started has been ended
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// foundError is what verify found.
type foundError struct{ error }

func (e foundError) Unwrap() error { return e.error }

// program is what the commands share.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	dir            string // the working directory
	executable     string // the path of this program, or ""
}

// Run runs one command line and returns the exit code. When ctx ends, what was started is ended too.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	err := p.locate()
	if err == nil {
		root := p.root()
		root.SetArgs(args)
		root.SetIn(stdin)
		root.SetOut(stdout)
		root.SetErr(stderr)
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return ExitOK
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "go-udf-builder: interrupted; what was started has been ended")
		return ExitInterrupted
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "go-udf-builder: "+line)
	}
	var death *console.DeathError
	if errors.As(err, &death) && death.Stderr != "" {
		fmt.Fprintf(stderr, "what it wrote last:\n    %s\n", strings.ReplaceAll(strings.TrimSpace(death.Stderr), "\n", "\n    "))
	}
	var usage usageError
	var found foundError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "try: go-udf-builder --help")
		return ExitUsage
	case errors.As(err, &found):
		return ExitFound
	default:
		return ExitFailure
	}
}

// locate notes where the program runs and where it is itself.
func (p *program) locate() (err error) {
	if p.dir, err = os.Getwd(); err != nil {
		return err
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			p.executable = real
		}
	}
	return nil
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "go-udf-builder",
		Short: "Go functions for Flink SQL, as a jar",
		Long: `Makes go-udf-bridge.jar out of a Go package: Flink SQL then calls its functions inside the TaskManager.

The package exports func Register(r *udf.Registry) and names its functions there; init writes one to start from.

Exit codes: 0 it worked; 1 it was tried and did not work; 2 the command line is wrong; 4 verify found something bad in
the jar; 130 interrupted.`,
		Example: `  go-udf-builder init functions                     a module with two functions, their tests and the next commands
  go-udf-builder build ./functions                  -> go-udf-bridge.jar
  go-udf-builder describe go-udf-bridge.jar         signatures, and the SQL to paste
  go-udf-builder verify go-udf-bridge.jar           in a real JVM: nulls and extremes of every type
  go-udf-builder run go-udf-bridge.jar score 12.5   one call, as Flink makes it`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{suggestFlag(cmd, err)} })
	root.AddCommand(p.init(), p.build(), p.describe(), p.verify(), p.run(), p.version())
	for _, cmd := range append(root.Commands(), root) {
		if cmd.HasSubCommands() {
			cmd.Args = noSuchCommand
		}
		if args := cmd.Args; args != nil {
			cmd.Args = func(cmd *cobra.Command, given []string) error {
				if err := args(cmd, given); err != nil {
					return usageError{err}
				}
				return nil
			}
		}
	}
	return root
}

// noSuchCommand is for the root: what is left on the line is none of its commands.
func noSuchCommand(cmd *cobra.Command, given []string) error {
	if len(given) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := nearest(given[0], names); near != "" {
		return fmt.Errorf("no command %q below %s; did you mean %s?", given[0], cmd.CommandPath(), near)
	}
	return fmt.Errorf("no command %q below %s; %[2]s --help lists them", given[0], cmd.CommandPath())
}

// suggestFlag names the nearest flag.
func suggestFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; %s --help lists them", err, cmd.CommandPath())
}

// nearest is the name that a person who typed another one may have meant, or "".
func nearest(typed string, names []string) string {
	best, distance := "", len(typed)/2+1
	for _, name := range names {
		if d := levenshtein.ComputeDistance(typed, name); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// version prints that of the module.
func (p *program) version() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{Version: "devel"}
			if info, ok := debug.ReadBuildInfo(); ok {
				v.Go = info.GoVersion
				if info.Main.Version != "" && info.Main.Version != "(devel)" {
					v.Version = info.Main.Version
				}
			}
			return p.print(output, v, func(w io.Writer) { fmt.Fprintf(w, "go-udf-builder %s (%s)\n", v.Version, v.Go) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
