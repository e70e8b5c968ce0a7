package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/replay/report"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// Decisions is the log that is decided again: see decisions.Reader.
type Decisions interface {
	Range(ctx context.Context, q decisions.Query) iter.Seq2[decisions.Entry, error]
	Last() (uint64, error)
}

// Functions are those that decide now.
type Functions interface {
	// Again calls one; its error is a *problem.Error or of the context.
	Again(ctx context.Context, function string, event []byte) ([]byte, error)
}

// OperatorState is the state of an operator at a checkpoint.
type OperatorState struct {
	Operator       string // uid
	MaxParallelism int
	References     []segment.Reference
}

// Auditor is what is decided again, and with what.
type Auditor struct {
	Job        string
	Checkpoint int64
	Since      time.Time // when the checkpoint was triggered: for decisions without state
	Function   string    // "" is all
	Until      time.Time // zero is no end
	Ignore     []string  // members of results that are not compared
	Most       int       // differences that are kept
	Build      string    // that decides now

	Operators []OperatorState
	Snapshots segment.Opener
	Decisions Decisions
	Functions Functions
	Progress  func(Progress) // may be nil
}

// Run decides again what was decided after the checkpoint. The log is read twice: once to find out what counts and in which order,
// once to decide. Key groups are spread over the processors; within each, decisions are made in the order of the first time, from
// the state of the checkpoint on.
func (a *Auditor) Run(ctx context.Context) (*report.Report, error) {
	workers, err := a.restore(ctx)
	if err != nil {
		return nil, err
	}
	t := &timeline{cut: map[group]cut{}, own: map[string]bool{}, epoch: uint64(a.Checkpoint), since: a.Since, groups: map[group]*line{}, job: a.Job, answered: map[uint64]bool{}, seed: maphash.MakeSeed()}
	for _, w := range workers {
		maps.Copy(t.cut, w.cut)
	}
	for _, c := range t.cut {
		t.own[c.session] = true
	}
	query := decisions.Query{Job: a.Job, Until: a.Until} // functions may share state: see again
	if len(a.Operators) == 0 {
		query.Job, query.Since, query.Function = "", a.Since, a.Function // callers that are no job name none
	}
	last, err := a.Decisions.Last()
	if err != nil {
		return nil, err
	}
	// What is decided from now on is not part of it, and would never end.
	if err := t.read(ctx, upTo(a.Decisions.Range(ctx, query), last)); err != nil {
		return nil, err
	}
	r := &report.Report{
		Job: a.Job, CheckpointID: a.Checkpoint, Made: time.Now().UTC(), Build: a.Build, Ignored: a.Ignore,
		Guarantee: string(statescope.Checkpointed),
	}
	if len(a.Operators) == 0 {
		r.Guarantee = string(statescope.AtLeastOnce)
	}
	builder := report.NewBuilder(r, a.Most, t.from, t.to)
	if err := a.decide(ctx, t, workers, upTo(a.Decisions.Range(ctx, query), last), builder); err != nil {
		return nil, err
	}
	if t.failed > 0 {
		r.Skipped["a call with state that ended with an error: its place is not known"] = t.failed
	}
	if t.left > 0 {
		r.Skipped["the job had gone back behind the checkpoint: audit it from an older one"] = t.left
	}
	return r, nil
}

func upTo(entries iter.Seq2[decisions.Entry, error], last uint64) iter.Seq2[decisions.Entry, error] {
	return func(yield func(decisions.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Seq > last || !yield(e, err) {
				return
			}
		}
	}
}

// restore loads the state of the operators, each cut into ranges of key groups, one for a worker.
func (a *Auditor) restore(ctx context.Context) ([]*worker, error) {
	n := max(1, runtime.GOMAXPROCS(0))
	workers := make([]*worker, n)
	for i := range workers {
		workers[i] = &worker{audit: a, parts: map[group]*statestore.Partitions{}, cut: map[group]cut{}, queue: make(chan job, 256), lines: map[group]*queue{}}
	}
	restores, ctx := errgroup.WithContext(ctx)
	for _, o := range a.Operators {
		manifests, err := a.manifests(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("state of %s at checkpoint %d: %w", o.Operator, a.Checkpoint, err)
		}
		for i, w := range workers {
			restores.Go(func() error {
				for _, m := range manifests {
					if err := w.restore(ctx, o, m, n, i); err != nil {
						return fmt.Errorf("state of %s at checkpoint %d: %w", o.Operator, a.Checkpoint, err)
					}
				}
				return nil
			})
		}
	}
	return workers, restores.Wait()
}

