package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

const (
	keyGroups = 8
	subtasks  = 2
	operator  = "op"
	theJob    = "0123456789abcdef0123456789abcdef"
)

// log is a decision log in memory.
type decisionLog []*decisions.Decision

func (l decisionLog) Range(_ context.Context, q decisions.Query) iter.Seq2[decisions.Entry, error] {
	return func(yield func(decisions.Entry, error) bool) {
		for _, d := range l {
			if (q.Job == "" || d.Job == q.Job) && (q.Function == "" || d.Function == q.Function) && !d.Time.Before(q.Since) && (q.Until.IsZero() || d.Time.Before(q.Until)) {
				if !yield(decisions.Entry{Seq: d.Seq, Decision: d}, nil) {
					return
				}
			}
		}
	}
}

func (l decisionLog) Last() (uint64, error) { return uint64(len(l)), nil }

// functions: "add" counts the calls of a key, "look" only reads. Both decide by the count.
type functions struct{ limit int64 }

func (f functions) Again(ctx context.Context, function string, event []byte) ([]byte, error) {
	scope, ok := statescope.From(ctx)
	if !ok {
		return json.Marshal(map[string]any{"decision": string(event), "limit": f.limit})
	}
	var n int64
	if text, ok := scope.Get("n"); ok {
		if err := json.Unmarshal(text, &n); err != nil {
			return nil, err
		}
	}
	switch function {
	case "add":
		n++
		text, err := json.Marshal(n)
		if err != nil {
			return nil, err
		}
		scope.Change("n", statestore.Set(text, 0))
	case "look":
	case "fail":
		return nil, problem.New(problem.FunctionError, "told to")
	default:
		return nil, problem.New(problem.UnknownFunction, "no function %s", function)
	}
	decision := "pass"
	if n > f.limit {
		decision = "stop"
	}
	return json.Marshal(map[string]any{"n": n, "decision": decision, "version": f.limit, "watermark": scope.Watermark})
}

// world is a job of two subtasks that decides, is marked, and goes back.
type world struct {
	t        *testing.T
	store    *memory.Store
	sessions *session.Manager
	tokens   []session.Token
	epoch    uint64
	log      decisionLog
	marks    []mark
	history  []*made // the decisions of the present timeline
	lost     []*made // that are not in the log: the next try to give the answer puts them there
	answers  map[string]*made
	marked   int // decisions of history that were there at the last mark
	losing   int // percent of decisions that are lost so
	random   *rand.Rand
	calls    int
	restored uint64
	then     functions
}

// mark is a checkpoint.
type mark struct {
	epoch uint64
	refs  []segment.Reference
	at    int     // in the timeline that it is of
	after []*made // what was decided after it, when the job went back behind it
	gone  bool    // it has
	flies []*made // what was answered and in flight
}

// made is a decision: seq is where it stands in the log.
type made struct {
	seq uint64
	*decisions.Decision
}

