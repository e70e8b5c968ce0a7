package stateful_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/sidecar/internal/telemetry"
	"github.com/drey-flink/drey/sidecar/state"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// decided is a decision log in memory, which may refuse.
type decided struct {
	mu      sync.Mutex
	all     []decisions.Decision
	refuses bool
}

func (l *decided) Append(_ context.Context, d *decisions.Decision) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses {
		return errors.New("the disk is full")
	}
	d.Seq = uint64(len(l.all) + 1)
	l.all = append(l.all, *d)
	return nil
}

func (l *decided) Range(context.Context, decisions.Query) iter.Seq2[decisions.Entry, error] {
	return func(yield func(decisions.Entry, error) bool) {
		for i := range l.all {
			if !yield(decisions.Entry{Seq: l.all[i].Seq, Decision: &l.all[i]}, nil) {
				return
			}
		}
	}
}

func (l *decided) Last() (uint64, error) { return uint64(len(l.all)), nil }

// job is one subtask whose decisions are logged.
type job struct {
	t        *testing.T
	store    *memory.Store
	sessions *session.Manager
	service  *evaluate.Service
	token    session.Token
	epoch    uint64
	log      decided
}

const groups = 8

func newJob(t *testing.T, count func(context.Context, int64) (int64, error)) *job {
	t.Helper()
	j := &job{t: t, store: memory.New()}
	registry := udf.NewRegistry()
	udf.Scalar(registry, "count", count)
	metrics, err := telemetry.NewMetrics("test")
	j.must(err)
	config := evaluate.DefaultConfig()
	config.DefaultFunction = "count"
	j.service, err = evaluate.New(config, registry, nil, metrics)
	j.must(err)
	j.sessions, err = session.New(session.DefaultConfig(), j.store, slog.New(slog.DiscardHandler))
	j.must(err)
	t.Cleanup(func() { j.must(j.sessions.Shutdown()) })
	j.service.KeepState(stateful.New(j.sessions, statestore.Limits{}))
	j.service.KeepDecisions(&j.log, "build")
	j.open(nil)
	return j
}

func (j *job) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *job) open(references []segment.Reference) {
	j.t.Helper()
	var err error
	j.token, err = j.sessions.Open(j.t.Context(), session.Spec{
		Job: "j", Operator: "op", MaxParallelism: groups, KeyGroups: statestore.Range{To: groups - 1}, Restored: references != nil,
	})
	j.must(err)
	j.epoch = 0
	if references != nil {
		j.must(j.sessions.Restore(j.t.Context(), j.token, references))
	}
}

func (j *job) call(id string) error {
	_, err := j.service.Evaluate(j.t.Context(), evaluate.Request{ID: id, Event: []byte(`1`), State: &evaluate.State{
		Session: j.token.String(), Key: "k", KeyGroup: 3, Epoch: j.epoch, Watermark: math.MinInt64, LowWatermark: math.MinInt64,
	}})
	return err
}

func (j *job) checkpoint(epoch uint64, flying ...string) []segment.Reference {
	j.t.Helper()
	mark := session.Mark{Epoch: epoch}
	for _, id := range flying {
		mark.InFlight = append(mark.InFlight, statestore.InFlight{KeyGroup: 3, ID: id})
	}
	j.must(j.sessions.Mark(j.t.Context(), j.token, mark))
	ref, err := j.sessions.Durable(j.t.Context(), j.token, epoch)
	j.must(err)
	j.epoch = epoch
	return []segment.Reference{ref}
}

// audit decides again what came after a checkpoint: all of it, from the same state.
func (j *job) audit(epoch int64, references []segment.Reference, want int64) {
	j.t.Helper()
	a := &replay.Auditor{
		Job: "j", Checkpoint: epoch, Most: 10, Snapshots: j.store, Decisions: &j.log, Functions: j.service,
		Operators: []replay.OperatorState{{Operator: "op", MaxParallelism: groups, References: references}},
	}
	r, err := a.Run(j.t.Context())
	j.must(err)
	if r.Decisions != want || r.Same != want || r.Displaced != 0 {
		j.t.Errorf("the audit found %d decisions, %d the same, %d displaced; want %d", r.Decisions, r.Same, r.Displaced, want)
	}
}

