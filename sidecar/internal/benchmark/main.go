// Benchmark measures Drey against something known, in one run on one machine, and prints ratios: absolute figures of a
// shared machine say little. It is called by scripts/bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// benchmarks by name: each adds its cases to the report.
var benchmarks = map[string]struct {
	what string
	run  func(context.Context, *Report) error
}{
	"sidecar":    {"POST /evaluate against a bare net/http handler: throughput, latency, memory, overload", benchSidecar},
	"udf":        {"Go in the TaskManager against Java and PyFlink, called from SQL", benchUDF},
	"job":        {"a Flink job through the sidecar against the same Java client outside Flink", benchJob},
	"state":      {"state in Go: barriers, requests with state and during snapshots, restores, audits", benchState},
	"checkpoint": {"checkpoints: _metadata against Flink's reader, pulls against GetObject, the watcher's processor time and delay", benchCheckpoint},
}

func main() {
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command() error {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		return runChild(os.Stdin, os.Stdout)
	}
	return run()
}

func run() error {
	flags := flag.NewFlagSet("scripts/bench", flag.ContinueOnError)
	reportFile := flags.String("report", "", "write the report as JSON to this `file`")
	quick := flags.Bool("quick", false, "one short round: shows that the benchmark runs, and measures little")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: scripts/bench NAME [--report FILE] [--quick]")
		for _, name := range names() {
			fmt.Fprintf(flags.Output(), "  %-10s  %s\n", name, benchmarks[name].what)
		}
	}
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		flags.Usage()
		return errors.New("which benchmark?")
	}
	name := os.Args[1]
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	bench, ok := benchmarks[name]
	if !ok {
		return fmt.Errorf("no benchmark %q; there are %s", name, strings.Join(names(), ", "))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report := newReport()
	report.quick = *quick
	if err := bench.run(ctx, report); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	report.table(os.Stdout)
	if *reportFile != "" {
		if err := report.write(*reportFile); err != nil {
			return err
		}
	}
	var failures []error
	if n := report.missed(); n > 0 {
		failures = append(failures, fmt.Errorf("%d of %d goals missed", n, report.goals()))
	}
	for _, missing := range report.Missing {
		failures = append(failures, errors.New(missing))
	}
	return errors.Join(failures...)
}

func names() []string {
	all := make([]string, 0, len(benchmarks))
	for name := range benchmarks {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
