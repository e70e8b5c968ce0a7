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

// Finder finds checkpoints through the watcher.
type Finder struct{ Watch Watch }

var _ replay.Checkpoints = Finder{}

// Find opens the checkpoint: at the path of the request, or where the watcher knows it, or its copy if it is gone from there.
func (f Finder) Find(ctx context.Context, r replay.Request) (found replay.Checkpoint, err error) {
	paths := []string{r.Path}
	if r.Path == "" {
		record, err := f.Watch.Checkpoint(r.Job, r.CheckpointID)
		if err != nil {
			return found, problem.New(problem.NotFound, "checkpoint %d of job %s: the watcher does not know it (%v); say where it is: path", r.CheckpointID, r.Job, err)
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
