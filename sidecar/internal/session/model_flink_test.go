package session

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/garbage"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

const modelMaxParallelism = 6

// job is a simulated Flink job: a source with an offset, a keyed asynchronous operator that counts per key in a sidecar, a sink
// whose output is committed with checkpoints, and a JobManager.
type job struct {
	w        *world
	elements []element
	offset   int // of the source
	attempt  int
	running  bool
	subtasks []*subtask
	ordered  bool
	capacity int
	most     int // checkpoints at a time
	// remembers: after a restore the source says at once which watermark it had reached. Flink's own do not.
	remembers bool

	nextID    uint64
	pending   []*checkpoint
	completed []*checkpoint // retained, oldest first
	// output is what was emitted. With seal 0 it is not in a checkpoint yet.
	output    []output
	committed uint64 // output with a seal up to this is committed
	collector *garbage.Collector
}

type element struct {
	n        int
	key      string
	keyGroup uint16
	time     int64 // event time
	// watermark is that of the stream in front of it: it is too late for a window that ends before.
	watermark int64
	after     int64 // the watermark that comes after it, math.MinInt64 if none does
}

const modelWindow = 50

// window is the one that it is in, and the last ms of it.
func (e *element) window() (name string, last int64) {
	start := e.time - e.time%modelWindow
	return fmt.Sprintf("%s%s from %d", windowPrefix, e.key, start), start + modelWindow - 1
}

const windowPrefix = "window of "

type output struct {
	seal    uint64
	subtask int
	element element
	result
}

// result is what the function answers: how many of its key there were, and how many in its window, 0 if it was too late for that.
type result struct{ count, inWindow int }

func (r result) String() string { return fmt.Sprint(r.count, " ", r.inWindow) }

// flying is an element in a checkpoint: it happens at the watermark that was there when it came.
type flying struct {
	element
	at int64
}

type checkpoint struct {
	id     uint64
	offset int
	full   bool
	acks   []*ack // of each subtask, nil until it is there
}

// ack is what a checkpoint holds of a subtask.
type ack struct {
	flying    []flying
	reference segment.Reference
}

func (j *job) start() {
	j.attempt++
	j.running = true
	var from *checkpoint
	if n := len(j.completed); n > 0 {
		from = j.completed[n-1]
		if !j.w.calm && j.w.chance(15) {
			// Somebody chose an older one: what came after it is a branch that is dead now.
			n = 1 + j.w.rng.IntN(n)
			j.completed = slices.Delete(j.completed, n, len(j.completed))
			from = j.completed[n-1]
		}
	}
	j.offset = 0
	upto := uint64(0)
	if from != nil {
		j.offset, upto = from.offset, from.id
	}
	// The output goes back with the job: what the checkpoint does not hold is not committed, or was by a branch that is dead now.
	j.output = slices.DeleteFunc(j.output, func(o output) bool { return o.seal == 0 || o.seal > upto })
	j.committed = upto
	parallelism := 1 + j.w.rng.IntN(3)
	j.w.note("attempt %d from checkpoint %d with parallelism %d", j.attempt, upto, parallelism)
	j.subtasks = nil
	for i := range parallelism {
		s := &subtask{job: j, attempt: j.attempt, index: i, at: math.MinInt64, sidecar: j.w.sidecars[j.w.rng.IntN(len(j.w.sidecars))]}
		s.spec = Spec{
			Job: "job", Operator: "count/per key", Subtask: i, MaxParallelism: modelMaxParallelism,
			KeyGroups: statestore.SubtaskRange(modelMaxParallelism, parallelism, i), Restored: from != nil,
		}
		var references []segment.Reference
		if from != nil {
			for _, a := range from.acks {
				references = append(references, a.reference)
				// What is in flight goes where its key belongs now.
				for _, e := range a.flying {
					if s.spec.KeyGroups.Contains(e.keyGroup) {
						s.input = append(s.input, item{element: e.element, at: e.at, again: true})
					}
				}
			}
			slices.SortStableFunc(s.input, func(a, b item) int { return cmp.Compare(a.at, b.at) })
		}
		if j.remembers && j.offset > 0 {
			s.input = append(s.input, item{watermark: true, at: j.elements[j.offset-1].reached()})
		}
		j.subtasks = append(j.subtasks, s)
		s.open(references)
	}
	j.w.after(j.w.about(20*time.Millisecond), func() { j.read(j.attempt) })
	j.w.after(j.w.about(300*time.Millisecond), func() { j.trigger(j.attempt) })
}

// read is the source.
func (j *job) read(attempt int) {
	if attempt != j.attempt || !j.running {
		return
	}
	for range 1 + j.w.rng.IntN(3) {
		if j.offset == len(j.elements) {
			return
		}
		e := j.elements[j.offset]
		s := j.subtasks[slices.IndexFunc(j.subtasks, func(s *subtask) bool { return s.spec.KeyGroups.Contains(e.keyGroup) })]
		if len(s.input) > 6 {
			break
		}
		j.offset++
		s.input = append(s.input, item{element: e})
		s.stir()
		if e.after != math.MinInt64 {
			for _, s := range j.subtasks {
				s.input = append(s.input, item{watermark: true, at: e.after})
				s.stir()
			}
		}
	}
	j.w.after(j.w.about(20*time.Millisecond), func() { j.read(attempt) })
}

// trigger is the JobManager: it begins checkpoints, and gives up those that last too long.
func (j *job) trigger(attempt int) {
	if attempt != j.attempt || !j.running {
		return
	}
	if len(j.pending) < j.most {
		j.nextID++
		c := &checkpoint{id: j.nextID, offset: j.offset, full: j.w.chance(10), acks: make([]*ack, len(j.subtasks))}
		j.pending = append(j.pending, c)
		for _, s := range j.subtasks {
			s.input = append(s.input, item{barrier: c.id, full: c.full})
			s.stir()
		}
		j.w.after(j.w.about(8*time.Second), func() { j.abort(c, "timeout") })
	}
	j.w.after(j.w.about(400*time.Millisecond), func() { j.trigger(attempt) })
}

