package buildercli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/udf-bridge/internal/analyzer"
	"github.com/drey-flink/drey/udf-bridge/internal/builder"
)

// sourceFlags are what commands that read Go packages share.
type sourceFlags struct {
	tags  string
	allow []string
	quiet bool
}

func (s *sourceFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.tags, "tags", "", "build `tags`, separated by commas")
	cmd.Flags().StringSliceVar(&s.allow, "allow", nil, "build in spite of these `rules` of the analyzer: exit, goroutine, signal; cgo and thread only warn")
	cmd.Flags().BoolVarP(&s.quiet, "quiet", "q", false, "no lines of progress on stderr")
}

// options are those of a build of the packages.
func (p *program) options(s sourceFlags, patterns []string) (builder.Options, error) {
	allowed, err := analyzer.Allowed(s.allow)
	if err != nil {
		return builder.Options{}, usageError{err}
	}
	o := builder.Options{Dir: p.dir, Patterns: patterns, Tags: s.tags, Executable: p.executable, Allow: allowed}
	o.Warn = func(f analyzer.Finding) { fmt.Fprintf(p.stderr, "warning: %s\n", f) }
	if !s.quiet {
		o.Progress = p.progress
	}
	return o, nil
}

func (p *program) build() *cobra.Command {
	var s sourceFlags
	var out, shimJar, profile string
	var targets []string
	cmd := &cobra.Command{
		Use: "build PACKAGE... [-o go-udf-bridge.jar]", Short: "Build the jar", Args: somePackages,
		Long: `Builds the packages' functions into one jar: the Go library, the C shim, one Java class for each function, and a
manifest. A package is a folder such as ./functions, or an import path; it exports func Register(r *udf.Registry).

A CPU profile of your own benchmarks, as default.pgo beside the functions, makes the compiler inline what they show to
be hot: go test -bench . -cpuprofile default.pgo. The first build with a new profile compiles everything anew.

The same packages with the same toolchain give the same bytes. Needs Go, a C compiler and a JDK (JAVA_HOME, or javac
on the PATH). Nothing is written into the packages' module.`,
		Example: `  go-udf-builder build ./functions
  go-udf-builder build ./fraud ./pricing -o all.jar           several packages share one Go runtime
  go-udf-builder build ./fraud --platform linux/amd64,linux/arm64`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := p.options(s, args)
			if err != nil {
				return err
			}
			o.ShimJar, o.Platforms, o.Profile = shimJar, targets, profile
			return p.buildJar(cmd.Context(), o, out, s.quiet)
		},
	}
	s.add(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "go-udf-bridge.jar", "write the jar to this `file`")
	cmd.Flags().StringVar(&shimJar, "shim-jar", "", "the `jar` with Drey's Java classes (default: beside this program, or as Maven made it in the Drey module)")
	cmd.Flags().StringVar(&profile, "pgo", builder.ProfileAuto, "CPU profile for the Go compiler, as of go build: a `file`, auto (the default.pgo beside the functions) or off")
	cmd.Flags().StringSliceVar(&targets, "platform", nil, "linux/amd64, linux/arm64 or both; needs a cross compiler for the one that is not this machine's (default: this machine's)")
	return cmd
}

// somePackages wants at least one package.
func somePackages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s wants a package, as in: %[1]s ./functions", cmd.CommandPath())
	}
	return nil
}

func (p *program) buildJar(ctx context.Context, o builder.Options, out string, quiet bool) error {
	if !filepath.IsAbs(out) {
		out = filepath.Join(p.dir, out)
	}
	if !strings.HasSuffix(out, ".jar") {
		return usageError{fmt.Errorf("-o %s: the name must end with .jar, or Flink does not take it", out)}
	}
	result, err := builder.Build(ctx, o)
	if err != nil {
		return err
	}
	if err := result.Jar.WriteFile(out); err != nil {
		return err
	}
	if quiet {
		return nil
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s  %.1f MB, build %s\n", out, float64(info.Size())/1e6, result.Manifest.Build)
	for _, f := range result.Manifest.Functions {
		fmt.Fprintf(p.stderr, "  %s\n", f.Signature)
	}
	fmt.Fprintf(p.stderr, "next: go-udf-builder verify %s && go-udf-builder describe %[1]s\n", out)
	return nil
}
