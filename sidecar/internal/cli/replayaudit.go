package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/config"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
	"github.com/drey-flink/drey/sidecar/internal/server"
)

// audited are the keys of the configuration that matter to drey replay audit, by how they begin.
var audited = []string{"decisions.dir", "state.", "rules.", "functions.", "evaluate.", "watch.s3.", "watch.allow", "watch.map", "replay.max_differences", "log."}

func (p *program) replayAudit() *cobra.Command {
	var f replayFlags
	var since string
	cmd, s := withSettings(&cobra.Command{
		Use: "audit CHECKPOINT --job ID --path CHECKPOINT-FOLDER --decisions-dir LOG", Short: "Audit a decision log with this program, without a sidecar", Args: cobra.ExactArgs(1),
		Long: `Does here what drey replay start has a sidecar do: makes the decisions of a log again that came after a checkpoint, with the functions of
this program and the rules that are configured, and compares. Flink need not run, the log may be a copy of the folder, and nothing is
changed. So CI can replay yesterday against a new build: exit 0 if every decision is the same, 4 if some differ, 1 if there was none.

It takes the configuration of serve: where the log is (decisions.dir), the snapshots of state (state.store), the rules, S3 (watch.s3).`,
		Example: `  drey replay audit 42 --job 14ab... --path s3://flink/ck/14ab.../chk-42 --decisions-dir copy --state-enabled --state-store s3://bucket/drey
  drey replay audit 42 --job 14ab... --path ./chk-42 --since 2026-11-23T14:05:00Z --decisions-dir copy --rules-file new.yaml --html diff.html`,
	})
	for _, k := range config.Keys() {
		if !slices.ContainsFunc(audited, func(prefix string) bool { return strings.HasPrefix(k.Path, prefix) }) {
			_ = cmd.Flags().MarkHidden(k.Flag()) // an error is a flag that does not exist
		}
	}
	outputFlag(cmd, &f.output)
	flags := cmd.Flags()
	f.auditFlags(flags)
	flags.StringVar(&f.request.Path, "path", "", "the checkpoint: the folder of _metadata")
	flags.StringVar(&since, "since", "", "when the checkpoint was made (RFC 3339 `time`), if it has no state in Go")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.mode = string(replay.Audit)
		if err := f.complete(args); err != nil {
			return err
		}
		if f.request.Path == "" {
			return usageError{errors.New("--path FOLDER is missing: where the checkpoint is")}
		}
		var begun time.Time
		if since != "" {
			var err error
			if begun, err = time.Parse(time.RFC3339, since); err != nil {
				return usageError{fmt.Errorf("--since %q, must be like 2026-11-23T14:05:00Z", since)}
			}
		}
		loaded, err := s.load(p.environ)
		if err != nil {
			return err
		}
		if !loaded.Decisions.On() {
			return usageError{errors.New("--decisions-dir FOLDER is missing: where the log is")}
		}
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		made, err := server.Audit(ctx, server.Options{
			Config: loaded, Register: p.register, Version: programVersion(), LogOutput: p.stderr,
		}, f.request, begun, func(replay.Progress) {})
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		return p.showAudit(&f, made)
	}
	return cmd
}

// showAudit writes the files that were asked for, and shows the rest.
func (p *program) showAudit(f *replayFlags, made *report.Report) error {
	var page bytes.Buffer
	if err := report.WriteHTML(&page, made); err != nil {
		return err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return err
	}
	for file, content := range map[string][]byte{f.report: text, f.page: page.Bytes()} {
		if file == "" {
			continue
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	r := replay.Replay{ID: "audit", Request: f.request, State: replay.Completed, Summary: replay.SummaryOf(made), Build: made.Build, Builds: made.Builds}
	return errors.Join(p.print(f.output, made, func(w io.Writer) {
		showReplay(w, &r)
		showReport(w, made)
	}), endOf(&r))
}
