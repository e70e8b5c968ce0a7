package decisions

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Decision is what was decided and everything that is needed to decide it again. The log copies what it is given; what a reader
// returns is shared and must not be changed.
type Decision struct {
	ID   string    // as the caller was told
	Time time.Time // zero = when it is appended

	// Where in Flink the record came from. Job is empty for a caller that is no job.
	Job      string
	Operator string // uid
	Subtask  int
	// Epoch is the number of the last barrier that the subtask had seen, or of the checkpoint it was restored from if it had seen
	// none since: else what came between could not be told from what came before.
	Epoch uint64
	Fence uint64 // fencing token of the session: a higher one decided again what came after the checkpoint it restored

	Function string
	Build    string // hash of the build that decided

	Input  []byte // one JSON value; empty = none
	Result []byte // one JSON value; empty = none, there was an error
	// ErrorCode is that of package problem, empty if there is a result.
	ErrorCode, ErrorMessage string

	State        []StateRead // what of its state the function read, in order
	StateUnnamed int         // how many names it read beyond those
	Rules        []string    // the rules that fired, in order

	// Of a decision about the state of a key. Version is that of the key group after it, in the timeline of the session, and 0
	// without one; the last Writes of it are its own.
	Session   string
	Restored  uint64 // the checkpoint that the session was restored from, 0 for none
	Key       string
	KeyGroup  int
	Version   uint64
	Writes    int
	Watermark int64 // that the function saw, in ms since 1970; 0 or math.MinInt64 is none

	// Replayed: answered from memory: the same as an earlier decision of the same id, which was logged unless the log or the process failed just
	// then. Of a decision under a session Epoch is that in which it was made.
	Replayed bool

	// The log sets what follows.
	Seq     uint64 // number in the log, from 1 on
	Masked  Parts  // where a value was masked: with a masked input the decision cannot be repeated
	Omitted Parts  // what was longer than Config.MaxValueBytes and is replaced by {"omitted_bytes": n, "sha256": "..."}
}

// KeyMasked says whether the key was masked: then nobody knows whose state it was.
func (d *Decision) KeyMasked() bool { return d.Masked&InState != 0 && d.Key == maskText }

// StateRead is one read of a function's state.
type StateRead struct {
	State   string `json:"state"`
	Key     string `json:"key"`
	Version uint64 `json:"version"`
}

// Parts says which parts of a decision something happened to.
type Parts uint8

// The parts.
const (
	InInput Parts = 1 << iota
	InResult
	InState
	InError
)

var partNames = [...]string{"input", "result", "state", "error"}

// Names lists the parts.
func (p Parts) Names() []string {
	var names []string
	for i, name := range partNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Reasons are the texts under "reasons" of the result, if there are such.
func (d *Decision) Reasons() []string {
	var r struct {
		Reasons []string `json:"reasons"`
	}
	if json.Unmarshal(d.Result, &r) != nil {
		return nil
	}
	return r.Reasons
}

// RulesVersion is the version of the rules that decided, with their hash, if the result is one of rules: the member "version" beside "rules".
func (d *Decision) RulesVersion() string {
	var r struct {
		Rules   []string `json:"rules"`
		Version string   `json:"version"`
	}
	if !bytes.Contains(d.Result, []byte(`"rules"`)) || json.Unmarshal(d.Result, &r) != nil || r.Rules == nil {
		return ""
	}
	return r.Version
}

// NoteKind says what a note tells.
type NoteKind string

// What the log notes about itself, between the decisions and in the same chain.
const (
	// NoteStarted and NoteStopped: a process began to write, or ended in good order. One that starts without an earlier one
	// having stopped may have lost what it had answered in the last Config.CommitEvery.
	NoteStarted NoteKind = "started"
	NoteStopped NoteKind = "stopped"
	// NoteCut: an unfinished write at the end of the segment before this note (or in it) was cut off; Bytes of it.
	NoteCut NoteKind = "cut"
	// NoteLost: Decisions were not written since the writer could not keep up; Reason says why.
	NoteLost NoteKind = "lost"
	// NoteDropped: the segments up to Head were dropped: they were too old, or too many.
	NoteDropped NoteKind = "dropped"
	// NoteUnsynced: the disk refused to make records up to Head durable; Reason is its error.
	NoteUnsynced NoteKind = "unsynced"
)

// Note is a record that is no decision. What its kind does not mention is zero.
type Note struct {
	Kind      NoteKind
	Time      time.Time
	Decisions uint64
	Bytes     uint64
	Reason    string
	Head      segment.Head
	Build     string // of NoteStarted: the program that writes
}

// Entry is what a reader finds: a decision or a note, the other is nil.
type Entry struct {
	Seq      uint64
	Decision *Decision
	Note     *Note
}
