// Package source finds the checkpoint that a replay is about, and what it refers to of the state of Go functions.
package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// State is the union list state in which operators keep their references.
const State = "drey-references"

// Watch is what is needed of the watcher of checkpoints.
type Watch interface {
	Checkpoint(job string, id int64) (checkpoint.Record, error)
	// Folder is where the copy of a checkpoint stands, "" if there is none.
	Folder(checkpoint.Record) string
	Contents(ctx context.Context, path string) (*contents.Checkpoint, error)
}

// Flink is what is needed of its REST API: see flinkrest.Client.
type Flink interface {
	Checkpoints(ctx context.Context, job string) (flinkrest.Checkpoints, error)
}

// Finder finds checkpoints through the watcher, and through Flink if another sidecar watches.
type Finder struct {
	Watch Watch
	Flink Flink
}

var _ replay.Checkpoints = Finder{}

// Find opens the checkpoint: at the path of the request, or where the watcher knows it, or its copy if it is gone from there.
func (f Finder) Find(ctx context.Context, r replay.Request) (found replay.Checkpoint, err error) {
	paths := []string{r.Path}
	if r.Path == "" {
		record, err := f.record(ctx, r)
		if err != nil {
			return found, err
		}
		paths = []string{record.Path}
		if record.Triggered > 0 {
			found.Triggered = time.UnixMilli(record.Triggered)
		}
		found.Savepoint = record.Savepoint
		if copied := f.Watch.Folder(record); copied != "" {
			paths = append(paths, "file://"+copied)
		}
	}
	var errs []error
	for _, path := range paths {
		c, err := f.Watch.Contents(ctx, path)
		if err == nil {
			found.Operators, err = Operators(ctx, c)
		}
		if err == nil {
			if c.Meta.CheckpointID != r.CheckpointID {
				return found, problem.New(problem.InvalidRequest, "path: %s is checkpoint %d, not %d", path, c.Meta.CheckpointID, r.CheckpointID)
			}
			found.Path, found.Savepoint = paths[0], found.Savepoint || c.Meta.Snapshot.Savepoint
			if len(errs) > 0 {
				found.Lost = errs[0].Error()
			}
			return found, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", path, err))
	}
	return found, errors.Join(errs...)
}

// record is what is known of a checkpoint.
func (f Finder) record(ctx context.Context, r replay.Request) (checkpoint.Record, error) {
	record, err := f.Watch.Checkpoint(r.Job, r.CheckpointID)
	if err == nil && record.Path != "" { // one that failed has none
		return record, nil
	}
	if err != nil && problem.From(err).Code != problem.NotFound {
		return record, err
	}
	all, err := f.Flink.Checkpoints(ctx, r.Job)
	if err != nil && !flinkrest.IsNotFound(err) {
		return record, fmt.Errorf("checkpoint %d of job %s: the watcher of this sidecar does not know it, and Flink: %w", r.CheckpointID, r.Job, err)
	}
	shown := all.History
	for _, latest := range []*flinkrest.Checkpoint{all.Latest.Completed, all.Latest.Savepoint} {
		if latest != nil {
			shown = append(shown, *latest)
		}
	}
	for _, c := range shown {
		if c.ID == r.CheckpointID && c.Status == "COMPLETED" && c.ExternalPath != "" {
			return checkpoint.Record{
				Key:       checkpoint.Key{Job: r.Job, ID: c.ID, Path: c.ExternalPath, Triggered: int64(c.Triggered)},
				Savepoint: c.IsSavepoint,
			}, nil
		}
	}
	return record, problem.New(problem.NotFound, "checkpoint %d of job %s: neither the watcher of this sidecar nor Flink, which shows the last ones, knows it; say where it is (--path), or ask the sidecar that watches", r.CheckpointID, r.Job)
}

// Operators are those of a checkpoint that have state in Go, with their references.
func Operators(ctx context.Context, c *contents.Checkpoint) (all []replay.OperatorState, err error) {
	for i := range c.Meta.Operators {
		o := &c.Meta.Operators[i]
		if !has(o) {
			continue
		}
		state := replay.OperatorState{Operator: o.UID, MaxParallelism: int(o.MaxParallelism)}
		if state.Operator == "" {
			state.Operator = o.Name
		}
		if err := c.DumpState(ctx, o.ID.String(), State, func(e contents.Entry) error {
			ref, err := reference(e.Value)
			state.References = append(state.References, ref)
			return err
		}); err != nil {
			return nil, err
		}
		all = append(all, state)
	}
	return all, nil
}

func has(o *metadata.Operator) bool {
	for i := range o.Subtasks {
		s := &o.Subtasks[i]
		if s.SubtaskState == nil || s.ManagedOperator == nil {
			continue
		}
		for _, state := range s.ManagedOperator.States {
			if state.Name == State {
				return true
			}
		}
	}
	return false
}

var errReference = errors.New("is no reference")

// reference reads an entry: JSON as a string of Flink (StringValue.writeString): the number of characters plus one, then the characters, each
// in groups of seven bits, the low ones first.
func reference(entry []byte) (ref segment.Reference, err error) {
	length, n := binary.Uvarint(entry)
	if n <= 0 || length == 0 || length-1 > uint64(len(entry)) {
		return ref, fmt.Errorf("%q %w", entry, errReference)
	}
	text := make([]rune, 0, length-1)
	for rest := entry[n:]; uint64(len(text)) < length-1; {
		char, n := binary.Uvarint(rest)
		if n <= 0 || char > 0xffff {
			return ref, fmt.Errorf("%q %w", entry, errReference)
		}
		text, rest = append(text, rune(char)), rest[n:]
	}
	err = json.Unmarshal([]byte(string(text)), &ref)
	return ref, err
}
