package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
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

	nextID    uint64
	pending   []*checkpoint
	completed []*checkpoint // retained, oldest first
	// output is what was emitted. With seal 0 it is not in a checkpoint yet.
	output    []output
	committed uint64 // output with a seal up to this is committed
}

type element struct {
	n        int
	key      string
	keyGroup uint16
}

type output struct {
	seal    uint64
	subtask int
	element element
	count   int
}

type checkpoint struct {
	id     uint64
	offset int
	full   bool
	acks   []*ack // of each subtask, nil until it is there
}

// ack is what a checkpoint holds of a subtask.
type ack struct {
	flying    []element
	reference segment.Reference
}

// subtask is an attempt of a subtask of the asynchronous operator, with the client in it.
type subtask struct {
	job     *job
	attempt int
	index   int
	spec    Spec
	sidecar *sidecar
	token   Token
	ready   bool
	over    bool // it sends nothing any more
	zombie  bool // it was replaced, but does not know

	input   []item
	flights []*flight // in the order of their numbers
	seq     uint64
	epoch   uint64
	stirred bool
}

type item struct {
	barrier uint64 // 0: an element
	full    bool
	element element
}

type flight struct {
	element  element
	seq      uint64
	answered bool
	count    int
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
		s := &subtask{job: j, attempt: j.attempt, index: i, sidecar: j.w.sidecars[j.w.rng.IntN(len(j.w.sidecars))]}
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
						s.input = append(s.input, item{element: e})
					}
				}
			}
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

