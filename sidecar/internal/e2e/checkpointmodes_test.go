package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint/contents"
	"github.com/drey-flink/drey/sidecar/internal/flinkrest"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// mode is a way in which Flink stores state.
type mode struct {
	name   string
	config map[string]string
	// pause is that of StateJob, in ms: with it there are records in flight.
	pause int
	// local: the checkpoints lie in a folder and not on S3.
	local bool
	// keyed is the kind of the keyed state's handles; readable if its entries can be read.
	keyed    string
	readable bool
	// references are the kinds of handle that must be among the state's.
	references []metadata.ReferenceKind
	// savepoints are taken, too.
	savepoints bool
}

// Flink's limits of inlining: everything, and nothing.
const (
	everything = "1 mb"
	nothing    = "0 b"
)

func modes(dir string) []mode {
	return []mode{
		{
			name: "default", config: map[string]string{}, keyed: "key-groups", readable: true,
			references: []metadata.ReferenceKind{metadata.Inline, metadata.Relative}, savepoints: true,
		},
		{
			name: "inline", config: map[string]string{"execution.checkpointing.data-inline-threshold": everything},
			keyed: "key-groups", readable: true, references: []metadata.ReferenceKind{metadata.Inline},
		},
		{
			name: "files", config: map[string]string{"execution.checkpointing.data-inline-threshold": nothing},
			keyed: "key-groups", readable: true, references: []metadata.ReferenceKind{metadata.Relative},
		},
		{
			name: "compressed", config: map[string]string{"execution.checkpointing.snapshot-compression": "true"},
			keyed: "key-groups", readable: true, references: []metadata.ReferenceKind{metadata.Relative}, savepoints: true,
		},
		{
			name: "rocksdb incremental", config: map[string]string{
				"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true",
				"execution.checkpointing.data-inline-threshold": nothing,
			},
			keyed: "incremental", references: []metadata.ReferenceKind{metadata.Relative, metadata.Absolute}, savepoints: true,
		},
		{
			// The files again, all of them in each checkpoint.
			name: "rocksdb full", config: map[string]string{
				"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "false",
				"execution.checkpointing.snapshot-compression": "true",
			},
			keyed: "incremental", references: []metadata.ReferenceKind{metadata.Relative}, savepoints: true,
		},
		{
			name: "unaligned", pause: 2, config: map[string]string{
				"execution.checkpointing.unaligned.enabled": "true",
			},
			keyed: "key-groups", readable: true, references: []metadata.ReferenceKind{metadata.Relative},
		},
		{
			// Flink's native plugin for S3 cannot merge: each checkpoint fails.
			name: "merged, compressed, unaligned", pause: 2, local: true, config: map[string]string{
				"execution.checkpointing.dir":                  "file://" + filepath.Join(dir, "merged"),
				"execution.checkpointing.file-merging.enabled": "true",
				"execution.checkpointing.snapshot-compression": "true",
				"execution.checkpointing.unaligned.enabled":    "true",
			},
			keyed: "key-groups", readable: true, references: []metadata.ReferenceKind{metadata.Segment},
		},
		{
			name: "merged, rocksdb incremental", local: true, config: map[string]string{
				"state.backend.type": "rocksdb", "execution.checkpointing.incremental": "true",
				"execution.checkpointing.dir":                  "file://" + filepath.Join(dir, "merged"),
				"execution.checkpointing.file-merging.enabled": "true",
			},
			keyed: "incremental", references: []metadata.ReferenceKind{metadata.Segment},
		},
	}
}

// Every mode of storage is read exactly, from checkpoints and savepoints of a real job, from S3 and from local copies.
func TestEveryModeIsReadExactly(t *testing.T) {
	t.Parallel() // mostly it waits
	c := up(t)
	r := newReader(t, c)
	earlier := int64(0)
	for _, m := range modes(c.Dir) {
		t.Run(m.name, func(t *testing.T) {
			r := r.with(t)
			k := known{events: 3000, keys: 200, large: 70_000, all: true}
			j := submitState(t, c, k, m.config, "--pause", strconv.Itoa(m.pause))
			defer j.cancel()
			r.checkOwn(j, earlier)
			if m.pause > 0 {
				r.checkInFlight(k, j)
			}
			done := r.allRecords(j)
			if _, err := j.flink.Checkpoint(t.Context(), j.id, done.ID); err != nil { // and so Flink remembers it
				t.Error(err)
			}
			earlier = done.ID
			r.check(m, k, done, m.keyed, m.readable, false)
			if !m.savepoints {
				return
			}
			for _, format := range []flinkrest.Format{flinkrest.Canonical, flinkrest.Native} {
				path, err := j.flink.TriggerSavepoint(t.Context(), j.id, "", format)
				if err != nil {
					t.Fatal(err)
				}
				read, err := r.open(path)
				if err != nil {
					t.Fatal(err)
				}
				made := j.shown(read.Meta.CheckpointID)
				if made.ExternalPath != path || !made.IsSavepoint || read.Meta.Snapshot.Format != string(format) {
					t.Errorf("Flink shows a savepoint in %s, and wrote %s, which says that it is %+v", made.ExternalPath, path, read.Meta.Snapshot)
				}
				if canonical := format == flinkrest.Canonical; canonical {
					r.check(m, k, made, "savepoint", true, true)
				} else {
					r.check(m, k, made, m.keyed, m.readable, false)
				}
			}
		})
	}
}

