package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

const decisionsHelp = `
--dir is the folder of the log (decisions.dir). It is only read: beside the sidecar that writes it, or offline, or a copy of it.
Values that the sidecar masked are "***" in the folder itself.`

func (p *program) decisions() *cobra.Command {
	cmd := &cobra.Command{
		Use: "decisions", Short: "What was decided, from what, and why", Args: cobra.NoArgs,
		Long: `Reads the decision log of a sidecar (drey serve --decisions-dir DIR): every decision with its input, outcome, reasons, function,
build and place in Flink.
` + decisionsHelp,
		Example: `  drey decisions tail -f --dir /var/lib/drey/decisions
  drey decisions lookup order-4711 --dir /var/lib/drey/decisions
  drey decisions lookup order-4711 --server http://127.0.0.1:8080
  drey decisions export --since 24h --function fraud --dir ./decisions > yesterday.ndjson
  drey decisions verify --dir ./decisions                          exit 0 only if nothing was changed`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.decisionsTail(), p.decisionsLookup(), p.decisionsExport(), p.decisionsVerify())
	return cmd
}

func logFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "`folder` of the decision log")
}

func logNeeded(dir string) error {
	if dir == "" {
		return usageError{errors.New("--dir FOLDER is missing: the folder of the decision log, decisions.dir of the sidecar")}
	}
	return nil
}

// printEntries writes entries as JSON lines as they come.
func (p *program) printEntries(ctx context.Context, entries iter.Seq2[decisions.Entry, error], fields ...string) error {
	x, err := decisions.NewExporter(fields...)
	if err != nil {
		return usageError{err}
	}
	var line []byte
	for e, err := range entries {
		if ctx.Err() != nil {
			return nil // Ctrl-C is how a tail ends
		}
		if err != nil {
			return err
		}
		line = append(x.Append(line[:0], e), '\n')
		if _, err := p.stdout.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) decisionsTail() *cobra.Command {
	var dir, server, job, function string
	var follow, notes bool
	var last int
	cmd := &cobra.Command{
		Use: "tail", Short: "Print the newest decisions, and those that come", Args: cobra.NoArgs,
		Long: `Prints the decisions among the last -n records of the log, a JSON object a line; with -f those that come, too, until Ctrl-C.
` + decisionsHelp,
		Example: `  drey decisions tail -f --dir /var/lib/drey/decisions
  drey decisions tail -n 1000 --function fraud --server http://127.0.0.1:8080
  drey decisions tail -f --notes --dir ./decisions        with what the log notes of itself: starts, losses, dropped segments`,
	}
	logFlag(cmd, &dir)
	cmd.Flags().StringVar(&server, "server", "", "ask this sidecar instead (http://host:port or unix:/path; or the variable DREY_SERVER)")
	cmd.Flags().StringVar(&job, "job", "", "only of this job")
	cmd.Flags().StringVar(&function, "function", "", "only of this function")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those that come")
	cmd.Flags().BoolVar(&notes, "notes", false, "print the log's notes about itself, too (with --dir)")
	cmd.Flags().IntVarP(&last, "lines", "n", 10, "begin so many records before the end")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if last < 0 {
			return usageError{fmt.Errorf("-n %d, must not be negative", last)}
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		q := decisions.Query{Job: job, Function: function, Notes: notes}
		if dir != "" {
			r := decisions.NewReader(dir)
			if follow {
				return p.printEntries(ctx, r.Tail(ctx, last, q))
			}
			end, err := r.Last()
			if err != nil {
				return err
			}
			if back := uint64(last); end > back {
				q.After = end - back
			}
			return p.printEntries(ctx, r.Range(ctx, q))
		}
		server = p.server(server)
		if server == "" {
			return errNoLog
		}
		c, err := newClient(server)
		if err != nil {
			return err
		}
		return p.tailServer(ctx, c, url.Values{"job": {job}, "function": {function}}, last, follow)
	}
	return cmd
}

var errNoLog = usageError{errors.New("say where the log is: --dir FOLDER, or --server http://127.0.0.1:8080")}

func (p *program) decisionsLookup() *cobra.Command {
	var dir, server, output string
	cmd := &cobra.Command{
		Use: "lookup ID", Short: "Show how a decision came about", Args: cobra.ExactArgs(1),
		Long: `Shows every decision of an id, the oldest first: the input, what of its state the function read, the rules that fired, and the
outcome. After a failover Flink sends again what came after the checkpoint, so an id may have several; those of the highest fence
count. Exit 1 if there is none.
` + decisionsHelp,
		Example: `  drey decisions lookup order-4711 --dir ./decisions
  drey decisions lookup order-4711 --server http://127.0.0.1:8080 -o json`,
	}
	logFlag(cmd, &dir)
	cmd.Flags().StringVar(&server, "server", "", "ask this sidecar instead (http://host:port or unix:/path; or the variable DREY_SERVER)")
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		list, err := p.lookup(ctx, args[0], dir, server)
		if err != nil {
			return err
		}
		return p.print(output, decisionList{Decisions: list}, func(w io.Writer) { lineage(w, list) })
	}
	return cmd
}