// collect is garbage collection, as the package says: what retained checkpoints list stays, and all that is not older.
func (j *job) collect() {
	oldest := j.completed[0].id
	keep := map[string]bool{}
	keepManifest := func(ref segment.Reference, data *segment.Manifest) {
		keep[ref.Key] = true
		for _, s := range data.Segments {
			keep[s.Key] = true
		}
	}
	var all []snapshot.Object
	for o, err := range j.w.objects.List(context.Background(), "") {
		if err != nil {
			j.w.fail("%v", err)
			return
		}
		all = append(all, o)
	}
	epoch := func(key string) uint64 {
		name := key[strings.LastIndex(key, "/")+1:]
		n, err := strconv.ParseUint(name[:strings.Index(name, "-")], 10, 64)
		if err != nil {
			j.w.fail("%v", err)
		}
		return n
	}
	for _, o := range all {
		if epoch(o.Key) >= oldest {
			keep[o.Key] = true
			if strings.HasSuffix(o.Key, ".manifest") {
				body, _, err := j.w.objects.Open(context.Background(), o.Key, snapshot.Whole())
				if err != nil {
					j.w.fail("%v", err)
					return
				}
				data := make([]byte, o.Size)
				if _, err := body.Read(data); err != nil {
					j.w.fail("%v", err)
					return
				}
				m, err := segment.ParseManifest(data)
				if err != nil {
					j.w.fail("%v", err)
					return
				}
				keepManifest(segment.Reference{Key: o.Key}, m)
			}
		}
	}
	for _, o := range all {
		if !keep[o.Key] {
			if err := j.w.objects.Delete(context.Background(), o.Key); err != nil {
				j.w.fail("%v", err)
			}
		}
	}
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

// call is a call of the client, which ends with its task.
func (s *subtask) call(timeout time.Duration, do func(context.Context, *Manager) (any, error), hear func(any, error)) {
	s.job.w.call(s.sidecar, timeout, do, func(result any, err error) {
		if !s.over {
			hear(result, err)
		}
	})
}

// again is for an error: it says whether to call again, or has the task fail.
func (s *subtask) again(err error, what string) bool {
	var e *Error
	if errors.Is(err, errTimeout) || errors.Is(err, errUnreachable) || errors.As(err, &e) && e.Retryable {
		return true
	}
	if s.zombie {
		s.over = true
		return false
	}
	s.job.failed(s.attempt, fmt.Sprintf("subtask %d: %s: %v", s.index, what, err))
	return false
}

func (s *subtask) retry(do func()) {
	s.job.w.after(s.job.w.about(100*time.Millisecond), func() {
		if !s.over {
			do()
		}
	})
}

func (s *subtask) open(references []segment.Reference) {
	s.call(5*time.Second, func(ctx context.Context, m *Manager) (any, error) { return m.Open(ctx, s.spec) }, func(result any, err error) {
		switch {
		case err == nil:
			s.token = result.(Token) //nolint:forcetypeassert // of Open
			if s.spec.Restored {
				s.restore(references)
				return
			}
			s.begin()
		case s.again(err, "open"):
			s.retry(func() { s.open(references) })
		}
	})
}

func (s *subtask) restore(references []segment.Reference) {
	s.call(5*time.Second, func(ctx context.Context, m *Manager) (any, error) { return nil, m.Restore(ctx, s.token, references) }, func(_ any, err error) {
		switch {
		case err == nil:
			s.begin()
		case s.again(err, "restore"):
			s.retry(func() { s.restore(references) })
		}
	})
}

func (s *subtask) begin() {
	s.ready = true
	s.stir()
}

// stir has the task look at its input, soon.
func (s *subtask) stir() {
	if s.stirred || !s.ready || s.over {
		return
	}
	s.stirred = true
	s.job.w.after(s.job.w.about(4*time.Millisecond), func() {
		s.stirred = false
		if s.over || len(s.input) == 0 {
			return
		}
		next := s.input[0]
		if next.barrier == 0 && len(s.flights) >= s.job.capacity {
			return // an element that leaves stirs again
		}
		s.input = s.input[1:]
		if next.barrier != 0 {
			s.barrier(next.barrier, next.full)
		} else {
			s.seq++
			f := &flight{element: next.element, seq: s.seq}
			s.flights = append(s.flights, f)
			s.send(f)
		}
		s.stir()
	})
}

// low is the lowest number that has not left the operator.
func (s *subtask) low() uint64 {
	if len(s.flights) > 0 {
		return s.flights[0].seq
	}
	return s.seq + 1
}

func (s *subtask) send(f *flight) {
	broken := &s.job.w.broken
	r := Request{Watermark: math.MinInt64, Request: statestore.Request{
		KeyGroup: f.element.keyGroup, ID: f.element.id(), Epoch: s.epoch, Seq: f.seq, Low: s.low(),
	}}
	if broken.noEpoch {
		r.Epoch = 0
	}
	if broken.noID {
		r.ID = ""
	}
	if broken.idOfAttempt {
		r.ID += fmt.Sprint(" of attempt ", s.attempt)
	}
	if s.job.w.seed%4 == 0 {
		r.Seq, r.Low = 0, 0 // answers are forgotten at marks alone
	}
	s.call(3*time.Second, func(ctx context.Context, m *Manager) (any, error) {
		answer, _, err := m.Apply(ctx, s.token, r, func(tx *statestore.Tx) ([]byte, error) {
			v, _ := tx.Get(f.element.key)
			n := 0
			if v.Data != nil {
				var err error
				if n, err = strconv.Atoi(string(v.Data)); err != nil {
					return nil, err
				}
			}
			count := strconv.AppendInt(nil, int64(n+1), 10)
			tx.Change(f.element.key, statestore.Set(count, 0))
			return count, nil
		})
		return answer, err
	}, func(result any, err error) {
		switch {
		case f.answered:
		case err == nil:
			n, err := strconv.Atoi(string(result.([]byte))) //nolint:forcetypeassert // of Apply
			if err != nil {
				s.job.w.fail("%v", err)
				return
			}
			f.answered, f.count = true, n
			s.emit()
		case CodeOf(err) == CodeStale:
			s.job.w.fail("element %d of subtask %d is waited for, and refused as a late copy", f.element.n, s.index)
		case s.again(err, "apply"):
			s.retry(func() { s.send(f) })
		}
	})
}

// emit gives what was answered to the sink: in the order in which it came in, or not.
func (s *subtask) emit() {
	for i := 0; i < len(s.flights); {
		f := s.flights[i]
		if !f.answered {
			if s.job.ordered {
				break
			}
			i++
			continue
		}
		s.flights = slices.Delete(s.flights, i, i+1)
		if !s.zombie {
			s.job.output = append(s.job.output, output{subtask: s.index, element: f.element, count: f.count})
		}
	}
	s.stir()
}

// barrier is what happens at a barrier: the mark, the operator's state, and the sink's.
func (s *subtask) barrier(id uint64, full bool) {
	s.epoch = id
	a := &ack{}
	mark := Mark{Epoch: id, Full: full}
	for _, f := range s.flights {
		a.flying = append(a.flying, f.element)
		if s.job.w.broken.markIsAnswered && f.answered {
			continue
		}
		mark.InFlight = append(mark.InFlight, statestore.InFlight{KeyGroup: f.element.keyGroup, ID: f.element.id()})
	}
	if s.job.w.broken.noInFlight {
		mark.InFlight = nil
	}
	if !s.zombie {
		for i := range s.job.output {
			if o := &s.job.output[i]; o.seal == 0 && o.subtask == s.index {
				o.seal = id
			}
		}
	}
	s.mark(mark, a)
}

func (s *subtask) mark(mark Mark, a *ack) {
	s.call(2*time.Second, func(ctx context.Context, m *Manager) (any, error) { return nil, m.Mark(ctx, s.token, mark) }, func(_ any, err error) {
		switch {
		case err == nil:
			s.durable(mark.Epoch, a)
		case s.declined(mark.Epoch, err):
		case s.again(err, "mark"):
			s.retry(func() { s.mark(mark, a) })
		}
	})
}

// declined: the checkpoint fails, and nothing else.
func (s *subtask) declined(id uint64, err error) bool {
	switch CodeOf(err) {
	case CodeLate, CodeNoSnapshot:
	default:
		return false
	}
	if !s.zombie {
		for _, c := range s.job.pending {
			if c.id == id {
				s.job.abort(c, err.Error())
				break
			}
		}
	}
	return true
}

func (s *subtask) durable(id uint64, a *ack) {
	s.call(10*time.Second, func(ctx context.Context, m *Manager) (any, error) { return m.Durable(ctx, s.token, id) }, func(result any, err error) {
		switch {
		case err == nil:
			a.reference = result.(segment.Reference) //nolint:forcetypeassert // of Durable
			if !s.zombie {
				s.job.acknowledge(s, id, a)
			}
		case s.declined(id, err):
		case s.again(err, "durable"):
			if slices.ContainsFunc(s.job.pending, func(c *checkpoint) bool { return c.id == id }) {
				s.retry(func() { s.durable(id, a) })
			}
		}
	})
}