// check compares a checkpoint with what the job holds, with what Flink says of it, and with its objects.
func (r *reader) check(m mode, k known, flink flinkrest.Checkpoint, keyed string, readable, canonical bool) {
	t := r.t
	t.Helper()
	c, err := r.open(flink.ExternalPath)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if d.CheckpointID != flink.ID || d.Snapshot == nil || d.Snapshot.Savepoint != flink.IsSavepoint {
		t.Errorf("checkpoint %d, %+v; Flink says %+v", d.CheckpointID, d.Snapshot, flink)
	}
	r.checkSize(d, flink)
	r.checkFiles(d)
	checkOperators(t, d, keyed)
	if !flink.IsSavepoint {
		checkReferences(t, c.Meta, m.references)
	}
	checkState := func(c *contents.Checkpoint) {
		k.checkLists(t, c, "lists", true, 0, 1)
		k.checkLists(t, c, "half-lists", false, 1)
		for _, operator := range []string{"by-number", "by-text"} {
			if readable {
				k.checkKeys(t, c, operator, canonical)
				continue
			}
			err := c.DumpState(t.Context(), operator, "visits", func(contents.Entry) error { return nil })
			if err == nil || !strings.Contains(err.Error(), keyed) || !strings.Contains(err.Error(), "canonical savepoint") {
				t.Errorf("%s: state that cannot be read: %v", operator, err)
			}
		}
	}
	checkState(c)
	checkState(r.checkProgram(c, d))
}

// checkSize: REST counts what subtasks acknowledged, and so without coordinators.
func (r *reader) checkSize(d *metadata.Description, flink flinkrest.Checkpoint) {
	r.t.Helper()
	coordinators := int64(0)
	for _, o := range d.Operators {
		coordinators += o.CoordinatorBytes
	}
	if got := d.TotalSize - coordinators; got != int64(flink.StateSize) {
		r.t.Errorf("checkpoint %d has %d bytes, Flink says %d", d.CheckpointID, got, int64(flink.StateSize))
	}
}

// checkFiles looks for the files past the S3 server and the reader of stores.
func (r *reader) checkFiles(d *metadata.Description) {
	r.t.Helper()
	for _, f := range d.Files {
		info, err := os.Stat(r.local(f.Path))
		if err != nil || info.Size() < f.Offset+f.Size || f.Size < 0 {
			r.t.Errorf("%s, %d bytes from %d on: %v, %v", f.Path, f.Size, f.Offset, info, err)
		}
	}
}

// checkOperators compares the shape of the job's operators.
func checkOperators(t *testing.T, d *metadata.Description, keyed string) {
	t.Helper()
	type shape struct {
		Parallelism, MaxParallelism int32
		FullyFinished               bool
		Finished                    []bool
		States                      []map[string]metadata.StateDescription
		KeyGroups                   [][2]int32
	}
	lists := map[string]metadata.StateDescription{
		"bytes": {Mode: "SPLIT", Entries: 6}, "longs": {Mode: "SPLIT", Entries: 5}, "texts": {Mode: "SPLIT", Entries: 5},
		"none": {Mode: "SPLIT"}, "seen": {Mode: "SPLIT", Entries: 1},
		"names": {Mode: "BROADCAST", Entries: 1}, "blobs": {Mode: "BROADCAST", Entries: 1},
	}
	withUnion := maps.Clone(lists)
	withUnion["union"] = metadata.StateDescription{Mode: "UNION", Entries: 6}
	none, source := map[string]metadata.StateDescription{}, map[string]metadata.StateDescription{"SourceReaderState": {Mode: "SPLIT", Entries: 1}}
	type states = []map[string]metadata.StateDescription
	want := map[string]shape{
		"generated":  {Parallelism: 1, MaxParallelism: 128, FullyFinished: true},
		"keep-open":  {Parallelism: 1, MaxParallelism: 128, Finished: []bool{false}, States: states{source}},
		"lists":      {Parallelism: 2, MaxParallelism: 128, Finished: []bool{false, false}, States: states{withUnion, withUnion}},
		"half-lists": {Parallelism: 2, MaxParallelism: 128, Finished: []bool{true, false}, States: states{none, lists}},
		"by-number":  {Parallelism: 2, MaxParallelism: 128, Finished: []bool{false, false}, States: states{none, none}, KeyGroups: [][2]int32{{0, 63}, {64, 127}}},
		"by-text":    {Parallelism: 2, MaxParallelism: 1000, Finished: []bool{false, false}, States: states{none, none}, KeyGroups: [][2]int32{{0, 499}, {500, 999}}},
	}
	got := map[string]shape{}
	for _, o := range d.Operators {
		if _, ok := want[o.UID]; !ok {
			continue // has no state of its own
		}
		s := shape{Parallelism: o.Parallelism, MaxParallelism: o.MaxParallelism, FullyFinished: o.FullyFinished}
		slices.SortFunc(o.Subtasks, func(a, b metadata.SubtaskDescription) int { return int(a.Index - b.Index) })
		for i, subtask := range o.Subtasks {
			if int(subtask.Index) != i {
				t.Errorf("%s: subtask %d stands where %d belongs", o.UID, subtask.Index, i)
			}
			s.Finished = append(s.Finished, subtask.Finished)
			s.States = append(s.States, subtask.OperatorState)
			for _, state := range subtask.KeyedState {
				s.KeyGroups = append(s.KeyGroups, state.KeyGroups)
				if state.Type != keyed {
					t.Errorf("%s: keyed state of type %s, want %s", o.UID, state.Type, keyed)
				}
			}
		}
		if o.ID != metadata.FromUID(o.UID) {
			t.Errorf("%s has id %s", o.UID, o.ID)
		}
		got[o.UID] = s
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operators (-want +got):\n%s", diff)
	}
}

