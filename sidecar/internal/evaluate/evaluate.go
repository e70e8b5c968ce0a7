// Package evaluate is the domain service behind every transport: a call is admitted, recognised if it was answered
// before, and its function invoked. It knows nothing of HTTP or gRPC; what went wrong is a *problem.Error.
package evaluate

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/admission"
	"github.com/drey-flink/drey/sidecar/internal/idempotency"
	"github.com/drey-flink/drey/sidecar/internal/problem"
	"github.com/drey-flink/drey/udf-bridge/invoke"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Request asks for one decision.
type Request struct {
	ID       string // idempotency key; empty = a new one is made
	Function string // empty = the default function
	// Event is one valid JSON value. The service owns it from the call on: after a deadline the function may still
	// read it, so the caller must not use its memory again.
	Event  []byte
	Origin Origin // for the decision log
	State  *State // the function gets state; nil: it gets none
}

// Answer is a decision.
type Answer struct {
	ID       string
	Function string
	Result   []byte // a JSON object; shared, must not be changed
	Time     time.Time
	Replayed bool // answered from memory
	State    *StateAnswer
}

// Outcome is the answer to one item of a batch, or what went wrong with it.
type Outcome struct {
	Answer Answer
	Err    *problem.Error
}

// Observer is told what happens. Its methods are called on the hot path and must neither block nor keep anything.
type Observer interface {
	// Evaluated is called once a call; code is "" if it was answered.
	Evaluated(ctx context.Context, function string, code problem.Code, d time.Duration, replayed bool)
	// Shed is called for each call that found no place.
	Shed(reason string)
	Panicked(function string)
	Quarantined(function string, on bool)
	// InFlight tells the change in the number of running calls.
	InFlight(delta int)
}

// Service answers calls. It is safe for concurrent use.
type Service struct {
	cfg       Config
	functions *udf.Registry
	opened    []*udf.Instance
	guards    map[string]*invoke.Guard
	again     map[string]*invoke.Guard // see Again
	limiter   *admission.Limiter
	answers   *idempotency.Store[Answer]
	obs       Observer
	draining  atomic.Bool
	shed      atomic.Int64
	replayed  atomic.Int64
	decisions DecisionLog // nil: nothing is kept
	states    States      // nil: state is off
	build     string
}