func (j *job) abort(c *checkpoint, why string) {
	i := slices.Index(j.pending, c)
	if i < 0 {
		return
	}
	j.w.note("checkpoint %d aborted: %s", c.id, why)
	j.pending = slices.Delete(j.pending, i, i+1)
	for _, s := range j.subtasks {
		if j.w.chance(80) {
			s.call(5*time.Second, func(ctx context.Context, m *Manager) (any, error) { return nil, m.Abort(ctx, s.token, c.id) }, func(any, error) {})
		}
	}
}

func (j *job) acknowledge(s *subtask, id uint64, a *ack) {
	i := slices.IndexFunc(j.pending, func(c *checkpoint) bool { return c.id == id })
	if i < 0 || s.attempt != j.attempt || !j.running {
		return
	}
	c := j.pending[i]
	c.acks[s.index] = a
	if slices.Contains(c.acks, nil) {
		return
	}
	j.w.note("checkpoint %d completed", id)
	for _, older := range slices.Clone(j.pending[:i]) {
		j.abort(older, "subsumed")
	}
	j.pending = slices.DeleteFunc(j.pending, func(o *checkpoint) bool { return o == c })
	j.completed = append(j.completed, c)
	if len(j.completed) > 3 {
		j.completed = j.completed[1:]
	}
	j.committed = id
	j.check(c)
	j.collect()
	if j.offset == len(j.elements) && c.offset == j.offset && !slices.ContainsFunc(c.acks, func(a *ack) bool { return len(a.flying) > 0 }) {
		j.w.done = true
	}
}

// check is the heart of the matter: the state in a checkpoint is made of exactly the elements before its barrier, but for those
// in flight that were not applied.
func (j *job) check(c *checkpoint) {
	var references []segment.Reference
	want := map[string]int{}
	for _, e := range j.elements[:c.offset] {
		want[e.key]++
	}
	for _, a := range c.acks {
		references = append(references, a.reference)
	}
	got, err := segment.Restore(context.Background(), j.w.objects, references, segment.Want{
		Operator: "count/per key", MaxParallelism: modelMaxParallelism, KeyGroups: statestore.Range{To: modelMaxParallelism - 1},
	})
	if err != nil {
		j.w.fail("checkpoint %d completed, and cannot be restored: %v", c.id, err)
		return
	}
	answers := int64(0)
	for _, a := range c.acks {
		for _, e := range a.flying {
			_, applied, err := got.Partitions.Answer(statestore.Request{KeyGroup: e.keyGroup, ID: e.id()})
			if err != nil {
				j.w.fail("%v", err)
			}
			if applied {
				answers++
			} else {
				want[e.key]--
			}
		}
	}
	if n := got.Partitions.Stats().Answers; n != answers {
		j.w.fail("checkpoint %d has %d answers, of those in flight %d were applied", c.id, n, answers)
	}
	for kg := range uint16(modelMaxParallelism) {
		for key, v := range got.Partitions.All(kg) {
			if strings.HasPrefix(key, windowPrefix) {
				continue
			}
			n, err := strconv.Atoi(string(v.Data))
			if err != nil || n != want[key] {
				j.w.fail("checkpoint %d has counted %s for %s, %d elements were before its barrier and not in flight", c.id, v.Data, key, want[key])
			}
			delete(want, key)
		}
	}
	for key, n := range want {
		if n != 0 {
			j.w.fail("checkpoint %d has no count for %s, %d elements were before its barrier", c.id, key, n)
		}
	}
}

// collect is garbage collection.
func (j *job) collect() {
	if j.collector == nil {
		j.collector = garbage.New(garbage.Config{Grace: time.Second}, j.w.objects, j, slog.New(slog.DiscardHandler))
	}
	report, err := j.collector.Once(context.Background())
	if err != nil {
		j.w.fail("garbage: %v", err)
	}
	j.w.note("%d objects are garbage, %d are kept", len(report.Garbage), report.Kept)
}

// Jobs is what Flink says of itself.
func (j *job) Jobs(context.Context) ([]garbage.Job, error) {
	known := garbage.Job{ID: "job"}
	for _, c := range j.completed {
		retained := garbage.Checkpoint{ID: c.id}
		for _, a := range c.acks {
			retained.References = append(retained.References, a.reference)
		}
		known.Retained = append(known.Retained, retained)
	}
	return []garbage.Job{known}, nil
}

func (w *world) fail(format string, args ...any) {
	w.found = append(w.found, fmt.Sprintf(format, args...))
	w.done = true
	if w.broken == (mutation{}) {
		w.t.Errorf("seed %d: %s\n%s", w.seed, w.found[len(w.found)-1], w.tail())
	}
}

// failed is the failure of a task: Flink restarts all of them from the last checkpoint.
func (j *job) failed(attempt int, why string) {
	if attempt != j.attempt || !j.running {
		return
	}
	j.w.note("attempt %d failed: %s", attempt, why)
	j.running = false
	j.pending = nil
	for _, s := range j.subtasks {
		if !j.w.calm && j.w.chance(30) {
			s.zombie = true // its TaskManager is cut off, and it goes on for a while
			j.w.after(j.w.about(5*time.Second), func() { s.over = true })
			continue
		}
		s.over = true
	}
	j.w.after(j.w.about(300*time.Millisecond), j.start)
}

func (e element) id() string { return fmt.Sprint("element ", e.n) }