// manifest is the state of one subtask at the checkpoint, and the session that wrote it, which is part of its key.
type manifest struct {
	keyGroups statestore.Range
	session   string
}

func (a *Auditor) manifests(ctx context.Context, o OperatorState) (all []manifest, err error) {
	for _, ref := range o.References {
		m, err := segment.GetManifest(ctx, a.Snapshots, ref)
		if err != nil {
			return nil, err
		}
		all = append(all, manifest{m.KeyGroups, path.Base(path.Dir(ref.Key))})
	}
	return all, nil
}

// job is a decision for a worker: at says which one it is of its key group, -1 of one without a session.
type job struct {
	decision *decisions.Decision
	at       int
}

// worker decides what is of its key groups.
type worker struct {
	audit *Auditor
	mu    sync.Mutex // while it is restored
	parts map[group]*statestore.Partitions
	cut   map[group]cut
	queue chan job
	lines map[group]*queue
	tx    statestore.Tx
}

// queue brings the decisions of a key group into their order.
type queue struct {
	next    int
	waiting map[int]*decisions.Decision
}

// restore loads a worker's part of the state of one subtask. Each subtask has a state of its own, since it has its own watermark.
func (w *worker) restore(ctx context.Context, o OperatorState, m manifest, workers, i int) error {
	first, groups := int(m.keyGroups.From), m.keyGroups.Len()
	from, to := first+groups*i/workers, first+groups*(i+1)/workers-1
	if from > to {
		return nil
	}
	restored, err := segment.Restore(ctx, w.audit.Snapshots, o.References, segment.Want{
		Operator: o.Operator, MaxParallelism: o.MaxParallelism, KeyGroups: statestore.Range{From: uint16(from), To: uint16(to)}, Parallel: 2,
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for g := from; g <= to; g++ {
		version, err := restored.Partitions.Version(uint16(g))
		if err != nil {
			return err
		}
		at := group{o.Operator, g}
		w.parts[at], w.cut[at] = restored.Partitions, cut{version, m.session}
	}
	return nil
}

// spot is which decision of its key group one is.
type spot struct {
	seq   uint64
	group group
	at    int
}

// decide reads the log again and gives the workers what counts.
func (a *Auditor) decide(ctx context.Context, t *timeline, workers []*worker, entries iter.Seq2[decisions.Entry, error], builder *report.Builder) error {
	var spots []spot
	for g, l := range t.groups {
		for i := range l.places {
			spots = append(spots, spot{l.places[i].seq, g, i})
		}
	}
	for _, p := range t.plain {
		spots = append(spots, spot{seq: p.seq, at: -1})
	}
	slices.SortFunc(spots, func(a, b spot) int { return int(int64(a.seq) - int64(b.seq)) })
	owner := map[group]*worker{}
	for _, w := range workers {
		for g := range w.cut {
			owner[g] = w
		}
	}
	total := int64(len(spots))
	deciding, ctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		deciding.Go(func() error { return w.run(ctx, builder) })
	}
	deciding.Go(func() error {
		defer func() {
			for _, w := range workers {
				close(w.queue)
			}
		}()
		var done int64
		for e, err := range entries {
			if err != nil {
				return err
			}
			if int(done) == len(spots) || e.Seq != spots[done].seq {
				continue
			}
			s := spots[done]
			done++
			w := owner[s.group]
			if s.at < 0 {
				w = workers[int(done)%len(workers)]
			}
			if done%1024 == 0 {
				a.progress(done, total)
			}
			select {
			case w.queue <- job{e.Decision, s.at}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if int(done) < len(spots) {
			return problem.New(problem.Conflict, "the decision log has lost decisions while it was read: raise decisions.max_bytes or decisions.max_age, and start again")
		}
		return nil
	})
	if err := deciding.Wait(); err != nil {
		return err
	}
	a.progress(total, total)
	return nil
}

func (a *Auditor) progress(done, total int64) {
	if a.Progress != nil {
		a.Progress(Progress{Done: done, Total: total, Unit: "decisions"})
	}
}

// longestWait is how many decisions of a key group may stand before one that changed it earlier: they are as far apart as calls that
// ran at the same time.
const longestWait = 1 << 16

func (w *worker) run(ctx context.Context, builder *report.Builder) error {
	for j := range w.queue {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if j.at < 0 {
			if err := w.again(ctx, j.decision, nil, builder); err != nil {
				return err
			}
			continue
		}
		g := group{j.decision.Operator, j.decision.KeyGroup}
		q := w.lines[g]
		if q == nil {
			q = &queue{waiting: map[int]*decisions.Decision{}}
			w.lines[g] = q
		}
		if j.at != q.next {
			if len(q.waiting) == longestWait {
				return problem.New(problem.Conflict, "the decision log is out of order by more than %d decisions of key group %d of %s", longestWait, g.keyGroup, g.operator)
			}
			q.waiting[j.at] = j.decision
			continue
		}
		for d := j.decision; d != nil; d = q.waiting[q.next] {
			delete(q.waiting, q.next)
			q.next++
			if err := w.again(ctx, d, w.parts[g], builder); err != nil {
				return err
			}
		}
	}
	return nil
}

// again decides one again.
func (w *worker) again(ctx context.Context, d *decisions.Decision, parts *statestore.Partitions, builder *report.Builder) error {
	switch {
	case d.Masked&decisions.InInput != 0:
		builder.Skip("the input is masked")
		return nil
	case d.Omitted&decisions.InInput != 0:
		builder.Skip("the input was too long to be kept")
		return nil
	case d.KeyMasked():
		builder.Skip("the key is masked")
		return nil
	case d.Session == "" && d.Key != "":
		builder.Skip("state without a session is not kept")
		return nil
	}
	result, version, err := w.call(ctx, d, parts)
	now := report.Decided{Result: result}
	if err != nil {
		var p *problem.Error
		if !errors.As(err, &p) {
			return err
		}
		if p.Code == problem.UnknownFunction {
			return problem.New(problem.UnknownFunction, "%s; it decided %s: start the sidecar with the functions of that time, or say --function", p.Detail, d.ID)
		}
		if p.Code == problem.DeadlineExceeded {
			builder.Skip("the function did not answer in time now")
			return nil
		}
		now = report.Decided{Error: p.Detail, Outcome: string(p.Code)}
	}
	if w.audit.Function != "" && d.Function != w.audit.Function {
		return nil // it was called for what it does to the state
	}
	code := now.Outcome
	now.Outcome = report.Outcome(now.Result, code)
	now.Rules = (&decisions.Decision{Result: result}).RulesVersion()
	found := &report.Difference{
		Seq: d.Seq, ID: d.ID, Time: d.Time, Function: d.Function, Operator: d.Operator, Key: d.Key, Version: d.Version, Build: d.Build,
		Then: report.Decided{Result: d.Result, Error: d.ErrorMessage, Outcome: report.Outcome(d.Result, d.ErrorCode), Rules: d.RulesVersion()},
		Now:  now,
	}
	same := code == d.ErrorCode && report.Same(d.Result, result, w.audit.Ignore)
	if !same {
		found.Input, found.Then.Result, found.Now.Result = value(d.Input), value(d.Result), value(result)
		found.Then.Reasons, found.Now.Reasons = d.Reasons(), (&decisions.Decision{Result: result}).Reasons()
	}
	builder.Add(found, same, version != d.Version && d.Version != 0)
	return nil
}

// value is JSON, also of what is none.
func value(b []byte) jsontext.Value {
	if v := jsontext.Value(b); len(b) == 0 || v.IsValid() {
		return v
	}
	quoted, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(string(b), "\uFFFD")) // which is valid now
	return quoted
}

// call calls the function, with the state that it had the first time if there was one.
func (w *worker) call(ctx context.Context, d *decisions.Decision, parts *statestore.Partitions) (result []byte, version uint64, err error) {
	if parts == nil {
		result, err = w.audit.Functions.Again(ctx, d.Function, d.Input)
		return result, 0, err
	}
	watermark := statescope.NoWatermark
	if d.Watermark != 0 {
		watermark = d.Watermark
	}
	// At its own event time, as the first time: the one before it may have been of a later one.
	if err := parts.BeginAt(uint16(d.KeyGroup), &w.tx, watermark); err != nil {
		return nil, 0, err
	}
	scope := statescope.New(&w.tx, statescope.Call{ID: d.ID, Key: d.Key, Watermark: watermark, Guarantee: statescope.Checkpointed})
	defer scope.End()
	if result, err = w.audit.Functions.Again(statescope.With(ctx, scope), d.Function, d.Input); err != nil {
		return nil, 0, err
	}
	if _, _, err := w.tx.Commit(statestore.Request{KeyGroup: uint16(d.KeyGroup)}, nil, nil); err != nil {
		return nil, 0, err
	}
	return result, w.tx.Place().Version, nil
}
