// Package cli is the command line of Drey.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailure = 1 // it was tried and did not work; so it is with an audit that found nothing to decide again
	ExitUsage   = 2 // the command line or the configuration is wrong: nothing was tried
	ExitDiffer  = 4 // an audit has found decisions that differ

	ExitInterrupted = 130 // by Ctrl-C or SIGTERM, as a shell would say; what was started has been ended
)

// errInterrupted is how a command ends that a signal broke off.
var errInterrupted = errors.New("interrupted; what was started has been ended")

// usageError is a mistake in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// program is what the commands share.
type program struct {
	register []func(*udf.Registry)
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	environ  []string
}

// Run runs one command line and returns the exit code. Register are the functions that are linked into this program
// beside the built-in ones. Signals are caught by the command that serves.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, register ...func(*udf.Registry)) int {
	p := &program{register: register, stdin: stdin, stdout: stdout, stderr: stderr, environ: os.Environ()}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "drey: "+line)
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(stderr, "try: drey --help")
		return ExitUsage
	}
	if errors.Is(err, errInterrupted) {
		return ExitInterrupted
	}
	if errors.Is(err, errDiffer) {
		return ExitDiffer
	}
	return ExitFailure
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "drey",
		Short: "Go functions for Apache Flink",
		Long: `Drey calls your Go functions from Flink jobs: beside the TaskManager, over HTTP and gRPC.

Exit codes: 0 it worked; 1 it was tried and did not work; 2 the command line or the configuration is wrong;
4 an audit found decisions that differ; 130 interrupted.`,
		Example: `  drey serve                                      answer POST /evaluate on 127.0.0.1:8080
  drey serve --rules-file rules.yaml              with rules that may change while it serves
  curl localhost:8080/evaluate -d '{"event": {"accountId": 1, "timestamp": 1764000000000, "amount": 612.1}}'
  drey config check --config drey.yaml            what applies, and where it comes from
  drey functions                                  what is linked in, with SQL types`,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{suggestFlag(cmd, err)} })
	root.AddCommand(p.serve(), p.config(), p.functions(), p.healthcheck(), p.version(), p.dev(), p.jobs(), p.checkpoints(), p.decisions(), p.replay(), p.watch())
	eachCommand(root, func(cmd *cobra.Command) {
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
	})
	return root
}

// noSuchCommand is for a command that only has others below it: what is left on the line is none of them.
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

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, do)
	}
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

// programVersion is that of the module, and the revision when it was built from a checkout.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(version, s.Value[:12]) {
			version += "+" + s.Value[:12]
		}
	}
	return version
}

func (p *program) version() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{Version: programVersion()}
			if info, ok := debug.ReadBuildInfo(); ok {
				v.Go = info.GoVersion
			}
			return p.print(output, v, func(w io.Writer) { fmt.Fprintf(w, "drey %s (%s)\n", v.Version, v.Go) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
