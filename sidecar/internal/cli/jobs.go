package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
)

func (p *program) jobs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "jobs", Short: "The jobs of a Flink cluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.jobsList())
	return cmd
}

// listedJob is one line of jobs list.
type listedJob struct {
	ID         string          `json:"job_id"`
	Name       string          `json:"name"`
	State      flinkrest.State `json:"state"`
	Started    time.Time       `json:"started"`
	Checkpoint *int64          `json:"latest_checkpoint"` // null: none yet
	At         time.Time       `json:"latest_checkpoint_at,omitzero"`
	Completed  int             `json:"completed"` // checkpoints and savepoints, of this JobManager
	Failed     int             `json:"failed"`
	Restores   int             `json:"restores"`
	Restored   *int64          `json:"restored_from"` // null: never
}

func (p *program) jobsList() *cobra.Command {
	var s sources
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs with their newest checkpoint and their restores", Args: cobra.NoArgs,
		Example: `  drey jobs list --flink http://127.0.0.1:8081
  drey jobs list --dev -o json`,
	}
	s.askFlags(cmd)
	outputFlag(cmd, &output)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.complete(p); err != nil {
			return err
		}
		flink, err := s.client()
		if err != nil {
			return err
		}
		jobs, err := flink.Jobs(cmd.Context())
		if err != nil {
			return err
		}
		list := make([]listedJob, 0, len(jobs))
		for _, j := range jobs {
			line := listedJob{ID: j.ID, Name: j.Name, State: j.State, Started: j.StartTime.Time()}
			checkpoints, err := flink.Checkpoints(cmd.Context(), j.ID)
			if err != nil && !flinkrest.IsUnavailable(err) && !flinkrest.IsNotFound(err) {
				return err
			}
			line.Completed, line.Failed, line.Restores = checkpoints.Counts.Completed, checkpoints.Counts.Failed, checkpoints.Counts.Restored
			if c := checkpoints.Latest.Completed; c != nil {
				line.Checkpoint, line.At = &c.ID, c.Triggered.Time()
			}
			if r := checkpoints.Latest.Restored; r != nil {
				line.Restored = &r.ID
			}
			list = append(list, line)
		}
		return p.print(output, struct {
			Jobs []listedJob `json:"jobs"`
		}{list}, func(w io.Writer) { jobTable(w, list, time.Now()) })
	}
	return cmd
}

func jobTable(w io.Writer, list []listedJob, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no jobs")
		return
	}
	row(w, "JOB", "NAME", "STATE", "UP", "CHECKPOINT", "AGE", "FAILED", "RESTORES", "RESTORED FROM")
	for _, j := range list {
		row(w, j.ID, j.Name, string(j.State), age(now, j.Started), number(j.Checkpoint), age(now, j.At),
			strconv.Itoa(j.Failed), strconv.Itoa(j.Restores), number(j.Restored))
	}
}

func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

// age is how long something is past, to two places: 3s, 12m5s, 4h10m, 3d2h.
func age(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	d := max(0, now.Sub(then))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// byteSize is a size for people.
func byteSize(n int64) string {
	switch {
	case n < 0:
		return "?"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
