package replay

import (
	"time"

	"github.com/drey-flink/drey/sidecar/internal/replay/report"
)

// Mode is what a replay does.
type Mode string

// The modes.
const (
	// Audit decides again, aside, what was decided after the checkpoint, and compares. It changes nothing.
	Audit Mode = "audit"
	// Restore loads the state of the checkpoint into this sidecar's state without a session, to be asked by plain calls. No
	// session of Flink is touched: state that Flink counts on goes back with Flink's own restore alone, see Job.
	Restore Mode = "restore"
	// Job ends the job, if it runs, and submits it again from the checkpoint: Flink restores both sides.
	Job Mode = "job"
)

// State is how far a replay has come.
type State string

// The states; the last three are final.
const (
	Pending   State = "PENDING"   // waits for its turn, or for the lease
	Pulling   State = "PULLING"   // fetches the checkpoint and the snapshots it refers to
	Verifying State = "VERIFYING" // checks what was fetched, and whether it fits to this build and configuration
	Applying  State = "APPLYING"  // decides again, loads the state, or restarts the job
	Completed State = "COMPLETED"
	Failed    State = "FAILED"
	Cancelled State = "CANCELLED"
)

// Final says whether nothing more will happen.
func (s State) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// Request asks for a replay. The same job, checkpoint, mode and request id are the same replay, but for a dry run, which is another one; what
// else it says must be the same then.
type Request struct {
	Job          string `json:"job"` // id, 32 hex digits
	CheckpointID int64  `json:"checkpoint_id"`
	Mode         Mode   `json:"mode"`                 // "" is audit
	RequestID    string `json:"request_id,omitempty"` // of the caller; "" is one as good as another
	DryRun       bool   `json:"dry_run,omitempty"`    // stop after the plan
	AllowSkew    bool   `json:"allow_skew,omitempty"` // go on although another build, or other rules, decided than the ones that decide again
	// Path of the checkpoint, if the watcher does not know it: a folder with _metadata, or its URL.
	Path string `json:"path,omitempty"`

	// Of audit and restore.
	Operator string    `json:"operator,omitempty"` // uid or name; "" is the only one with Go state, or every one
	Function string    `json:"function,omitempty"` // only its decisions; for restore the function that gets the state
	Until    time.Time `json:"until,omitzero"`     // only decisions before
	Ignore   []string  `json:"ignore,omitempty"`   // members of results that are not compared

	// Of job.
	Resubmit *Resubmit `json:"resubmit,omitempty"`
}

// Resubmit is how a job is submitted again. Flink's REST API does not say how it was submitted, so the caller has to.
type Resubmit struct {
	JarID       string   `json:"jar_id"` // of POST /jars/upload
	EntryClass  string   `json:"entry_class,omitempty"`
	Args        []string `json:"args,omitempty"`
	Parallelism int      `json:"parallelism,omitempty"`
	// Config is of Flink, for this job: what was given when it was submitted first is not known either.
	Config map[string]string `json:"config,omitempty"`
	// RestoreMode is Flink's: NO_CLAIM (default) or CLAIM.
	RestoreMode           string `json:"restore_mode,omitempty"`
	AllowNonRestoredState bool   `json:"allow_non_restored_state,omitempty"`
}

// Step is one line of a plan.
type Step struct {
	What  string `json:"what"`            // for people
	Bytes int64  `json:"bytes,omitempty"` // to be fetched, if that is known
}

// Progress of the present state. Total is 0 while it is not known.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
	Unit  string `json:"unit,omitempty"` // bytes, decisions, keys
}

// Replay is the resource.
type Replay struct {
	ID      string `json:"id"`
	Request        // as it was asked for, with defaults filled in
	State   State  `json:"state"`
	Paused  bool   `json:"paused,omitempty"` // it goes on with resume, from where it is
	// Waiting says why it does not go on at this moment, if it could.
	Waiting string `json:"waiting,omitempty"`
	// Owner is the sidecar that works on it, if there is a lease.
	Owner    string    `json:"owner,omitempty"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	Ended    time.Time `json:"ended,omitzero"`
	Plan     []Step    `json:"plan,omitempty"`
	Progress Progress  `json:"progress"`
	// Build decides again; Builds have decided, with how many decisions each.
	Build  string           `json:"build,omitempty"`
	Builds map[string]int64 `json:"builds,omitempty"`
	// Summary is there when an audit has completed; the report has the rest.
	Summary *Summary `json:"summary,omitempty"`
	// NewJob is the id of the job that was submitted by mode job.
	NewJob string `json:"new_job,omitempty"`
	Error  string `json:"error,omitempty"` // why it failed, and what to do next
	// Untold: it has ended, and those who want to know have not all been told.
	Untold bool `json:"untold,omitempty"`
}

// Summary counts what an audit has found.
type Summary struct {
	Decisions int64 `json:"decisions"` // that were decided again
	Same      int64 `json:"same"`
	Different int64 `json:"different"`
	// Skipped could not be decided again: their input was masked, or not kept.
	Skipped int64 `json:"skipped"`
	// Guarantee is "checkpointed" if the cut is that of Flink's barrier, "at-least-once" if it is by time.
	Guarantee string `json:"guarantee"`
}

// SummaryOf is that of a report.
func SummaryOf(made *report.Report) *Summary {
	s := &Summary{Decisions: made.Decisions, Same: made.Same, Different: made.Different, Guarantee: made.Guarantee}
	for _, n := range made.Skipped {
		s.Skipped += n
	}
	return s
}