func checkReferences(t *testing.T, m *metadata.Metadata, want []metadata.ReferenceKind) {
	t.Helper()
	got := map[metadata.ReferenceKind]int{}
	for r := range m.References() {
		got[r.Kind]++
	}
	for _, kind := range want {
		if got[kind] == 0 {
			t.Errorf("no handle is %s: %v", kind, got)
		}
	}
}

// checkProgram has the program show, verify and pull the checkpoint, and answers with the copy.
func (r *reader) checkProgram(c *contents.Checkpoint, d *metadata.Description) *contents.Checkpoint {
	t := r.t
	t.Helper()
	path, folder := c.Dir.String(), filepath.Join(t.TempDir(), "copy")
	described, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var want, shown any
	if err := errors.Join(json.Unmarshal(described, &want),
		json.Unmarshal([]byte(r.must(r.onStore("checkpoints", "show", path, "-o", "json")...)), &shown)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("drey checkpoints show (-package +program):\n%s", diff)
	}
	r.must(r.onStore("checkpoints", "verify", path)...)
	r.must(r.onStore("checkpoints", "pull", path, "--to", folder)...)
	r.must("checkpoints", "verify", folder)
	files := r.files.WithMap(contents.CopiedBuckets(folder))
	copied, err := contents.Open(t.Context(), files, metadata.Location{Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// checkOwn: a number that only an earlier job has had is not one of this job's. Flink answers with the details of the earlier one.
func (r *reader) checkOwn(j *job, earlier int64) {
	r.t.Helper()
	if earlier == 0 {
		return
	}
	await(r.t, "the program does not know the checkpoint", time.Minute, func() (bool, error) {
		out, err := r.drey(r.onStore("checkpoints", "show", strconv.FormatInt(earlier, 10), "--flink", r.c.Flink, "--job", j.id)...)
		if err == nil {
			r.t.Fatalf("job %s has made no checkpoint yet, and its checkpoint %d is\n%s", j.id, earlier, out)
		}
		return strings.Contains(err.Error(), "does not know"), err // another error while the job begins
	})
}

// allRecords makes checkpoints until one holds the effects of all records.
func (r *reader) allRecords(j *job) (done flinkrest.Checkpoint) {
	r.t.Helper()
	await(r.t, "all records are in a checkpoint", time.Minute, func() (bool, error) {
		done = j.trigger()
		c, err := r.open(done.ExternalPath)
		if err != nil {
			return false, err
		}
		generated, err := c.Operator("generated")
		if err != nil {
			return false, err
		}
		half, err := c.Operator("half-lists")
		if err != nil {
			return false, err
		}
		in, out := inFlight(c.Meta)
		// A task ends with the checkpoint after its last record, and is shown as finished in the next one.
		return generated.FullyFinished && len(half.Subtasks) > 0 && half.Subtasks[0].Finished && in+out == 0, nil
	})
	return done
}

// inFlight is how many channels have records in flight.
func inFlight(m *metadata.Metadata) (in, out int) {
	for i := range m.Operators {
		for _, subtask := range m.Operators[i].Subtasks {
			in += len(subtask.InputChannels)
			out += len(subtask.OutputChannels)
		}
	}
	return in, out
}

// checkInFlight makes a checkpoint of a job that cannot keep up: it holds the records that wait, before barriers that did not.
func (r *reader) checkInFlight(k known, j *job) {
	r.t.Helper()
	done := j.trigger()
	c, err := r.open(done.ExternalPath)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := c.Describe()
	if err != nil {
		r.t.Fatal(err)
	}
	if in, out := inFlight(c.Meta); in == 0 || out == 0 {
		r.t.Errorf("%d channels have records that came in, %d that go out: the job kept up", in, out)
	}
	r.checkSize(d, done)
	r.checkFiles(d)
	k.all = false
	k.checkLists(r.t, c, "lists", true, 0, 1)
	k.checkLists(r.t, r.checkProgram(c, d), "lists", true, 0, 1)
}
