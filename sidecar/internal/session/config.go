package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// Config is how sessions are kept.
type Config struct {
	// Folder for the logs, on a local disk: "" keeps everything in memory, and a sidecar that was killed comes back with nothing.
	Folder string
	// Prefix of all keys in the snapshot store: "" or it ends at a slash.
	Prefix string
	// Limits of the state of each session.
	Limits statestore.Limits
	Hooks  statestore.Hooks
	// MaxPending is how many barriers of a session may wait for their snapshots. One more, and the oldest is given up.
	MaxPending int
	// MaxChain is how many segments a snapshot may list before everything is written anew.
	MaxChain int
	// Compress segments.
	Compress bool
	// Uploads is how many sessions write snapshots at the same time, Parallel how many parts of one state are loaded so.
	Uploads, Parallel int
	// RetryMin is how long to wait before the store is tried again; it doubles up to RetryMax.
	RetryMin, RetryMax time.Duration
	// Observe is told what becomes of snapshots; its functions must be quick, and may be nil.
	Observe Observer
	// NewID gives names that do not come twice, in letters and digits.
	NewID func() string
	// BootID names the present run of the machine, "" if that is not known: a log of another run may lack its end.
	BootID func() string
}

// Observer is told what becomes of the snapshots that were asked for, and of the room for answers.
type Observer struct {
	// Written: a snapshot is in the store. bytes is what it added, took the time since it was asked for.
	Written func(bytes int64, took time.Duration)
	// Missed: one that was marked was given up. Not those that Flink has aborted.
	Missed func()
	// Full: a request was refused, since too many answers are stored.
	Full func()
}

// DefaultConfig keeps everything in memory.
func DefaultConfig() Config {
	return Config{
		MaxPending: 4, MaxChain: 16, Uploads: 4, Parallel: 4,
		RetryMin: 200 * time.Millisecond, RetryMax: 10 * time.Second,
		NewID: rand.Text, BootID: bootID,
	}
}

// Validate says everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	for _, v := range []struct {
		name  string
		value int
	}{{"max pending", c.MaxPending}, {"max chain", c.MaxChain}, {"uploads", c.Uploads}, {"parallel", c.Parallel}} {
		if v.value < 1 {
			errs = append(errs, fmt.Errorf("%s is %d, must be at least 1", v.name, v.value))
		}
	}
	if c.RetryMin <= 0 || c.RetryMax < c.RetryMin {
		errs = append(errs, fmt.Errorf("retry between %s and %s makes no sense", c.RetryMin, c.RetryMax))
	}
	if c.NewID == nil || c.BootID == nil {
		errs = append(errs, errors.New("new id and boot id are needed"))
	}
	return errors.Join(errs...)
}

// Store is the snapshot store: see package snapshot.
type Store interface {
	segment.Opener
	segment.Creator
}

// Spec says what a session is of.
type Spec struct {
	Job      string `json:"job"`
	Operator string `json:"operator"` // its uid
	Subtask  int    `json:"subtask"`
	// MaxParallelism is how many key groups the operator has, KeyGroups those of the subtask.
	MaxParallelism int              `json:"max_parallelism"`
	KeyGroups      statestore.Range `json:"key_groups"`
	// Restored: the task was restored by Flink. Nothing is applied before Restore.
	Restored bool `json:"restored,omitzero"`
}

func (s *Spec) check() error {
	var errs []error
	if s.Job == "" || s.Operator == "" {
		errs = append(errs, errors.New("a session needs a job and an operator's uid"))
	}
	if s.Subtask < 0 {
		errs = append(errs, fmt.Errorf("subtask %d makes no sense", s.Subtask))
	}
	if err := s.KeyGroups.Check(s.MaxParallelism); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// takesOver: a session of s takes key groups from one of the other.
func (s *Spec) takesOver(other *Spec) bool {
	_, overlap := s.KeyGroups.Intersect(other.KeyGroups)
	return overlap && s.Job == other.Job && s.Operator == other.Operator
}

// Token names a session. Of two of one instance, the one with the higher fence is newer.
type Token struct {
	// Instance is the memory of a sidecar: one that lost it is another one.
	Instance string `json:"instance"`
	Fence    uint64 `json:"fence"`
}

func (t Token) String() string { return t.Instance + "-" + strconv.FormatUint(t.Fence, 10) }

// ParseToken reads what String wrote.
func ParseToken(text string) (Token, error) {
	instance, digits, ok := strings.Cut(text, "-")
	fence, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || instance == "" {
		return Token{}, refuse(CodeInvalid, "%q is no token of a session", text)
	}
	return Token{instance, fence}, nil
}

// Mark is what a subtask says at a barrier.
type Mark struct {
	// Epoch is the number of the checkpoint, or of the savepoint.
	Epoch uint64 `json:"epoch"`
	// InFlight are the requests that the operator has not emitted: what Flink's checkpoint holds of it. The ids of requests that
	// were answered but not emitted are among them.
	InFlight []statestore.InFlight `json:"in_flight"`
	// Full: the snapshot must not list segments of older ones. A savepoint needs that, and the first checkpoint of a job that
	// was restored without claiming what it was restored from.
	Full bool `json:"full,omitzero"`
	// Savepoint: it is one. Savepoints can be anywhere, so their snapshots stay until it is known that they are gone. A client that is
	// older than this never says so.
	Savepoint bool `json:"savepoint,omitzero"`
}

// Request is a request that is to be applied.
type Request struct {
	statestore.Request

	// Watermark that the operator had seen when the record came to it, in ms since 1970; math.MinInt64 is none. The request happens at this
	// event time, whenever and however often it is sent.
	Watermark int64
	// LowWatermark is the lowest Watermark of the requests that have no answer yet, this one among them: nothing comes any more that happens
	// earlier, so that what has expired by then is of no use. More than Watermark is as good as Watermark.
	LowWatermark int64
}

// retryable says whether an error of the store may pass by itself.
func retryable(err error) bool { return snapshot.Retryable(err) }