func (p *program) decisionsExport() *cobra.Command {
	var dir, since, until, job, function, output, fields string
	var notes bool
	cmd := &cobra.Command{
		Use: "export", Short: "Print decisions as JSON lines", Args: cobra.NoArgs,
		Long: `Prints the decisions that the flags choose, a JSON object a line, in the order of the log.

--since and --until take a time such as 2026-11-23T14:05:00Z, or how long ago: 24h. --fields chooses keys and their order:
` + strings.Join(decisions.Fields, ", ") + `; input.a.b and result.a.b choose a part.
` + decisionsHelp,
		Example: `  drey decisions export --dir ./decisions > all.ndjson
  drey decisions export --dir ./decisions --since 2026-11-23T14:05:00Z --until 2026-11-23T14:20:00Z --function fraud
  drey decisions export --dir ./decisions --since 1h --fields id,input.amount,result.decision`,
	}
	logFlag(cmd, &dir)
	cmd.Flags().StringVar(&since, "since", "", "at or after this time")
	cmd.Flags().StringVar(&until, "until", "", "before this time")
	cmd.Flags().StringVar(&job, "job", "", "only of this job")
	cmd.Flags().StringVar(&function, "function", "", "only of this function")
	cmd.Flags().StringVar(&fields, "fields", "", "keys, separated by commas; none = all that are not empty")
	cmd.Flags().BoolVar(&notes, "notes", false, "print the log's notes about itself, too")
	cmd.Flags().StringVarP(&output, "output", "o", "ndjson", "ndjson, which is the only one")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "ndjson" {
			return usageError{fmt.Errorf("--output %q, must be ndjson", output)}
		}
		if err := logNeeded(dir); err != nil {
			return err
		}
		q := decisions.Query{Job: job, Function: function, Notes: notes}
		now := time.Now()
		var err error
		if q.Since, err = timeFlag("since", since, now); err != nil {
			return err
		}
		if q.Until, err = timeFlag("until", until, now); err != nil {
			return err
		}
		var keys []string
		if fields != "" {
			keys = strings.Split(fields, ",")
		}
		if _, err := decisions.NewExporter(keys...); err != nil {
			return usageError{err}
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		return unlessInterrupted(ctx, decisions.Export(p.stdout, decisions.NewReader(dir).Range(ctx, q), keys...))
	}
	return cmd
}

// timeFlag reads a time, or how long before now.
func timeFlag(name, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, usageError{fmt.Errorf("--%s %q, must be a time such as 2026-11-23T14:05:00Z, or how long ago, such as 24h", name, text)}
	}
	return t, nil
}

func (p *program) decisionsVerify() *cobra.Command {
	var dir, head, output string
	cmd := &cobra.Command{
		Use: "verify", Short: "Show that nothing in the log was changed", Args: cobra.NoArgs,
		Long: `Reads all of the log and follows its chain of hashes: a record that was edited, inserted or removed, a segment that is missing or
damaged is named. Exit 0 if everything fits, 1 if not.

Whoever can write to the folder can cut off its end, or write all of it anew. That shows only against a head that was noted
elsewhere: the sidecar writes it to its own log now and then, and into /v1/status; --head takes it.
` + decisionsHelp,
		Example: `  drey decisions verify --dir ./decisions
  drey decisions verify --dir ./decisions --head 4711:9f86d081...      and the chain leads through this head`,
	}
	logFlag(cmd, &dir)
	cmd.Flags().StringVar(&head, "head", "", "a head that was noted earlier, `NUMBER:HASH`")
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := logNeeded(dir); err != nil {
			return err
		}
		var expect segment.Head
		if head != "" {
			var err error
			if expect, err = segment.ParseHead(head); err != nil {
				return usageError{fmt.Errorf("--head %q: %w", head, err)}
			}
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		report, err := decisions.NewReader(dir).Verify(ctx, expect)
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		if err := p.print(output, report, func(w io.Writer) { verified(w, report) }); err != nil {
			return err
		}
		if n := len(report.Problems); n > 0 {
			return fmt.Errorf("decision log %s: %d problems: it is not what was written", dir, n)
		}
		return nil
	}
	return cmd
}

func verified(w io.Writer, r decisions.Report) {
	fmt.Fprintf(w, "%d decisions and %d notes in %d segments, %s\n", r.Decisions, r.Notes, r.Segments, byteSize(r.Bytes))
	fmt.Fprintf(w, "head: %s\n", r.Head)
	if r.Lost > 0 {
		fmt.Fprintf(w, "lost: %d decisions were not written, as the log notes; export --notes tells why\n", r.Lost)
	}
	if r.Dropped > 0 {
		fmt.Fprintf(w, "dropped: the records up to %d, as the log notes\n", r.Dropped)
	}
	if r.Tail > 0 {
		fmt.Fprintf(w, "unfinished: %s at the end, from a crash or a writer that is running\n", byteSize(r.Tail))
	}
	for problem := range slices.Values(r.Problems) {
		fmt.Fprintf(w, "PROBLEM %s: %s\n", problem.Segment, problem.Message)
	}
	if len(r.Problems) == 0 {
		fmt.Fprintln(w, "the chain is whole")
	}
}
