package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/replay"
)

// errDiffer ends a command with ExitDiffer.
var errDiffer = errors.New("decisions differ")

func (p *program) replay() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay", Short: "Decide again what was decided after a checkpoint, or go back there", Args: cobra.NoArgs,
		Long: `From checkpoint N on, what did we decide, and what would we decide now? A sidecar answers that (drey serve --replay-enabled): it loads the
state of the checkpoint aside, makes the decisions of its log again with the functions and rules of now, and compares.`,
		Example: `  drey replay start 42 --job 14ab15ac1452e671ba95b9cfcafa7c47                     an audit; exit 4 if decisions differ
  drey replay start 42 --job 14ab... --html diff.html --report diff.json
  drey replay start 42 --job 14ab... --mode job --jar job.jar --flink http://jobmanager:8081 -- --output-path s3://out
  drey replay audit 42 --job 14ab... --path s3://bucket/ck/14ab.../chk-42 --config drey.yaml        without a sidecar, for CI
  drey replay list
  drey replay report r-0123456789abcdef --html diff.html`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	change := func(verb, short string) *cobra.Command {
		return p.replayOne(verb+" ID", short, func(ctx context.Context, c *client, id string) (r replay.Replay, err error) {
			return r, c.post(ctx, "/v1/replays/"+url.PathEscape(id)+"/"+verb, nil, &r)
		}, nil)
	}
	cmd.AddCommand(
		p.replayStart(), p.replayAudit(), p.replayList(), p.replayWatch(), p.replayReport(),
		p.replayOne("status ID", "Show a replay", func(ctx context.Context, c *client, id string) (r replay.Replay, err error) {
			return r, c.get(ctx, "/v1/replays/"+url.PathEscape(id), &r)
		}, nil),
		change("cancel", "End a replay for good"), change("pause", "Stop a replay for a while"), change("resume", "Let a replay go on"),
	)
	return cmd
}

func serverFlag(cmd *cobra.Command, server *string) {
	cmd.Flags().StringVar(server, "server", "", "the sidecar (http://host:port or unix:/path; or the variable DREY_SERVER; default 127.0.0.1:8080)")
}

func (p *program) sidecarClient(server string) (*client, error) {
	return newClient(cmp.Or(p.server(server), "127.0.0.1:8080"))
}

// replayFlags are those of drey replay start.
type replayFlags struct {
	server, output, mode, flink, jar, report, page string
	request                                        replay.Request
	resubmit                                       replay.Resubmit
	until                                          string
	define                                         []string
	watch                                          bool
}

func (p *program) replayStart() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use: "start CHECKPOINT [-- ARGUMENTS OF THE JOB]", Short: "Ask for a replay and wait for its end", Args: cobra.MinimumNArgs(1),
		Long: `Asks a sidecar for a replay from a checkpoint, and waits for its end; Ctrl-C stops waiting, and the replay goes on. The same
job, checkpoint, mode and --request-id are the same replay: asked for again, it is shown.

Modes: audit    decide again, aside, what was decided after the checkpoint, and compare (default); exit 4 if decisions differ,
                1 if there was none to decide again
       restore  load the state of the checkpoint for calls without a session: --operator says whose, --function who gets it
       job      cancel the job, if it runs, and submit it again from the checkpoint: --jar, --entry-class, and its arguments after --`,
		Example: `  drey replay start 42 --job 14ab15ac1452e671ba95b9cfcafa7c47
  drey replay start 42 --job 14ab... --dry-run
  drey replay start 42 --job 14ab... --until 2026-11-23T14:05:00Z --ignore version
  drey replay start 42 --job 14ab... --mode job --jar job.jar --entry-class com.example.Job --flink http://jobmanager:8081 -- --rate 100`,
	}
	flags := cmd.Flags()
	serverFlag(cmd, &f.server)
	outputFlag(cmd, &f.output)
	f.auditFlags(flags)
	flags.StringVar(&f.mode, "mode", string(replay.Audit), "audit, restore or job")
	flags.StringVar(&f.request.RequestID, "request-id", "", "another one is another replay of the same checkpoint; without it every start is another one")
	flags.BoolVar(&f.request.DryRun, "dry-run", false, "show what would be done")
	flags.BoolVar(&f.request.AllowSkew, "allow-skew", false, "go on although another build decided than the one that decides now (restore and job)")
	flags.StringVar(&f.request.Path, "path", "", "where the checkpoint is, if the watcher does not know it: the folder of _metadata")
	flags.BoolVar(&f.watch, "watch", true, "wait for the end")
	flags.StringVar(&f.flink, "flink", "", "Flink's REST API, to upload --jar to")
	flags.StringVar(&f.jar, "jar", "", "the job's jar, to be uploaded")
	flags.StringVar(&f.resubmit.JarID, "jar-id", "", "or the id of one that is uploaded already")
	flags.StringVar(&f.resubmit.EntryClass, "entry-class", "", "the job's main class")
	flags.IntVar(&f.resubmit.Parallelism, "parallelism", 0, "of the job; 0 = what it says itself")
	flags.StringVar(&f.resubmit.RestoreMode, "restore-mode", "", "NO_CLAIM (default) or CLAIM")
	flags.StringArrayVarP(&f.define, "define", "D", nil, "a key=value of Flink's configuration for the job; may be given again. What it was first submitted with is not known")
	flags.BoolVar(&f.resubmit.AllowNonRestoredState, "allow-non-restored-state", false, "state that nobody takes is no error")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.startReplay(cmd.Context(), &f, args) }
	return cmd
}

