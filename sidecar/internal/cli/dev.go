package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/cluster"
	"github.com/drey-flink/drey/sidecar/internal/demo"
	"github.com/drey-flink/drey/sidecar/internal/replaydemo"
)

func (p *program) dev() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dev", Short: "A Flink cluster on this machine, without Docker", Args: cobra.NoArgs,
		Long: `Starts a JobManager, a TaskManager and an S3 server for checkpoints as plain processes on the loopback address, from a
checkout of Drey. Logs, state and data are in one folder. The usual ports are taken when they are free.`,
		Example: `  drey dev up                    8081 is Flink; or the port that is printed
  drey dev status -o json
  drey dev demo --quick          a whole job, and a summary
  drey dev down`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.devUp(), p.devDown(), p.devStatus(), p.devSubmit(), p.devSQL(), p.devDemo())
	return cmd
}

// dirFlag is the folder of a cluster; the default is in the checkout.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "folder of the cluster (default .drey/dev in the checkout)")
}

func clusterDir(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	root, err := cluster.Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, ".drey", "dev"), nil
}

func (p *program) devUp() *cobra.Command {
	var (
		dir, output string
		slots       int
		keep        bool
		define, lib []string
	)
	cmd := &cobra.Command{
		Use: "up", Short: "Start the cluster and wait until it answers", Args: cobra.NoArgs,
		Long:    "Starts the cluster and waits until it answers; says so if it is up already. What a crashed run left is ended first.",
		Example: "  drey dev up --slots 4 -D execution.checkpointing.interval=5s",
	}
	dirFlag(cmd, &dir)
	outputFlag(cmd, &output)
	cmd.Flags().IntVar(&slots, "slots", 4, "task slots of the TaskManager")
	cmd.Flags().BoolVar(&keep, "keep-data", false, "keep the checkpoints and outputs of an earlier run")
	cmd.Flags().StringArrayVarP(&define, "define", "D", nil, "a key=value of Flink's configuration; may be given again")
	cmd.Flags().StringArrayVar(&lib, "lib", nil, "a `jar` for Flink's lib, such as a go-udf-bridge.jar; may be given again")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := definitions(define)
		if err != nil {
			return err
		}
		if slots < 1 {
			return usageError{fmt.Errorf("--slots %d: must be at least 1", slots)}
		}
		path, err := clusterDir(dir)
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		c, already, err := cluster.Up(ctx, cluster.Options{
			Dir: path, Slots: slots, KeepData: keep, Config: config, Lib: lib,
			Progress: func(s string) { fmt.Fprintln(p.stderr, s) },
		})
		if err != nil {
			return unlessInterrupted(ctx, fmt.Errorf("%w\nlogs are in %s", err, filepath.Join(path, "logs")))
		}
		return p.print(output, c.State, func(w io.Writer) {
			if already {
				fmt.Fprintln(w, "up already")
			}
			row(w, "Flink", c.Flink)
			row(w, "S3", c.S3, "bucket "+c.Bucket+", key "+c.AccessKey+", secret "+c.SecretKey)
			row(w, "objects", filepath.Join(c.Data, c.Bucket))
			row(w, "logs", filepath.Join(c.Dir, "logs"))
			down := "drey dev down"
			if dir != "" {
				down += " --dir " + path
			}
			fmt.Fprintln(w, "\nend it with: "+down)
		})
	}
	return cmd
}

func (p *program) devDown() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "down", Short: "End the cluster; logs and data stay", Args: cobra.NoArgs,
		Long: "Ends every process of the cluster, also those that a crashed run left. Logs and data stay until the next up.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := clusterDir(dir)
			if err != nil {
				return err
			}
			ran, err := cluster.Down(cmd.Context(), path)
			if err != nil {
				return err
			}
			said := "ended; logs are in " + filepath.Join(path, "logs")
			if !ran {
				said = "nothing runs in " + path
			}
			_, err = fmt.Fprintln(p.stdout, said)
			return err
		},
	}
	dirFlag(cmd, &dir)
	return cmd
}