// New returns a service for the registered functions. It opens each of them, with the parameters that they declare by
// udf.Parameter; Close closes them.
func New(cfg Config, functions *udf.Registry, parameters map[string]string, obs Observer) (_ *Service, err error) {
	if err := functions.Err(); err != nil {
		return nil, fmt.Errorf("registered functions: %w", err)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, functions: functions, guards: map[string]*invoke.Guard{}, again: map[string]*invoke.Guard{}, limiter: admission.New(cfg.Admission),
		answers: idempotency.New(cfg.Idempotency, sizeOf), obs: obs,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.open(parameters); err != nil {
		return nil, err
	}
	if _, ok := s.guards[cfg.DefaultFunction]; cfg.DefaultFunction != "" && !ok {
		return nil, fmt.Errorf("default_function: %w", s.unknown(cfg.DefaultFunction))
	}
	for name := range cfg.FunctionDeadlines {
		if _, ok := s.guards[name]; !ok {
			return nil, fmt.Errorf("function_deadlines: %w", s.unknown(name))
		}
	}
	return s, nil
}

// open opens all functions. A parameter that none of them declares is a mistake in the configuration.
func (s *Service) open(parameters map[string]string) error {
	declared := map[string]bool{}
	for _, f := range s.functions.Functions() {
		for _, p := range f.Describe().Parameters {
			declared[p.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if !declared[name] {
			return fmt.Errorf("functions.parameters.%s: no function declares a parameter of that name; there are: %s", name,
				cmp.Or(strings.Join(slices.Sorted(maps.Keys(declared)), ", "), "none"))
		}
	}
	for _, f := range s.functions.Functions() {
		instance, err := f.Open(context.Background(), udf.Job{Parameters: parameters, Parallelism: 1})
		if err != nil {
			return err
		}
		s.opened = append(s.opened, instance)
		s.guards[f.Describe().Name] = invoke.New(instance, s.cfg.Quarantine, s.obs.Quarantined)
		s.again[f.Describe().Name] = invoke.New(instance, invoke.Quarantine{}, nil)
	}
	return nil
}

// Close closes what the functions opened, the last one first. Calls that come later fail; those that still run, though
// their deadline has passed, are the function's own affair.
func (s *Service) Close() error {
	var errs []error
	for _, instance := range slices.Backward(s.opened) {
		errs = append(errs, instance.Close())
	}
	return errors.Join(errs...)
}

func sizeOf(o idempotency.Outcome[Answer]) int64 {
	n := len(o.Answer.Result)
	if o.Err != nil {
		n += len(o.Err.Error())
	}
	return int64(n)
}

var errDraining = &problem.Error{
	Code: problem.Draining, Detail: "call again: another instance will answer", RetryAfter: time.Second,
}

// Evaluate answers one call. The error is a *problem.Error that carries the decision's id.
func (s *Service) Evaluate(ctx context.Context, req Request) (Answer, error) {
	return s.answer(ctx, req, s.draining.Load())
}

func (s *Service) answer(ctx context.Context, req Request, draining bool) (Answer, error) {
	start := time.Now()
	repeatable := req.ID != ""
	if !repeatable {
		req.ID = newID(start)
	}
	if req.Function == "" {
		req.Function = s.cfg.DefaultFunction
	}
	if req.State != nil && req.State.Session != "" && s.states != nil {
		req.Origin = s.states.Origin(req.State)
	}
	answer, err := Answer{}, error(errDraining)
	if !draining {
		answer, err = s.evaluate(ctx, req, repeatable)
		if s.decisions != nil {
			if unkept := s.keep(ctx, start, &req, &answer, err); unkept != nil {
				err = unkept
			}
		}
	}
	if err != nil {
		p := *problem.From(err) // a copy: a remembered error is shared between calls
		p.DecisionID = req.ID
		name := req.Function
		if _, known := s.guards[name]; !known {
			name = "" // never a metric label that a caller can make up
		}
		s.obs.Evaluated(ctx, name, p.Code, time.Since(start), false)
		return Answer{}, &p
	}
	s.obs.Evaluated(ctx, req.Function, "", time.Since(start), answer.Replayed)
	return answer, nil
}

func (s *Service) evaluate(ctx context.Context, req Request, repeatable bool) (Answer, error) {
	guard, ok := s.guards[req.Function]
	if !ok {
		return Answer{}, s.unknown(req.Function)
	}
	switch {
	case req.State == nil:
	case s.states == nil:
		return Answer{}, problem.New(problem.InvalidRequest, "state: this sidecar keeps none; set state.enabled (--state-enabled)")
	case req.State.Session != "" && !repeatable:
		return Answer{}, problem.New(problem.InvalidRequest, "id: is missing: without it a request of a session that is sent again would count twice")
	case req.State.Session != "":
		return s.admitAndCall(ctx, guard, req) // what is known of the id is part of the session's state
	}
	if !repeatable || s.cfg.Idempotency.MaxEntries == 0 {
		return s.admitAndCall(ctx, guard, req)
	}
	of := req.Function
	if req.State != nil {
		of += "\x00" + req.State.Key
	}
	print, err := idempotency.FingerprintOf(of, req.Event)
	if err != nil {
		return Answer{}, problem.New(problem.InvalidEvent, "%v", err)
	}
	o, replayed, err := s.answers.Do(ctx, req.ID, print, func() (idempotency.Outcome[Answer], bool) {
		answer, err := s.admitAndCall(ctx, guard, req)
		// What a retry could turn out better is not remembered.
		return idempotency.Outcome[Answer]{Answer: answer, Err: err}, err == nil || problem.From(err).Code == problem.FunctionError
	})
	switch {
	case errors.Is(err, idempotency.ErrReused):
		return Answer{}, problem.New(problem.IDReused,
			"id %q was answered for another event or function; give each event its own id", clip(req.ID))
	case err != nil:
		return Answer{}, err
	case o.Err != nil:
		return Answer{}, o.Err
	}
	o.Answer.Replayed = replayed
	if replayed {
		s.replayed.Add(1)
	}
	return o.Answer, nil
}

func (s *Service) admitAndCall(ctx context.Context, guard *invoke.Guard, req Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.deadline(req.Function))
	defer cancel()
	if err := s.limiter.Acquire(ctx); err != nil {
		var refused *admission.Refused
		if errors.As(err, &refused) {
			s.shed.Add(1)
			s.obs.Shed(refused.Reason)
			return Answer{}, &problem.Error{
				Code: problem.Overloaded, RetryAfter: refused.RetryAfter,
				Detail: fmt.Sprintf("%d calls run and %d wait", s.limiter.InFlight(), s.limiter.Waiting()),
			}
		}
		return Answer{}, err
	}
	s.obs.InFlight(1)
	if req.State != nil {
		return s.apply(ctx, guard, &req)
	}
	// The place is held until the function has really ended, even if its deadline passes first: functions that hang
	// fill the places and the sidecar sheds load, instead of piling up goroutines without bound.
	result, err := guard.Call(ctx, req.Event, func() {
		s.obs.InFlight(-1)
		s.limiter.Release()
	})
	if err != nil {
		return Answer{}, s.explain(req.Function, err)
	}
	return Answer{ID: req.ID, Function: req.Function, Result: result, Time: time.Now()}, nil
}

func (s *Service) deadline(function string) time.Duration {
	if d, ok := s.cfg.FunctionDeadlines[function]; ok {
		return d
	}
	return s.cfg.Deadline
}

// explain turns what a call came to into what the caller is told.
func (s *Service) explain(function string, err error) error {
	var (
		input       *udf.InputError
		panicked    *invoke.PanicError
		quarantined *invoke.QuarantinedError
	)
	switch {
	case errors.As(err, &input):
		violations := make([]problem.Violation, len(input.Violations))
		for i, v := range input.Violations {
			violations[i] = problem.Violation(v)
		}
		return &problem.Error{Code: problem.InvalidEvent, Detail: function + ": " + err.Error(), Violations: violations}
	case errors.As(err, &panicked):
		s.obs.Panicked(function)
		return &problem.Error{Code: problem.FunctionPanic, Detail: fmt.Sprintf("%s: %s; the stack is in the log and in /v1/status", function, clip(err.Error())), Err: err}
	case errors.As(err, &quarantined):
		return &problem.Error{Code: problem.FunctionQuarantined, Detail: function + ": " + err.Error(), RetryAfter: quarantined.RetryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem.Error{Code: problem.DeadlineExceeded, Detail: fmt.Sprintf("%s did not answer within %s", function, s.deadline(function)), Err: err}
	case errors.Is(err, context.Canceled):
		return err
	default:
		return &problem.Error{Code: problem.FunctionError, Detail: function + ": " + err.Error(), Err: err}
	}
}

func (s *Service) unknown(name string) *problem.Error {
	detail := fmt.Sprintf("no function %q; GET /v1/functions lists them", clip(name))
	if near := s.functions.Nearest(name); len(near) > 0 {
		detail = fmt.Sprintf("no function %q; did you mean %s? GET /v1/functions lists them", clip(name), strings.Join(near, ", "))
	}
	return &problem.Error{Code: problem.UnknownFunction, Detail: detail}
}

// EvaluateBatch answers each request on its own, in order. The error concerns the batch as a whole.
func (s *Service) EvaluateBatch(ctx context.Context, reqs []Request) ([]Outcome, error) {
	if len(reqs) > s.cfg.Batch.MaxItems {
		return nil, problem.New(problem.BatchTooLarge, "%d items, the limit is %d (evaluate.batch.max_items): split the batch", len(reqs), s.cfg.Batch.MaxItems)
	}
	if s.draining.Load() {
		return nil, errDraining
	}
	outcomes := make([]Outcome, len(reqs))
	var items errgroup.Group
	items.SetLimit(s.cfg.Batch.Parallelism)
	for i, req := range reqs {
		items.Go(func() error {
			answer, err := s.answer(ctx, req, false) // a batch that was accepted is finished
			outcomes[i] = Outcome{Answer: answer, Err: problem.From(err)}
			return nil
		})
	}
	return outcomes, items.Wait()
}

// Drain refuses new calls and batches from now on; those in flight are finished.
func (s *Service) Drain() { s.draining.Store(true) }

// newID makes a ULID. Its random part need not be cryptographic, nor the ids of one millisecond in order.
func newID(now time.Time) string {
	var id ulid.ULID
	_ = id.SetTime(ulid.Timestamp(now)) // fails after the year 10889
	binary.BigEndian.PutUint16(id[6:8], uint16(rand.Uint32()))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return id.String()
}

func clip(text string) string {
	const longest = 200
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}