// auditFlags are those of every audit.
func (f *replayFlags) auditFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.request.Job, "job", "", "id of the job")
	flags.StringVar(&f.request.Operator, "operator", "", "only this operator (its uid)")
	flags.StringVar(&f.request.Function, "function", "", "only decisions of this function")
	flags.StringVar(&f.until, "until", "", "only decisions before this `time` (RFC 3339)")
	flags.StringSliceVar(&f.request.Ignore, "ignore", nil, "members of results that are not compared, such as a version")
	flags.StringVar(&f.report, "report", "", "write the report of an audit as JSON to this file")
	flags.StringVar(&f.page, "html", "", "write the report of an audit as an HTML page to this file")
}

func (f *replayFlags) complete(args []string) (err error) {
	if f.request.CheckpointID, err = strconv.ParseInt(args[0], 10, 64); err != nil || f.request.CheckpointID < 1 {
		return usageError{fmt.Errorf("%q is no number of a checkpoint; drey checkpoints list has them", args[0])}
	}
	if f.request.Job == "" {
		return usageError{errors.New("--job is missing; drey jobs list has the ids")}
	}
	if f.request.Job, err = checkpoint.NormalizeJob(f.request.Job); err != nil {
		return usageError{fmt.Errorf("--job: %w", err)}
	}
	if f.until != "" {
		if f.request.Until, err = time.Parse(time.RFC3339, f.until); err != nil {
			return usageError{fmt.Errorf("--until %q, must be like 2026-11-23T14:05:00Z", f.until)}
		}
	}
	if f.request.RequestID == "" {
		f.request.RequestID = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	f.request.Mode, f.resubmit.Args = replay.Mode(f.mode), args[1:]
	if f.request.Mode != replay.Job {
		if len(args) > 1 {
			return usageError{errors.New("arguments after -- are for --mode job")}
		}
		return nil
	}
	if (f.jar == "") == (f.resubmit.JarID == "") {
		return usageError{errors.New("--mode job needs --jar FILE with --flink URL, or --jar-id ID: Flink does not say how a job was submitted")}
	}
	if f.jar != "" && f.flink == "" {
		return usageError{errors.New("--jar needs --flink URL to be uploaded to")}
	}
	if f.resubmit.Config, err = definitions(f.define); err != nil {
		return err
	}
	f.request.Resubmit = &f.resubmit
	return nil
}

func (p *program) startReplay(ctx context.Context, f *replayFlags, args []string) error {
	if err := f.complete(args); err != nil {
		return err
	}
	c, err := p.sidecarClient(f.server)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	if f.jar != "" {
		if f.resubmit.JarID, err = flinkrest.New(f.flink).UploadJar(ctx, f.jar); err != nil {
			return err
		}
	}
	var r replay.Replay
	if err := c.post(ctx, "/v1/replays", f.request, &r); err != nil {
		return err
	}
	if f.watch {
		if r, err = p.followReplay(ctx, c, r); err != nil {
			return err
		}
	}
	if r.Summary != nil {
		if err := p.saveReports(ctx, c, r.ID, f.report, f.page); err != nil {
			return err
		}
	}
	return errors.Join(p.printReplay(ctx, c, f.output, &r), endOf(&r))
}

// endOf is the error that the end of a replay is, if it is one.
func endOf(r *replay.Replay) error {
	switch s := r.Summary; {
	case r.State == replay.Failed:
		return fmt.Errorf("replay %s failed: %s", r.ID, r.Error)
	case r.State == replay.Cancelled:
		return fmt.Errorf("replay %s was cancelled", r.ID)
	case s != nil && s.Different > 0:
		return fmt.Errorf("%w: %d of %d", errDiffer, s.Different, s.Decisions)
	case s != nil && s.Decisions == 0:
		return fmt.Errorf("replay %s has decided nothing again (%d decisions could not be), so nothing is known: was there any after checkpoint %d, and in the log of this sidecar? drey decisions tail shows it", r.ID, s.Skipped, r.CheckpointID)
	}
	return nil
}

func progressLine(r *replay.Replay) string {
	line := fmt.Sprintf("%s  %s", r.ID, r.State)
	if r.Paused {
		line += " (paused)"
	}
	if r.Waiting != "" {
		line += "  (" + r.Waiting + ")"
	}
	if p := r.Progress; p.Total > 0 {
		line += fmt.Sprintf("  %d of %d %s", p.Done, p.Total, p.Unit)
	}
	return line
}

func (p *program) saveReports(ctx context.Context, c *client, id, report, page string) error {
	for file, format := range map[string]string{report: "json", page: "html"} {
		if file == "" {
			continue
		}
		text, err := c.raw(ctx, "/v1/replays/"+url.PathEscape(id)+"/report?format="+format)
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// replayOne is a command about one replay, which it shows in the end; end, if there is one, says how to exit then.
func (p *program) replayOne(use, short string, do func(ctx context.Context, c *client, id string) (replay.Replay, error), end func(*replay.Replay) error) *cobra.Command {
	var server, output string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	serverFlag(cmd, &server)
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.sidecarClient(server)
		if err != nil {
			return err
		}
		r, err := do(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		err = p.printReplay(cmd.Context(), c, output, &r)
		if end != nil {
			err = errors.Join(err, end(&r))
		}
		return err
	}
	return cmd
}

func (p *program) replayWatch() *cobra.Command {
	return p.replayOne("watch ID", "Follow a replay to its end; exit codes as for start", func(ctx context.Context, c *client, id string) (r replay.Replay, err error) {
		ctx, stop := untilSignal(ctx)
		defer stop()
		if err := c.get(ctx, "/v1/replays/"+url.PathEscape(id), &r); err != nil {
			return r, err
		}
		return p.followReplay(ctx, c, r)
	}, endOf)
}

func (p *program) replayList() *cobra.Command {
	var server, output string
	cmd := &cobra.Command{Use: "list", Short: "List the replays of a sidecar, the newest first", Args: cobra.NoArgs}
	serverFlag(cmd, &server)
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.sidecarClient(server)
		if err != nil {
			return err
		}
		var list struct {
			Replays []replay.Replay `json:"replays"`
		}
		if err := c.get(cmd.Context(), "/v1/replays", &list); err != nil {
			return err
		}
		return p.print(output, list, func(w io.Writer) {
			for i := range list.Replays {
				r := &list.Replays[i]
				row(w, r.ID, string(r.State), string(r.Mode), "checkpoint "+strconv.FormatInt(r.CheckpointID, 10), r.Job, r.Created.Local().Format(time.DateTime))
			}
		})
	}
	return cmd
}

func (p *program) replayReport() *cobra.Command {
	var server, file, page string
	cmd := &cobra.Command{
		Use: "report ID", Short: "Print the report of an audit as JSON, or write it to files", Args: cobra.ExactArgs(1),
	}
	serverFlag(cmd, &server)
	cmd.Flags().StringVar(&file, "report", "", "write it as JSON to this file")
	cmd.Flags().StringVar(&page, "html", "", "write it as an HTML page to this file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.sidecarClient(server)
		if err != nil {
			return err
		}
		if file != "" || page != "" {
			return p.saveReports(cmd.Context(), c, args[0], file, page)
		}
		text, err := c.raw(cmd.Context(), "/v1/replays/"+url.PathEscape(args[0])+"/report")
		if err == nil {
			_, err = p.stdout.Write(text)
		}
		return err
	}
	return cmd
}
