package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// followPatience is how long a sidecar may be away while a replay is followed: it goes on when it is back.
const followPatience = 2 * time.Minute

// followReplay shows how a replay goes on, until it has ended.
func (p *program) followReplay(ctx context.Context, c *client, r replay.Replay) (replay.Replay, error) {
	last, answered, wait := "", time.Now(), askAgain
	for !r.State.Final() {
		if line := progressLine(&r); line != last {
			fmt.Fprintln(p.stderr, line)
			last = line
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("%w: the replay goes on; drey replay watch %s", errInterrupted, r.ID)
		case <-time.After(wait):
		}
		var now replay.Replay
		err := c.get(ctx, "/v1/replays/"+url.PathEscape(r.ID), &now)
		switch {
		case err == nil:
			r, answered, wait = now, time.Now(), askAgain
		case ctx.Err() != nil: // said above
		case !passes(err) || time.Since(answered) > followPatience:
			return r, fmt.Errorf("replay %s: %w; drey replay watch %[1]s goes on with it", r.ID, err)
		default:
			if wait == askAgain {
				fmt.Fprintf(p.stderr, "%s  the sidecar does not answer; asking again for %s\n", r.ID, followPatience)
				last = ""
			}
			wait = min(2*wait, 5*time.Second)
		}
	}
	return r, nil
}

// passes says whether the same may work when a sidecar is back.
func passes(err error) bool {
	var sent *url.Error
	var refused *statusError
	return errors.As(err, &sent) || errors.As(err, &refused) && (refused.status >= 500 || refused.status == http.StatusTooManyRequests)
}

// printReplay shows a replay; people are shown the first differences, too.
func (p *program) printReplay(ctx context.Context, c *client, output string, r *replay.Replay) error {
	var found *report.Report
	if r.Summary != nil && output == "table" {
		// A context that has ended is one of waiting: what is there is shown.
		if err := c.get(context.WithoutCancel(ctx), "/v1/replays/"+url.PathEscape(r.ID)+"/report", &found); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return p.print(output, r, func(w io.Writer) {
		showReplay(w, r)
		if found != nil {
			showReport(w, found)
		}
	})
}

func showReplay(w io.Writer, r *replay.Replay) {
	row(w, "replay", r.ID, string(r.State))
	row(w, "job", r.Job, "checkpoint "+strconv.FormatInt(r.CheckpointID, 10), string(r.Mode))
	for i, step := range r.Plan {
		text := fmt.Sprintf("%d. %s", i+1, step.What)
		if step.Bytes > 0 {
			text += fmt.Sprintf(" (%d bytes)", step.Bytes)
		}
		row(w, "plan", text)
	}
	if s := r.Summary; s != nil {
		row(w, "decisions", fmt.Sprintf("%d decided again: %d the same, %d different, %d could not be", s.Decisions, s.Same, s.Different, s.Skipped))
		row(w, "guarantee", s.Guarantee)
	}
	if r.NewJob != "" {
		row(w, "new job", r.NewJob)
	}
	if r.Error != "" {
		row(w, "error", r.Error)
	}
	if r.Paused {
		row(w, "paused", "drey replay resume "+r.ID)
	}
	if r.Waiting != "" {
		row(w, "waiting", r.Waiting)
	}
	if p := r.Progress; !r.State.Final() && p.Total > 0 {
		row(w, "progress", fmt.Sprintf("%d of %d %s", p.Done, p.Total, p.Unit))
	}
}

// shownDifferences are on the terminal; the report has more.
const shownDifferences = 10

// showReport shows who decided, and what differs first.
func showReport(w io.Writer, r *report.Report) {
	if len(r.Builds) > 1 || len(r.Builds) == 1 && r.Builds[r.Build] == 0 {
		row(w, "builds", "then "+counts(r.Builds)+"; now "+r.Build)
	}
	if !maps.Equal(r.Rules, r.RulesNow) {
		row(w, "rules", "then "+counts(r.Rules)+"; now "+counts(r.RulesNow))
	}
	if r.Different == 0 {
		return
	}
	shown := r.Differences[:min(shownDifferences, len(r.Differences))]
	title := "differences"
	if int64(len(shown)) < r.Different {
		title = fmt.Sprintf("the first %d of %d differences (--report or --html has more)", len(shown), r.Different)
	}
	// Rows of more cells than those above make a table of their own.
	fmt.Fprintf(w, "\n%s:\n", title)
	row(w, "ID", "KEY", "THEN", "NOW", "WHY THEN", "WHY NOW")
	for i := range shown {
		d := &shown[i]
		row(w, d.ID, orDash(d.Key), said(&d.Then, &d.Now), said(&d.Now, &d.Then), orDash(strings.Join(d.Then.Reasons, ", ")), orDash(strings.Join(d.Now.Reasons, ", ")))
	}
}

// counts are names with how many decisions each.
func counts(of map[string]int64) string {
	if len(of) == 0 {
		return "none"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s (%d)", name, of[name]))
	}
	return strings.Join(all, ", ")
}

// longestResult is how much of one is on a line.
const longestResult = 60

// said is what was decided: the outcome, or the result if the outcome is that of the other side, too.
func said(d, other *report.Decided) string {
	if d.Outcome != other.Outcome || len(d.Result) == 0 {
		return d.Outcome
	}
	text := bytes.ToValidUTF8(d.Result, nil)
	if len(text) > longestResult {
		text = append(bytes.ToValidUTF8(text[:longestResult], nil), "..."...)
	}
	return string(text)
}