func seqs(all []*made) []uint64 {
	var out []uint64
	for _, m := range all {
		out = append(out, m.seq)
	}
	return out
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), then: functions{limit: 3}, answers: map[string]*made{}, random: rand.New(rand.NewPCG(1, 1))}
	var err error
	w.sessions, err = session.New(session.DefaultConfig(), w.store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.sessions.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	w.open(nil)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open begins the attempts of all subtasks.
func (w *world) open(refs []segment.Reference) {
	w.t.Helper()
	w.tokens = nil
	for i := range subtasks {
		token, err := w.sessions.Open(w.t.Context(), session.Spec{
			Job: theJob, Operator: operator, Subtask: i, MaxParallelism: keyGroups, KeyGroups: statestore.SubtaskRange(keyGroups, subtasks, i), Restored: refs != nil,
		})
		w.must(err)
		if refs != nil {
			w.must(w.sessions.Restore(w.t.Context(), token, refs))
		}
		w.tokens = append(w.tokens, token)
	}
	w.epoch = 0
}

// call decides about a key.
func (w *world) call(function string, key int) {
	w.t.Helper()
	w.calls++
	w.send(fmt.Sprint("call", w.calls), function, fmt.Sprint("key", key))
}

func (w *world) send(id, function, name string) {
	w.t.Helper()
	g := statestore.KeyGroup(statestore.HashString(name), keyGroups)
	token := w.tokens[int(g)*subtasks/keyGroups]
	d := &decisions.Decision{
		ID: id, Time: time.UnixMilli(int64(w.calls)), Job: theJob, Operator: operator,
		Epoch: max(w.epoch, w.restored), Restored: w.restored,
		Function: function, Build: "then", Session: token.String(), Key: name, KeyGroup: int(g), Input: []byte(`{}`), State: []decisions.StateRead{{State: "n", Key: name}},
	}
	var place statestore.Place
	// Subtasks are at different times.
	at := int64(w.calls+1) * int64(1+int(g)*subtasks/keyGroups*1000)
	result, repeated, err := w.sessions.Apply(w.t.Context(), token, session.Request{Watermark: at, Request: statestore.Request{KeyGroup: g, ID: d.ID, Epoch: w.epoch}},
		func(tx *statestore.Tx) ([]byte, error) {
			d.Watermark = tx.Watermark()
			tx.Placed(func(p statestore.Place) { place = p })
			scope := statescope.New(tx, statescope.Call{ID: d.ID, Key: name, Watermark: d.Watermark})
			defer scope.End()
			return w.then.Again(statescope.With(w.t.Context(), scope), function, d.Input)
		})
	var p *problem.Error
	if errors.As(err, &p) {
		d.ErrorCode, d.ErrorMessage = string(p.Code), p.Detail
		w.append(d)
		return
	}
	w.must(err)
	d.Result, d.Version, d.Writes = result, place.Version, place.Writes
	if repeated {
		m := w.answers[id]
		again := *m.Decision // as it is stored
		again.Session, again.Restored, again.Replayed = d.Session, d.Restored, true
		if seq := w.append(&again); m.seq == 0 {
			m.seq = seq
		}
		w.lost = slices.DeleteFunc(w.lost, func(o *made) bool { return o == m })
		return
	}
	m := &made{Decision: d}
	w.answers[id], w.history = m, append(w.history, m)
	if w.random.IntN(100) < w.losing {
		w.lost = append(w.lost, m)
		return
	}
	m.seq = w.append(d)
}

func (w *world) append(d *decisions.Decision) uint64 {
	d.Seq = uint64(len(w.log) + 1)
	w.log = append(w.log, d)
	return d.Seq
}

// retry sends again what was answered and is not in the log, and what else needs no second answer.
func (w *world) retry(but []*made) {
	for _, m := range slices.Clone(w.lost) {
		if !slices.Contains(but, m) {
			w.send(m.ID, m.Function, m.Key)
		}
	}
}

// checkpoint marks a barrier of both subtasks, and waits for the snapshots.
func (w *world) checkpoint() {
	w.t.Helper()
	w.epoch = 1
	if n := len(w.marks); n > 0 {
		w.epoch = w.marks[n-1].epoch + 1
	}
	m := mark{epoch: w.epoch, at: len(w.history)}
	m.flies = slices.Clone(w.lost)
	if n := len(w.history); n > w.marked && !slices.Contains(m.flies, w.history[n-1]) && w.random.IntN(3) == 0 {
		m.flies = append(m.flies, w.history[n-1])
	}
	for i, token := range w.tokens {
		sent := session.Mark{Epoch: w.epoch}
		for _, f := range m.flies {
			if f.KeyGroup*subtasks/keyGroups == i {
				sent.InFlight = append(sent.InFlight, statestore.InFlight{KeyGroup: uint16(f.KeyGroup), ID: f.ID})
			}
		}
		w.must(w.sessions.Mark(w.t.Context(), token, sent))
	}
	for _, token := range w.tokens {
		ref, err := w.sessions.Durable(w.t.Context(), token, w.epoch)
		w.must(err)
		m.refs = append(m.refs, ref)
	}
	w.marks, w.marked = append(w.marks, m), len(w.history)
}

// goBack restores a checkpoint, which must not lie in a timeline that was left. What came after it is sent again, as by Flink.
func (w *world) goBack(i int) {
	w.t.Helper()
	w.retry(w.marks[i].flies)
	at := w.marks[i].at
	for j := range w.marks {
		if m := &w.marks[j]; !m.gone && m.epoch > w.marks[i].epoch {
			m.gone, m.after = true, slices.Clone(w.history[m.at:])
		}
	}
	again := slices.Clone(w.history[at:])
	w.history, w.marked, w.restored = w.history[:at], at, w.marks[i].epoch
	w.open(w.marks[i].refs)
	for _, m := range append(slices.Clone(w.marks[i].flies), again...) {
		w.send(m.ID, m.Function, m.Key)
	}
}

func (w *world) audit(i int, now functions, change func(a *Auditor)) ([]uint64, map[string]map[string]int64, *Auditor, error) {
	w.t.Helper()
	a := &Auditor{
		Job: theJob, Checkpoint: int64(w.marks[i].epoch), Most: 1000, Build: "now", Snapshots: w.store, Decisions: w.log, Functions: now, Ignore: []string{"version"},
		Operators: []OperatorState{{Operator: operator, MaxParallelism: keyGroups, References: w.marks[i].refs}},
	}
	if change != nil {
		change(a)
	}
	r, err := a.Run(w.t.Context())
	if err != nil {
		return nil, nil, a, err
	}
	var different []uint64
	for _, d := range r.Differences {
		different = append(different, d.Seq)
	}
	if r.Displaced != 0 || r.Same+r.Different != r.Decisions || int(r.Different) != len(different) {
		w.t.Errorf("checkpoint %d: %+v", w.marks[i].epoch, r)
	}
	want := seqs(w.marks[i].after)
	if !w.marks[i].gone {
		want = seqs(w.history[w.marks[i].at:])
	}
	if int(r.Decisions) != len(want) {
		w.t.Errorf("checkpoint %d: %d were decided again, want %d", w.marks[i].epoch, r.Decisions, len(want))
	}
	// What the other function makes of the same counts.
	var changed []uint64
	for _, seq := range want {
		var result struct{ N int64 }
		w.must(json.Unmarshal(w.log[seq-1].Result, &result))
		if (result.N > now.limit) != (result.N > w.then.limit) {
			changed = append(changed, seq)
		}
	}
	slices.Sort(changed)
	if !slices.Equal(different, changed) {
		w.t.Errorf("checkpoint %d: %v differ, want %v", w.marks[i].epoch, different, changed)
	}
	return different, nil, a, nil
}

// Random histories: calls, checkpoints, and ways back to any checkpoint of the present timeline. From each of them, decided again by
// the same function nothing differs, by another one what must.
func TestAuditIsExact(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t)
			w.random, w.losing = random, int(seed%3)*10
			for range 150 {
				if random.IntN(3) == 0 {
					w.retry(nil)
				}
				switch n := random.IntN(20); {
				case n < 14:
					w.call("add", random.IntN(12))
				case n < 16:
					w.call("look", random.IntN(12))
				case n == 16:
					w.call("fail", random.IntN(12))
				case n < 19:
					w.checkpoint()
				default:
					var there []int
					for i, m := range w.marks {
						if !m.gone {
							there = append(there, i)
						}
					}
					if len(there) > 0 {
						w.goBack(there[random.IntN(len(there))])
					}
				}
			}
			w.retry(nil)
			for i := range w.marks {
				for _, now := range []functions{w.then, {limit: 1}} {
					if _, _, _, err := w.audit(i, now, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func TestAuditOfWhatCannotBeDecidedAgain(t *testing.T) {
	w := newWorld(t)
	w.call("add", 1)
	w.checkpoint()
	for range 5 {
		w.call("add", 1)
	}
	w.log[2].Masked, w.log[3].Omitted = decisions.InInput, decisions.InInput
	a := &Auditor{
		Job: theJob, Checkpoint: 1, Most: 2, Snapshots: w.store, Decisions: w.log, Functions: functions{limit: 3},
		Operators: []OperatorState{{Operator: operator, MaxParallelism: keyGroups, References: w.marks[0].refs}},
	}
	r, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Without the two that are skipped the counts are others, and the report says that the state was.
	if r.Decisions != 3 || r.Different != 2 || r.Displaced != 2 || len(r.Skipped) != 2 || len(r.Differences) != 2 {
		t.Errorf("%+v", r)
	}
	masked := *w.log[5]
	masked.Key, masked.Masked, w.log[5] = "***", decisions.InState, &masked
	w.log[4].Input = []byte("no JSON")
	if r, err = a.Run(t.Context()); err != nil || r.Decisions != 2 || len(r.Skipped) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("an input that is no JSON: %v", err)
	}
	w.log[4].Function = "gone"
	if _, err := a.Run(t.Context()); problem.From(err).Code != problem.UnknownFunction {
		t.Errorf("a function that is not there: %v", err)
	}
	a.Operators[0].References[0].SHA256 = "00"
	if _, err := a.Run(t.Context()); err == nil {
		t.Error("a snapshot with another hash was taken")
	}
}

// Calls without a session are cut by time.
func TestAuditWithoutState(t *testing.T) {
	var log decisionLog
	for i := range 10 {
		result, err := functions{limit: 3}.Again(t.Context(), "plain", []byte(`x`))
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, &decisions.Decision{ID: fmt.Sprint(i), Seq: uint64(i + 1), Time: time.UnixMilli(int64(i)), Function: "plain", Input: []byte(`x`), Result: result})
	}
	log[7].Replayed, log[7].ID = true, "5" // and is no decision of its own
	log[8].Replayed = true                 // the log has nothing else of it
	log[9].ID = "8"                        // but for this, which came late: they are one
	other := *log[6]
	other.ID, other.Job, other.Seq = "of another job", "another", 11
	log = append(log, &other)
	a := &Auditor{Job: theJob, Checkpoint: 1, Since: time.UnixMilli(4), Most: 10, Decisions: log, Functions: functions{limit: 3}}
	r, err := a.Run(t.Context())
	if err != nil || r.Decisions != 4 || r.Different != 0 || r.Guarantee != "at-least-once" {
		t.Errorf("%+v, %v", r, err)
	}
	a.Functions, a.Until = functions{limit: 4}, time.UnixMilli(6)
	if r, err = a.Run(t.Context()); err != nil || r.Decisions != 2 || r.Different != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAuditStopsWhenItIsTold(t *testing.T) {
	w := newWorld(t)
	w.checkpoint()
	for range 3000 {
		w.call("add", 1)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	a := &Auditor{
		Job: theJob, Checkpoint: 1, Most: 2, Snapshots: w.store, Decisions: w.log, Functions: functions{limit: 3},
		Operators: []OperatorState{{Operator: operator, MaxParallelism: keyGroups, References: w.marks[0].refs}},
		Progress:  func(p Progress) { cancel(errCancelled) },
	}
	if _, err := a.Run(ctx); !errors.Is(err, errCancelled) {
		t.Errorf("%v", err)
	}
}