func (p *program) devStatus() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use: "status", Short: "Say what runs; exit 1 unless all of the cluster does", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := clusterDir(dir)
			if err != nil {
				return err
			}
			status, err := cluster.Status(path)
			if err != nil {
				return err
			}
			down := 0
			err = p.print(output, status, func(w io.Writer) {
				row(w, "PROCESS", "PID", "URL", "LOG")
				for _, s := range status {
					pid := "down"
					if s.PID != 0 {
						pid = fmt.Sprint(s.PID)
					}
					row(w, s.Name, pid, s.URL, s.Log)
				}
			})
			for _, s := range status {
				if s.PID == 0 {
					down++
				}
			}
			if err == nil && down > 0 {
				err = fmt.Errorf("%d of %d processes are down; start them with: drey dev up", down, len(status))
			}
			return err
		},
	}
	dirFlag(cmd, &dir)
	outputFlag(cmd, &output)
	return cmd
}

func (p *program) devDemo() *cobra.Command {
	o := demo.Options{Out: p.stdout}
	var replay bool
	var page string
	cmd := &cobra.Command{
		Use: "demo", Short: "A real job scores real records through Go, and a summary", Args: cobra.NoArgs,
		Long: `Starts a cluster of its own, submits a job through Flink's REST API, follows it, judges its decisions and ends
everything. The function is called in the sidecar, or in the TaskManager itself: the decisions are the same.

Inputs: flights     336,776 real departures of 2013; is the flight going to be 30 minutes late? (default)
        generated   labelled card payments from a seeded generator; is it fraud?
        walkthrough the transactions of Flink's own fraud-detection walkthrough, without labels

With --replay another story: a bad rule goes live, an audit from a checkpoint on finds the decisions that it changed, and the job is
restarted from that checkpoint with the good rule; the counts that it keeps in Go's state prove that nothing was lost or counted twice.`,
		Example: `  drey dev demo --quick
  drey dev demo --quick --via sql
  drey dev demo --input generated --events 200000 --report summary.json
  drey dev demo --input generated --sidecar ./my-sidecar      your function in the place of fraud
  drey dev demo --replay --html diff.html                     a bad rule, and what replay does about it
  drey dev demo --keep                                        leaves it running; drey dev down ends it`,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Input, "input", demo.Flights, "flights, generated or walkthrough")
	flags.StringVar(&o.Via, "via", demo.HTTP, "how the job calls Go: http (the sidecar), udf (in the TaskManager) or sql (the same, from a SQL statement)")
	flags.Int64Var(&o.Events, "events", 0, "how many records (0 = the input's own default)")
	flags.Int64Var(&o.Rate, "rate", 0, "records a second (0 = as many as it takes; the walkthrough has 50)")
	flags.Int64Var(&o.Seed, "seed", 0, "seed of the generated input (0 = the generator's own)")
	flags.BoolVar(&o.Quick, "quick", false, "a small input, for tests: under a minute")
	flags.BoolVar(&o.Keep, "keep", false, "leave everything running and print the URLs")
	flags.StringVar(&o.Sidecar, "sidecar", "", "program to serve with, instead of this one: a sidecar of your own")
	flags.StringVar(&o.GoJar, "go-jar", "", "go-udf-bridge.jar with the function, for --via udf and sql, instead of the one that scripts/build makes")
	flags.IntVar(&o.Parallelism, "parallelism", 0, "of the job (0 = 2)")
	flags.StringVar(&o.Report, "report", "", "write the summary as JSON to this file")
	flags.BoolVar(&replay, "replay", false, "the story of a bad rule; of the other flags only --dir, --keep and --html count")
	flags.StringVar(&page, "html", "", "write the report of the audit as an HTML page to this file, with --replay")
	dirFlag(cmd, &o.Dir)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, path := range []*string{&o.Dir, &o.Sidecar, &o.GoJar, &page} {
			if *path == "" {
				continue
			}
			abs, err := filepath.Abs(*path)
			if err != nil {
				return err
			}
			*path = abs
		}
		if err := o.Check(); err != nil {
			return usageError{err}
		}
		o.Live = isTerminal(p.stdout)
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		if replay {
			return unlessInterrupted(ctx, replaydemo.Run(ctx, replaydemo.Options{Dir: o.Dir, Report: page, Keep: o.Keep, Out: p.stdout}))
		}
		return unlessInterrupted(ctx, demo.Run(ctx, o))
	}
	return cmd
}

// untilSignal is a context that ends when somebody wants the command to end, or closes its terminal.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
}

// unlessInterrupted replaces what an interrupted command says of itself, unless it has to say that not all was ended.
func unlessInterrupted(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if errors.Is(err, cluster.ErrNotEnded) {
		return err
	}
	return errInterrupted
}

// isTerminal says whether a standard stream is one.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
