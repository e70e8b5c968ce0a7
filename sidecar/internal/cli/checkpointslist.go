package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// listedCheckpoint is one line of checkpoints list.
type listedCheckpoint struct {
	Job       string    `json:"job"`
	ID        int64     `json:"checkpoint_id"`
	Kind      string    `json:"kind"`   // checkpoint or savepoint
	Status    string    `json:"status"` // Flink's, or the state of the ledger
	Triggered time.Time `json:"triggered,omitzero"`
	Size      int64     `json:"state_size"`
	Operators int       `json:"operators"` // -1: not known
	Path      string    `json:"path"`
	Copied    string    `json:"copied"`     // yes, no or unknown
	Verified  string    `json:"verified"`   // likewise: every object was looked at
	Restored  string    `json:"restorable"` // likewise
	Problem   string    `json:"problem,omitempty"`
}

const (
	yes     = "yes"
	no      = "no"
	unknown = "unknown"
)

func yesNo(b bool) string {
	if b {
		return yes
	}
	return no
}

func (p *program) checkpointsList() *cobra.Command {
	var s sources
	var output string
	var limit int
	var verify bool
	cmd := &cobra.Command{
		Use: "list", Short: "List checkpoints and savepoints, newest first", Args: cobra.NoArgs,
		Long: `Lists what a sidecar that watches knows (--server), or what Flink remembers of a job, which is the last 10 (--flink). Flink alone does
not know whether a checkpoint can be restored: --verify looks.
` + storesHelp,
		Example: `  drey checkpoints list --server http://127.0.0.1:8080
  drey checkpoints list --flink http://127.0.0.1:8081 --job fraud --verify --s3-endpoint http://127.0.0.1:7070 --s3-path-style`,
	}
	s.askFlags(cmd)
	s.storeFlags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().IntVar(&limit, "limit", 20, "at most so many; 0 = all")
	cmd.Flags().BoolVar(&verify, "verify", false, "with --flink: read each _metadata and look at every object that it needs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := untilSignal(cmd.Context())
		defer stop()
		if err := s.complete(p); err != nil {
			return err
		}
		if err := s.store.Validate(); err != nil {
			return usageError{err}
		}
		var list []listedCheckpoint
		var err error
		switch {
		case s.server != "" && !verify:
			list, err = s.fromSidecar(ctx, limit)
		case len(s.flink) > 0:
			list, err = s.fromFlink(ctx, limit, verify)
		default:
			return errNobodyToAsk
		}
		if err != nil {
			return err
		}
		return p.print(output, struct {
			Checkpoints []listedCheckpoint `json:"checkpoints"`
		}{list}, func(w io.Writer) { checkpointTable(w, list, time.Now()) })
	}
	return cmd
}

func (s *sources) fromSidecar(ctx context.Context, limit int) ([]listedCheckpoint, error) {
	records, err := s.records(ctx, limit)
	if err != nil {
		return nil, err
	}
	list := make([]listedCheckpoint, 0, len(records))
	for _, r := range records {
		looked := r.State == checkpoint.Copied || r.State == checkpoint.Expired
		line := listedCheckpoint{
			Job: r.Job, ID: r.ID, Kind: kindOf(r.Savepoint), Status: string(r.State), Size: r.StateSize, Operators: -1, Path: r.Path,
			Copied: yesNo(r.State == checkpoint.Copied), Verified: yesNo(looked), Restored: unknown, Problem: r.Error,
		}
		if r.Triggered > 0 {
			line.Triggered = time.UnixMilli(r.Triggered)
		}
		switch {
		case r.State == checkpoint.Copied:
			line.Operators, line.Restored = r.Operators, yesNo(r.Restorable())
		case looked: // it was restorable then; whether Flink still has it nobody has looked
			line.Operators = r.Operators
		case r.State == checkpoint.Gone:
			line.Restored = no
		}
		if len(r.Missing) > 0 {
			line.Problem = fmt.Sprintf("%d objects are missing, first %s", len(r.Missing), r.Missing[0])
		}
		list = append(list, line)
	}
	return list, nil
}

