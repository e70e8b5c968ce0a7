package flinkrest

import (
	"encoding/json"
	"math"
	"time"
)

// Overview is GET /overview.
type Overview struct {
	Version        string `json:"flink-version"`
	TaskManagers   int    `json:"taskmanagers"`
	SlotsTotal     int    `json:"slots-total"`
	SlotsAvailable int    `json:"slots-available"`
}

// TaskManager is one entry of GET /taskmanagers.
type TaskManager struct {
	ID        string `json:"id"`
	Slots     int    `json:"slotsNumber"`
	FreeSlots int    `json:"freeSlots"`
	// LastHeartbeat is a moment, though Flink calls it timeSinceLastHeartbeat.
	LastHeartbeat Millis `json:"timeSinceLastHeartbeat"`
}

// JobSummary is one line of GET /jobs/overview.
type JobSummary struct {
	ID    string `json:"jid"`
	Name  string `json:"name"`
	State State  `json:"state"`
	// StartTime tells a job from an earlier one with the same id.
	StartTime Millis `json:"start-time"`
}

// State is the state of a job. RUNNING does not mean that its tasks run: see the vertices.
type State string

// The states that the callers of this package tell apart.
const (
	Running  State = "RUNNING"
	Finished State = "FINISHED"
	Canceled State = "CANCELED"
	Failed   State = "FAILED"
)

// Ended says whether a job in this state never runs again.
func (s State) Ended() bool { return s == Finished || s == Canceled || s == Failed }

// Job is GET /jobs/:jobid.
type Job struct {
	ID        string   `json:"jid"`
	Name      string   `json:"name"`
	State     State    `json:"state"`
	StartTime Millis   `json:"start-time"`
	EndTime   Millis   `json:"end-time"`
	Vertices  []Vertex `json:"vertices"`
}

// Vertex is a chain of operators. Its id is that of the operator at the chain's head.
type Vertex struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Parallelism int            `json:"parallelism"`
	Tasks       map[string]int `json:"tasks"` // how many subtasks are in which state
	Metrics     struct {
		ReadRecords  int64 `json:"read-records"`
		WriteRecords int64 `json:"write-records"`
	} `json:"metrics"`
}

// Checkpoints is GET /jobs/:jobid/checkpoints.
type Checkpoints struct {
	Counts struct {
		Restored   int `json:"restored"`
		Total      int `json:"total"`
		InProgress int `json:"in_progress"`
		Completed  int `json:"completed"` // savepoints too
		Failed     int `json:"failed"`    // includes triggers that were refused and have no id
	} `json:"counts"`
	Latest struct {
		Completed *Checkpoint `json:"completed"` // never a savepoint
		Savepoint *Checkpoint `json:"savepoint"`
		Failed    *Checkpoint `json:"failed"`
		Restored  *Restored   `json:"restored"`
	} `json:"latest"`
	History []Checkpoint `json:"history"` // newest first, 10 by default, of every kind and status
}

// Restored is the checkpoint that a job was last restored from.
type Restored struct {
	ID           int64  `json:"id"`
	Time         Millis `json:"restore_timestamp"`
	ExternalPath string `json:"external_path"`
	IsSavepoint  bool   `json:"is_savepoint"` // also true for a NO_CLAIM restore of a checkpoint
}

// Checkpoint is one checkpoint or savepoint.
type Checkpoint struct {
	ID             int64  `json:"id"`
	Status         string `json:"status"` // COMPLETED, FAILED or IN_PROGRESS
	IsSavepoint    bool   `json:"is_savepoint"`
	Triggered      Millis `json:"trigger_timestamp"`
	StateSize      Number `json:"state_size"`
	Duration       Number `json:"end_to_end_duration"` // ms
	ExternalPath   string `json:"external_path"`       // folder of _metadata; only when completed
	Discarded      bool   `json:"discarded"`           // deleted by Flink
	FailureMessage string `json:"failure_message"`
}

// CheckpointDetails is GET /jobs/:jobid/checkpoints/details/:id.
type CheckpointDetails struct {
	Checkpoint
	Format string `json:"savepointFormat"` // CANONICAL or NATIVE, "" for a checkpoint
	Type   string `json:"checkpoint_type"` // CHECKPOINT, UNALIGNED_CHECKPOINT, SAVEPOINT or SYNC_SAVEPOINT
	// Tasks are by vertex id: that of the operator at the head of the chain.
	Tasks map[string]struct {
		Status       string `json:"status"`
		StateSize    Number `json:"state_size"`
		Subtasks     int    `json:"num_subtasks"`
		Acknowledged int    `json:"num_acknowledged_subtasks"`
	} `json:"tasks"`
}

// Completed says whether it is a completed checkpoint, not a savepoint.
func (c Checkpoint) Completed() bool { return c.Status == "COMPLETED" && !c.IsSavepoint }

// CheckpointConfig is GET /jobs/:jobid/checkpoints/config.
type CheckpointConfig struct {
	Mode            string       `json:"mode"` // exactly_once or at_least_once
	Interval        Milliseconds `json:"interval"`
	Timeout         Milliseconds `json:"timeout"`
	MinPause        Milliseconds `json:"min_pause"`
	MaxConcurrent   int          `json:"max_concurrent"`
	Externalization struct {
		Enabled              bool `json:"enabled"`
		DeleteOnCancellation bool `json:"delete_on_cancellation"`
	} `json:"externalization"`
	StateBackend string `json:"state_backend"`
	Storage      string `json:"checkpoint_storage"`
	Unaligned    bool   `json:"unaligned_checkpoints"`
}

// Periodic says whether the job makes checkpoints by itself.
func (c CheckpointConfig) Periodic() bool { return c.Interval > 0 && c.Interval < math.MaxInt64 }

// Exception is one entry of GET /jobs/:jobid/exceptions.
type Exception struct {
	Name       string `json:"exceptionName"`
	Time       Millis `json:"timestamp"`
	TaskName   string `json:"taskName"` // empty when it was not a task's
	Stacktrace string `json:"stacktrace"`
}

// RootCause is the first line of the innermost cause.
func (e Exception) RootCause() string { return rootCause(e.Stacktrace) }

// Milliseconds is a length of time as Flink writes it. It can be math.MaxInt64 for "never", which is no time.Duration.
type Milliseconds int64

// Millis is a time as Flink writes it: milliseconds since 1970, -1 for none.
type Millis int64

// Time is zero when there is none.
func (m Millis) Time() time.Time {
	if m < 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m))
}

// Number is a figure of Flink's statistics, which may be the string "NaN" when there is nothing to count.
type Number float64

// UnmarshalJSON takes numbers and the string "NaN".
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == `"NaN"` {
		*n = Number(math.NaN())
		return nil
	}
	var f float64
	err := json.Unmarshal(text, &f)
	*n = Number(f)
	return err
}
