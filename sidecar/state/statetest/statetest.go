package statetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/envelope"
	"github.com/drey-flink/drey/sidecar/internal/evaluate"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/sidecar/internal/session"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/stateful"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Request is a record of Flink on its way to the function.
type Request struct {
	Key string
	// ID is the same for every copy of the request. Empty: a new one.
	ID    string
	Event string // JSON
	// Watermark that the operator had seen. The zero time: no other than before.
	Watermark time.Time
}

// Checkpoint is what Flink's checkpoint holds of the state, valid as long as the function that took it.
type Checkpoint struct {
	reference segment.Reference
	inFlight  []Request
}

// InFlight are the requests that were in flight, which Flink sends again after a restore.
func (c Checkpoint) InFlight() []Request { return c.inFlight }

// Function is a function that is called by one subtask. It is not safe for concurrent use.
type Function struct {
	t        testing.TB
	name     string
	register func(*udf.Registry)
	config   evaluate.Config
	job      map[string]string // its parameters

	store     *memory.Store
	sidecar   *sidecar // replaced by Restore
	epoch     uint64   // the last barrier that this attempt has seen
	barriers  uint64   // of all attempts: numbers of checkpoints do not come twice
	ids       int
	watermark int64
}

// Option says how the function is run.
type Option func(*Function)

// Parameter sets a parameter that functions declare by udf.Parameter.
func Parameter(name, value string) Option { return func(f *Function) { f.job[name] = value } }

// Deadline is what a call may take; the default is the sidecar's.
func Deadline(d time.Duration) Option { return func(f *Function) { f.config.Deadline = d } }

// Open registers what register does, opens its functions and a session, and closes all when the test ends. Calls go to the
// function of that name. Restore calls register again, as another process would.
func Open(t testing.TB, register func(*udf.Registry), name string, options ...Option) *Function {
	t.Helper()
	f := &Function{
		t: t, name: name, register: register, config: evaluate.DefaultConfig(), job: map[string]string{}, store: memory.New(), watermark: math.MinInt64,
	}
	for _, option := range options {
		option(f)
	}
	f.config.DefaultFunction = name
	f.open(false)
	t.Cleanup(func() { f.close() })
	return f
}

// keyGroups of the one subtask.
const keyGroups = 128

// sidecar is what one process holds: functions and sessions.
type sidecar struct {
	*stateful.Keeper

	service  *evaluate.Service
	sessions *session.Manager
	token    session.Token
	// tried is called after the function, and before what it did is committed. A nil error commits.
	tried func() error
	tries int
}

// Apply is where calls are counted and come to grief.
func (s *sidecar) Apply(ctx context.Context, c evaluate.StateCall) (evaluate.Applied, error) {
	call := c.Function
	tried := s.tried
	s.tried = nil // a call that is made meanwhile is another one
	c.Function = func(ctx context.Context) ([]byte, error) {
		result, err := call(ctx)
		s.tries++
		if tried == nil || err != nil {
			return result, err
		}
		once := tried
		tried = nil
		return result, once()
	}
	return s.Keeper.Apply(ctx, c)
}

