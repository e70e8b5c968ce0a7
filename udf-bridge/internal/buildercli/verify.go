package buildercli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
	"github.com/drey-flink/drey/udf-bridge/internal/jarfile"
	"github.com/drey-flink/drey/udf-bridge/internal/manifest"
	"github.com/drey-flink/drey/udf-bridge/internal/verify"
)

// patience is how long a call may take before the JVM is ended. A function's context ends well before.
const patience = 30 * time.Second

// verified is what verify prints as JSON.
type verified struct {
	Jar       string           `json:"jar"`
	Build     string           `json:"build"`
	Content   []string         `json:"content"` // what is wrong with what is in the jar
	Functions []verify.Verdict `json:"functions"`
}

func (p *program) verify() *cobra.Command {
	var output string
	var parameters []string
	var trace bool
	cmd := &cobra.Command{
		Use: "verify JAR", Short: "Judge a jar: what is in it, and how its functions behave in a real JVM", Args: oneJar,
		Long: `Checks what is in the jar: nothing unknown, nothing of Flink's, hashes, and a class for each signature. Then calls each
function in a real JVM (JAVA_HOME, or java on the PATH): with usual values, with NULL in every place that may be NULL, and
with the extremes of every type. An error that a function returns is fine; a panic, the end of the process, a result that
is no value of its type, or another result for the same row is not.

Exit codes: 0 nothing bad was found; 4 something was; 1 it could not be tried; 2 the command line is wrong.`,
		Example: `  go-udf-builder verify go-udf-bridge.jar
  go-udf-builder verify go-udf-bridge.jar --parameter model=/models/a.json
  go-udf-builder verify go-udf-bridge.jar --trace            with stack traces`,
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings(parameters)
			if err != nil {
				return err
			}
			v, err := p.verified(cmd.Context(), args[0], set)
			if err != nil {
				return err
			}
			if err := p.print(output, v, func(w io.Writer) { printVerdicts(w, v, trace) }); err != nil {
				return err
			}
			return v.found()
		},
	}
	outputFlag(cmd, &output)
	parameterFlag(cmd, &parameters)
	cmd.Flags().BoolVar(&trace, "trace", false, "print the stack traces of panics too")
	return cmd
}

func oneJar(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s wants one jar, as: %[1]s go-udf-bridge.jar", cmd.CommandPath())
	}
	return nil
}

func parameterFlag(cmd *cobra.Command, parameters *[]string) {
	cmd.Flags().StringArrayVar(parameters, "parameter", nil, "a job parameter that functions see when they are opened, as `name=value`; may be given several times")
}

// settings reads name=value.
func settings(pairs []string) (map[string]string, error) {
	all := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--parameter %s: want name=value", pair)}
		}
		all[name] = value
	}
	return all, nil
}

// declared refuses parameters that no function of the jar declares: Flink would pass them to none.
func declared(parameters map[string]string, functions []manifest.Function) error {
	known := map[string]bool{}
	for _, f := range functions {
		for _, p := range f.Parameters {
			known[p.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !known[name] {
			return usageError{fmt.Errorf("--parameter %s: no function here declares a parameter of that name (udf.Parameter); there are: %s",
				name, cmp.Or(strings.Join(slices.Sorted(maps.Keys(known)), ", "), "none"))}
		}
	}
	return nil
}

// readJar reads a jar and its manifest.
func readJar(path string) (jarfile.Jar, manifest.Manifest, string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, manifest.Manifest{}, "", err
	}
	jar, err := jarfile.ReadFile(path)
	if err != nil {
		return nil, manifest.Manifest{}, "", err
	}
	m, err := manifest.Of(jar)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return jar, m, path, err
}

func (p *program) verified(ctx context.Context, path string, parameters map[string]string) (verified, error) {
	jar, m, path, err := readJar(path)
	if err != nil {
		return verified{}, err
	}
	if err := declared(parameters, m.Functions); err != nil {
		return verified{}, err
	}
	v := verified{Jar: path, Build: m.Build, Content: verify.Content(jar, m), Functions: []verify.Verdict{}}
	if len(v.Content) > 0 {
		return v, nil // what is in it is not what was built: calling it says nothing
	}
	v.Functions, err = verify.Functions(ctx, m, verify.Options{
		Start: func(ctx context.Context) (*console.Console, error) {
			return console.Start(ctx, console.Options{Jar: path, Patience: patience})
		},
		Parameters: parameters,
	})
	return v, err
}

// found is the error of a jar with something bad in it.
func (v verified) found() error {
	bad := 0
	for _, f := range v.Functions {
		if len(f.Problems) > 0 {
			bad++
		}
	}
	switch {
	case len(v.Content) > 0:
		return foundError{errors.New("the jar is not as it was built; no function was called")}
	case bad > 0:
		return foundError{fmt.Errorf("%d of %d functions are bad", bad, len(v.Functions))}
	default:
		return nil
	}
}

// maxPrinted is how many problems of a function people are shown; programs get all.
const maxPrinted = 5

func printVerdicts(w io.Writer, v verified, trace bool) {
	for _, problem := range v.Content {
		fmt.Fprintf(w, "bad: %s\n", problem)
	}
	if len(v.Content) > 0 {
		return
	}
	row(w, "FUNCTION", "KIND", "CALLS", "ERRORS", "PANICS", "VERDICT")
	for _, f := range v.Functions {
		verdict := "ok"
		if len(f.Problems) > 0 {
			verdict = "BAD"
		}
		row(w, f.Function, strings.ToLower(f.Kind), fmt.Sprint(f.Calls), fmt.Sprint(f.Errors), fmt.Sprint(f.Panics), verdict)
	}
	for _, f := range v.Functions {
		if len(f.Problems) == 0 && f.Example != "" {
			fmt.Fprintf(w, "\n%s returned errors, which is fine; the first: %s\n", f.Function, f.Example)
		}
		for i, problem := range f.Problems {
			if i == maxPrinted {
				fmt.Fprintf(w, "\n%s: and %d more; -o json has them all\n", f.Function, len(f.Problems)-i)
				break
			}
			fmt.Fprintf(w, "\n%s: %s: %s\n", f.Function, problem.Case, problem.What)
			if trace && problem.Trace != "" {
				fmt.Fprintf(w, "    %s\n", strings.ReplaceAll(strings.TrimSpace(problem.Trace), "\n", "\n    "))
			}
		}
	}
}

func row(w io.Writer, cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