func counting(ctx context.Context, by int64) (int64, error) {
	s, ok := state.From(ctx)
	if !ok {
		return 0, state.ErrNone
	}
	return state.Update(s, "n", func(n int64, _ bool) (int64, error) { return n + by, nil })
}

// A call that reads more values than a record names says how many more there were, also when it is answered again.
func TestReadsBeyondThoseThatAreNamed(t *testing.T) {
	j := newJob(t, func(ctx context.Context, _ int64) (int64, error) {
		s, _ := state.From(ctx)
		for i := range 70 {
			s.Get(fmt.Sprint("name ", i))
			s.Get(fmt.Sprint("name ", i))
		}
		return 1, nil
	})
	for range 2 {
		if err := j.call("id"); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range j.log.all {
		if len(d.State) != 64 || d.StateUnnamed != 6 {
			t.Errorf("replayed %t: %d reads are named, %d are not", d.Replayed, len(d.State), d.StateUnnamed)
		}
	}
}

// Two copies of a request run at the same time: one decision, and the answer to it a second time.
func TestCopiesAtOnce(t *testing.T) {
	var together sync.WaitGroup
	var calls atomic.Int64
	together.Add(2)
	j := newJob(t, func(ctx context.Context, by int64) (int64, error) {
		n, err := counting(ctx, by)
		s, _ := state.From(ctx)
		if s.ID() == "twice" && calls.Add(1) <= 2 {
			together.Done()
			together.Wait() // both have read before one of them commits
		}
		return n, err
	})
	before := j.checkpoint(1)
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			if err := j.call("twice"); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if err := j.call("next"); err != nil {
		t.Fatal(err)
	}
	originals := 0
	for _, d := range j.log.all {
		if d.ID != "twice" {
			continue
		}
		if !d.Replayed {
			originals++
		}
		if d.Version != 1 || d.Writes != 1 || len(d.State) != 1 {
			t.Errorf("%+v", d)
		}
	}
	if originals != 1 || len(j.log.all) != 3 {
		t.Errorf("%d of %d decisions are originals", originals, len(j.log.all))
	}
	j.audit(1, before, 2)
}

// A decision that the log refused when it was made is logged with the answer that is given again: with its place, and what it read.
func TestAnsweredAgainAfterTheLogFailed(t *testing.T) {
	j := newJob(t, counting)
	before := j.checkpoint(1)
	if err := j.call("first"); err != nil {
		t.Fatal(err)
	}
	j.log.refuses = true
	if err := j.call("second"); problem.From(err) == nil || problem.From(err).Code != problem.LogUnavailable {
		t.Fatalf("got %v", err)
	}
	j.log.refuses = false
	if err := j.call("third"); err != nil {
		t.Fatal(err)
	}
	if err := j.call("second"); err != nil {
		t.Fatal(err)
	}
	d := j.log.all[len(j.log.all)-1]
	if !d.Replayed || d.Version != 2 || d.Writes != 1 || d.Epoch != 1 || len(d.State) != 1 || d.State[0] != (decisions.StateRead{State: "n", Key: "k", Version: 1}) {
		t.Errorf("%+v", d)
	}
	j.audit(1, before, 3)

	// As well if the answer comes from a snapshot, under another session.
	j.log.refuses = true
	if err := j.call("fourth"); err == nil {
		t.Fatal("it is answered")
	}
	j.log.refuses = false
	j.open(j.checkpoint(2, "fourth"))
	for _, id := range []string{"fifth", "fourth"} {
		if err := j.call(id); err != nil {
			t.Fatal(err)
		}
	}
	j.audit(1, before, 5)
}