func (f *Function) open(restored bool) {
	f.t.Helper()
	s := &sidecar{}
	f.sidecar = s
	functions := udf.NewRegistry()
	f.register(functions)
	var err error
	if s.service, err = evaluate.New(f.config, functions, f.job, unobserved{}); err != nil {
		f.t.Fatal(err)
	}
	if s.sessions, err = session.New(session.DefaultConfig(), f.store, slog.New(slog.DiscardHandler)); err != nil {
		f.t.Fatal(errors.Join(err, s.service.Close()))
	}
	s.Keeper = stateful.New(s.sessions, statestore.Limits{})
	s.service.KeepState(s)
	if s.token, err = s.sessions.Open(context.Background(), session.Spec{
		Job: "statetest", Operator: f.name, MaxParallelism: keyGroups, KeyGroups: statestore.Range{To: keyGroups - 1}, Restored: restored,
	}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *Function) close() {
	f.t.Helper()
	if f.sidecar.sessions == nil {
		return // it could not be opened
	}
	if err := errors.Join(f.sidecar.sessions.Shutdown(), f.sidecar.service.Close()); err != nil {
		f.t.Error(err)
	}
}

// Call sends a request and returns the answer, a JSON object as over HTTP: a result that is none stands under "value". An
// error fails the test.
func (f *Function) Call(r Request) string {
	f.t.Helper()
	return f.must(r, nil)
}

// Error sends a request and returns the error of the function, or of the state. An answer fails the test.
func (f *Function) Error(r Request) error {
	f.t.Helper()
	answer, err := f.send(r, nil)
	if err == nil {
		f.t.Fatalf("%s of key %q is answered: %s", f.name, r.Key, answer)
	}
	return err
}

// Overtaken sends a request, and does something between what the function does and its commit. If that changes what the
// function has read, by a Call for the same key, the function is called again: see [Function.Tries].
func (f *Function) Overtaken(r Request, by func()) string {
	f.t.Helper()
	return f.must(r, func() error { by(); return nil })
}

// Again sends a request whose first call is thrown away, as if another one had come first, and is made again.
func (f *Function) Again(r Request) string {
	f.t.Helper()
	return f.must(r, again)
}

func again() error { return statestore.ErrConflict }

// Tries is how often the function was called so far. A request that is answered from what is stored calls it not at all.
func (f *Function) Tries() int { return f.sidecar.tries }

func (f *Function) must(r Request, tried func() error) string {
	f.t.Helper()
	answer, err := f.send(r, tried)
	if err != nil {
		f.t.Fatalf("%s of key %q: %v", f.name, r.Key, err)
	}
	return answer
}

func (f *Function) send(r Request, tried func() error) (string, error) {
	f.t.Helper()
	if err := envelope.CheckEvent([]byte(r.Event), "event"); err != nil {
		f.t.Fatal(err)
	}
	if wrong := envelope.CheckID(r.ID); wrong != "" {
		f.t.Fatalf("id: %s", wrong)
	}
	if r.ID == "" {
		f.ids++
		r.ID = fmt.Sprintf("statetest-%d", f.ids)
	}
	if !r.Watermark.IsZero() {
		f.watermark = max(f.watermark, r.Watermark.UnixMilli())
	}
	f.sidecar.tried = tried
	answer, err := f.sidecar.service.Evaluate(context.Background(), evaluate.Request{ID: r.ID, Function: f.name, Event: []byte(r.Event), State: &evaluate.State{
		Session: f.sidecar.token.String(), Key: r.Key, KeyGroup: keyGroupOf(r.Key), Epoch: f.epoch, Watermark: f.watermark, LowWatermark: f.watermark,
	}})
	return string(answer.Result), err
}

func keyGroupOf(key string) uint16 {
	return statestore.KeyGroup(statestore.HashString(key), keyGroups)
}

// Checkpoint sends a barrier, waits for the snapshot, and returns what Flink would hold of it. Of the requests that were
// answered before, those that are named are in flight still: the checkpoint holds their answers, and after a restore they
// come again. Others are done: Flink does not send them again, and their ids are forgotten.
func (f *Function) Checkpoint(inFlight ...Request) Checkpoint {
	f.t.Helper()
	f.barriers++
	mark := session.Mark{Epoch: f.barriers}
	for _, r := range inFlight {
		if r.ID == "" {
			f.t.Fatalf("a request of key %q is in flight and has no id: give it one, so that it is known when it comes again", r.Key)
		}
		mark.InFlight = append(mark.InFlight, statestore.InFlight{KeyGroup: keyGroupOf(r.Key), ID: r.ID})
	}
	ctx := context.Background()
	if err := f.sidecar.sessions.Mark(ctx, f.sidecar.token, mark); err != nil {
		f.t.Fatalf("checkpoint %d: %v", f.barriers, err)
	}
	reference, err := f.sidecar.sessions.Durable(ctx, f.sidecar.token, f.barriers)
	if err != nil {
		f.t.Fatalf("checkpoint %d: %v", f.barriers, err)
	}
	f.epoch = f.barriers
	return Checkpoint{reference, inFlight}
}

// Restore restarts the job from a checkpoint that this function took, with another sidecar: functions are registered and
// opened anew, so that nothing but the state is left. What came after the checkpoint has never been. The watermark is gone as
// far as the operator is concerned; the state has that of the checkpoint.
func (f *Function) Restore(c Checkpoint) {
	f.t.Helper()
	tries := f.sidecar.tries
	f.close()
	f.open(true)
	f.sidecar.tries = tries
	if err := f.sidecar.sessions.Restore(context.Background(), f.sidecar.token, []segment.Reference{c.reference}); err != nil {
		f.t.Fatalf("restore: %v", err)
	}
	f.epoch, f.watermark = 0, math.MinInt64
}

type unobserved struct{}

func (unobserved) Evaluated(context.Context, string, problem.Code, time.Duration, bool) {}
func (unobserved) Shed(string)                                                          {}
func (unobserved) Panicked(string)                                                      {}
func (unobserved) Quarantined(string, bool)                                             {}
func (unobserved) InFlight(int)                                                         {}
