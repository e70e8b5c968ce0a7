package checkpoint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Key names one checkpoint for good. Its number alone does not: a job id can be used again, and a job that is restored
// from an older savepoint counts on from there, so the same number comes twice with another path or time.
type Key struct {
	Job       string `json:"job"`           // 32 hex digits, lower case
	ID        int64  `json:"checkpoint_id"` // Flink's number
	Path      string `json:"path"`          // folder of _metadata, as Flink writes it
	Triggered int64  `json:"triggered"`     // ms since 1970, by the JobManager's clock; 0 if only a webhook told of it
}

func (k Key) String() string { return fmt.Sprintf("checkpoint %d of job %s", k.ID, k.Job) }

// Folder is the name of the local copy: readable, and another one for another checkpoint of the same number.
func (k Key) Folder() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%d", k.Job, k.ID, k.Path, k.Triggered))
	return fmt.Sprintf("chk-%d-%s", k.ID, hex.EncodeToString(sum[:4]))
}

// NormalizeJob is a job id as Flink writes it; Flink takes both cases.
func NormalizeJob(id string) (string, error) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		return "", fmt.Errorf("%q is not a job id; Flink's are 32 hex digits, see drey jobs list", id)
	}
	return strings.ToLower(id), nil
}

// State is how far the watcher has come with one checkpoint.
type State string

// The states. Seen may become any other but Noted; Copied, Gone, Dropped and Noted are final; Failed is tried again.
const (
	Seen    State = "SEEN"    // known, not copied yet
	Copied  State = "COPIED"  // a verified local copy is there
	Gone    State = "GONE"    // Flink deleted it before or while it was copied: it was subsumed, a newer one is there
	Failed  State = "FAILED"  // could not be copied; Error says why, Attempts how often
	Dropped State = "DROPPED" // not newer than what is recovered already
	Expired State = "EXPIRED" // the local copy was deleted by the retention
	Noted   State = "NOTED"   // a savepoint that Flink tells of, where savepoints are not copied
)

// Final says whether nothing more will be done for a checkpoint in this state.
func (s State) Final() bool {
	return s == Copied || s == Gone || s == Dropped || s == Expired || s == Noted
}

// Record is what the ledger knows of one checkpoint.
type Record struct {
	Key
	// Seq counts the checkpoints in the order in which the ledger took note of them, over all jobs. It, and no clock, says which
	// one is newer: the JobManager's clock may go backwards, and so may this machine's.
	Seq uint64 `json:"seq"`
	// Run is the Started of the run that the checkpoint is of.
	Run       int64     `json:"run"`
	State     State     `json:"state"`
	Savepoint bool      `json:"savepoint"`
	StateSize int64     `json:"state_size"` // bytes, as Flink says
	Operators int       `json:"operators"`
	Files     int       `json:"files"`             // objects that were copied, _metadata included
	Bytes     int64     `json:"bytes"`             // of the local copy
	Missing   []string  `json:"missing,omitempty"` // objects that Flink refers to and that are not there or too short
	SeenAt    time.Time `json:"seen_at"`
	CopiedAt  time.Time `json:"copied_at,omitzero"`
	Error     string    `json:"error,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
}

// Restorable says whether everything the checkpoint refers to was there when it was copied. Flink's COMPLETED does not
// mean that.
func (r Record) Restorable() bool {
	return (r.State == Copied || r.State == Expired) && len(r.Missing) == 0
}

// Run is one submission of a job. A job id that is used again is another run; so is a job taken over by another
// JobManager, whose counters begin at 0.
type Run struct {
	Job      string `json:"job"`
	Name     string `json:"name"`
	Started  int64  `json:"started"`  // ms since 1970
	Restored int64  `json:"restored"` // the checkpoint it was last restored from, -1 for none
	Restores int    `json:"restores"` // how often it was restored, as Flink counts
	At       int64  `json:"restored_at"`
	// LastRecovered is the newest checkpoint of this run with a verified copy, -1 for none: a checkpoint moves it forward
	// only if its number is larger.
	LastRecovered int64 `json:"last_recovered"`
	// State is what Flink said last: RUNNING, FINISHED, ..., or VANISHED of a job that Flink does not list any more.
	State string `json:"state"`
	// Ended is when the watcher noticed the end, in ms since 1970, 0 while the job runs.
	Ended int64 `json:"ended,omitempty"`
}

// Vanished is the state of a job that ended, or was lost, without anybody having seen how.
const Vanished = "VANISHED"

// Sight is what one poll shows of a job.
type Sight struct {
	Run // but for LastRecovered and Ended, which the ledger knows
	// Completed is how many checkpoints the run has completed, savepoints too; IDs are those of them that Flink still shows.
	Completed int
	IDs       []int64
}

// newest orders records from the newest to the oldest.
func newest(a, b Record) int { return cmp.Compare(b.Seq, a.Seq) }

// Kind of an event.
type Kind string

// The events.
const (
	EventCompleted Kind = "checkpoint.completed" // Flink completed it
	EventCopied    Kind = "checkpoint.copied"    // a verified copy is there
	EventGone      Kind = "checkpoint.gone"
	EventFailed    Kind = "checkpoint.failed" // it could not be copied this time
	EventDropped   Kind = "checkpoint.dropped"
	EventMissed    Kind = "checkpoint.missed" // Flink forgot checkpoints before the watcher saw them
	EventRestored  Kind = "job.restored"      // Flink restored the job from a checkpoint
	EventNewRun    Kind = "job.started"       // the job is new, or its id was used again
	EventEnded     Kind = "job.ended"

	EventReplayCompleted Kind = "replay.completed"
	EventReplayFailed    Kind = "replay.failed"
	EventReplayCancelled Kind = "replay.cancelled"
)

// Event is something that happened, in the order in which the ledger took note of it.
type Event struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Kind       Kind      `json:"kind"`
	Job        string    `json:"job"`
	Checkpoint int64     `json:"checkpoint_id,omitempty"`
	Path       string    `json:"path,omitempty"`
	Message    string    `json:"message,omitempty"`
}