func kindOf(savepoint bool) string {
	if savepoint {
		return "savepoint"
	}
	return "checkpoint"
}

func (s *sources) fromFlink(ctx context.Context, limit int, verify bool) (_ []listedCheckpoint, err error) {
	flink, err := s.client()
	if err != nil {
		return nil, err
	}
	job, err := s.findJob(ctx, flink)
	if err != nil {
		return nil, err
	}
	all, err := flink.Checkpoints(ctx, job.ID)
	if err != nil {
		return nil, err
	}
	files, err := locate.New(s.store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	list := []listedCheckpoint{}
	for _, c := range remembered(all) {
		if limit > 0 && len(list) == limit {
			break
		}
		line := listedCheckpoint{
			Job: job.ID, ID: c.ID, Kind: kindOf(c.IsSavepoint), Status: c.Status, Triggered: c.Triggered.Time(), Size: int64(c.StateSize),
			Operators: -1, Path: c.ExternalPath, Copied: unknown, Verified: no, Restored: unknown, Problem: c.FailureMessage,
		}
		switch {
		case c.Discarded:
			line.Restored, line.Problem = no, "Flink has deleted it"
		case c.ExternalPath == "":
			line.Restored = no
		case verify:
			line.look(ctx, files)
			if ctx.Err() != nil {
				return nil, errInterrupted
			}
		}
		list = append(list, line)
	}
	return list, nil
}

// remembered is all that Flink remembers, newest first: its history, and what is older and the latest of its kind.
func remembered(all flinkrest.Checkpoints) []flinkrest.Checkpoint {
	list := slices.Clone(all.History)
	for _, c := range []*flinkrest.Checkpoint{all.Latest.Completed, all.Latest.Savepoint} {
		if c != nil && !slices.ContainsFunc(list, func(h flinkrest.Checkpoint) bool { return h.ID == c.ID }) {
			list = append(list, *c)
		}
	}
	slices.SortStableFunc(list, func(a, b flinkrest.Checkpoint) int { return int(b.ID - a.ID) })
	return list
}

// look finds out whether a checkpoint can be restored.
func (l *listedCheckpoint) look(ctx context.Context, files *locate.Locator) {
	at, err := metadata.ParseLocation(l.Path)
	if err != nil {
		l.Problem = err.Error()
		return
	}
	c, err := contents.Open(ctx, files, at)
	if err != nil {
		l.Problem = err.Error()
		if errors.Is(err, snapshot.ErrNotFound) {
			l.Verified, l.Restored = yes, no
		}
		return
	}
	l.Operators = len(c.Meta.Operators)
	problems, err := c.Verify(ctx, requests)
	if err != nil {
		l.Problem = err.Error()
		return
	}
	l.Verified, l.Restored = yes, yesNo(len(problems) == 0)
	if len(problems) > 0 {
		l.Problem = fmt.Sprintf("%d objects, first %s: %s", len(problems), problems[0].URL, problems[0].Reason)
	}
}

func checkpointTable(w io.Writer, list []listedCheckpoint, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no checkpoints yet")
		return
	}
	several := slices.ContainsFunc(list, func(c listedCheckpoint) bool { return c.Job != list[0].Job })
	heads := []string{"ID", "AGE", "KIND", "STATUS", "SIZE", "OPERATORS", "COPIED", "VERIFIED", "RESTORABLE", "PROBLEM"}
	if several {
		heads = append([]string{"JOB"}, heads...)
	}
	row(w, heads...)
	for _, c := range list {
		operators := "-"
		if c.Operators >= 0 {
			operators = strconv.Itoa(c.Operators)
		}
		problem, _, _ := strings.Cut(c.Problem, "\n")
		cells := []string{strconv.FormatInt(c.ID, 10), age(now, c.Triggered), c.Kind, c.Status, byteSize(c.Size), operators, c.Copied, c.Verified, c.Restored, orDash(problem)}
		if several {
			cells = append([]string{c.Job}, cells...)
		}
		row(w, cells...)
	}
}
