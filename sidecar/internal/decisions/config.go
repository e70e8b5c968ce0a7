package decisions

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Policy says what happens to a decision when the writer cannot keep up, or cannot write at all.
type Policy string

// The policies.
const (
	// Block makes the caller wait, until its context ends: no decision is answered that is not in the log's queue.
	Block Policy = "block"
	// DropOldest gives up what has waited longest.
	DropOldest Policy = "drop_oldest"
	// Sample keeps fewer and fewer decisions as the queue fills: from half full on one in 2, 4, 8 and 16, then none. The id
	// decides, so that all decisions of one id are kept or none.
	Sample Policy = "sample"
)

// Config says where the log is, how large it may be and what it may cost.
type Config struct {
	Dir           string        `yaml:"dir" doc:"folder of the decision log; empty = no log"`
	Policy        Policy        `yaml:"policy" enum:"block,drop_oldest,sample" doc:"when the disk cannot keep up: block (calls wait), drop_oldest, or sample (fewer the fuller the queue); what is not written is counted and noted in the log"`
	Mask          []string      `yaml:"mask" doc:"names of fields whose values are never written, in inputs and results at any depth; upper and lower case count the same; state names mask the keys read from that state, error masks messages of errors"`
	MaxValueBytes int           `yaml:"max_value_bytes" doc:"an input or a result that is longer is replaced by its length and hash"`
	QueueBytes    int           `yaml:"queue_bytes" doc:"memory for decisions that are not yet written; twice as much is used while the disk is slow"`
	CommitEvery   time.Duration `yaml:"commit_every" doc:"how long a decision waits at most for others to be written with it; that much is lost by a kill -9"`
	SyncEvery     time.Duration `yaml:"sync_every" doc:"how often what is written is made durable; that much is lost by a power cut"`
	SegmentBytes  int64         `yaml:"segment_bytes" doc:"length of a segment, before it is sealed and compressed"`
	SegmentAge    time.Duration `yaml:"segment_age" doc:"a segment that is older is sealed though it is shorter"`
	MaxBytes      int64         `yaml:"max_bytes" doc:"length of all segments; the oldest are dropped beyond it"`
	MaxAge        time.Duration `yaml:"max_age" doc:"segments whose newest decision is older are dropped"`
	Compression   string        `yaml:"compression" doc:"of sealed segments: none, s2 or zstd"`
}

// DefaultConfig has no folder: without one there is no log. It keeps 10 GiB for 30 days.
func DefaultConfig() Config {
	return Config{
		Policy: Block, MaxValueBytes: 1 << 20, QueueBytes: 16 << 20,
		CommitEvery: 10 * time.Millisecond, SyncEvery: time.Second,
		SegmentBytes: 64 << 20, SegmentAge: time.Hour, MaxBytes: 10 << 30, MaxAge: 30 * 24 * time.Hour,
		Compression: "zstd",
	}
}

// Bounds of the configuration: a record holds two values at most and must fit into a block.
const (
	maxValueBytes   = 4 << 20
	minSegmentBytes = 64 << 10
	maxSegmentBytes = 1 << 30 // at segment.BlockBytes a block, fewer blocks than an index can name
)

// On says whether there is a log.
func (c Config) On() bool { return c.Dir != "" }

// Validate names what cannot work.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch c.Policy {
	case Block, DropOldest, Sample:
	default:
		wrong("policy: %q, must be one of %s, %s, %s", c.Policy, Block, DropOldest, Sample)
	}
	for _, name := range c.Mask {
		if strings.TrimSpace(name) == "" {
			wrong("mask: an empty name")
		}
	}
	if c.MaxValueBytes < 1 || c.MaxValueBytes > maxValueBytes {
		wrong("max_value_bytes: %d, must be from 1 to %d", c.MaxValueBytes, maxValueBytes)
	}
	if least := max(minSegmentBytes, 4*c.MaxValueBytes); c.QueueBytes < least {
		wrong("queue_bytes: %d, must be at least %d, and four times max_value_bytes", c.QueueBytes, least)
	}
	if c.SegmentBytes < minSegmentBytes || c.SegmentBytes > maxSegmentBytes {
		wrong("segment_bytes: %d, must be from %d to %d", c.SegmentBytes, minSegmentBytes, maxSegmentBytes)
	}
	if c.MaxBytes < 2*c.SegmentBytes {
		wrong("max_bytes: %d, must be at least twice segment_bytes", c.MaxBytes)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"commit_every", c.CommitEvery}, {"sync_every", c.SyncEvery}, {"segment_age", c.SegmentAge}, {"max_age", c.MaxAge}} {
		if d.d <= 0 {
			wrong("%s: %s, must be positive", d.name, d.d)
		}
	}
	if _, err := segment.ParseCodec(c.Compression); err != nil {
		wrong("compression: %w", err)
	}
	return errors.Join(errs...)
}
