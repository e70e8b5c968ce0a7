// Package invoke calls one user function safely: a panic is the error of that call, never the end of the process; a
// function that only panics is quarantined; a call whose deadline has passed is answered though the function still runs.
package invoke

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Quarantine says when a function that panics is left alone, and for how long.
type Quarantine struct {
	After    int           `yaml:"after" doc:"panics of a function in a row, with no good call between them, after which it is quarantined; 0 = never"`
	Cooldown time.Duration `yaml:"cooldown" doc:"how long a quarantined function is left alone before one call is let through to try it"`
}

// DefaultQuarantine is five panics in a row, then 30 s.
func DefaultQuarantine() Quarantine { return Quarantine{After: 5, Cooldown: 30 * time.Second} }

// PanicError is what a panic of the function becomes, also one in a goroutine that it started by udf.Go.
type PanicError = udf.PanicError

// QuarantinedError says that the function was not called because it panicked too often in a row.
type QuarantinedError struct {
	Panics     int
	RetryAfter time.Duration
}

func (e *QuarantinedError) Error() string {
	return fmt.Sprintf("quarantined after %d panics in a row, tried again in %s; see its first_panic in /v1/status",
		e.Panics, e.RetryAfter.Round(time.Second))
}

// ErrExit is the error of a call whose function ended its goroutine (runtime.Goexit, or t.FailNow in a test).
var ErrExit = errors.New("the function ended its goroutine with runtime.Goexit")

// Stats are the counts of one function since the process started.
type Stats struct {
	Calls       int64  `json:"calls"`
	Errors      int64  `json:"errors"`
	Panics      int64  `json:"panics"`
	Running     int64  `json:"running"`
	Quarantined bool   `json:"quarantined"`
	FirstPanic  string `json:"first_panic,omitempty"`
}

// Guard calls one opened function. It is safe for concurrent use.
type Guard struct {
	fn       *udf.Instance
	limits   Quarantine
	onChange func(function string, quarantined bool)

	calls, errs, panics, running atomic.Int64
	inARow                       atomic.Int64 // panics since the last call that did not panic
	until                        atomic.Int64 // quarantined until this unix nanosecond; 0 = not quarantined
	firstPanic                   atomic.Pointer[string]
}

// New guards fn. onChange is called, from the goroutine of a call, when the function is quarantined or released; it may
// be nil.
func New(fn *udf.Instance, limits Quarantine, onChange func(function string, quarantined bool)) *Guard {
	if onChange == nil {
		onChange = func(string, bool) {}
	}
	return &Guard{fn: fn, limits: limits, onChange: onChange}
}

// Function returns the guarded function.
func (g *Guard) Function() *udf.Function { return g.fn.Function() }

// Stats returns the counts so far.
func (g *Guard) Stats() Stats {
	s := Stats{
		Calls: g.calls.Load(), Errors: g.errs.Load(), Panics: g.panics.Load(), Running: g.running.Load(),
		Quarantined: g.until.Load() != 0,
	}
	if first := g.firstPanic.Load(); first != nil {
		s.FirstPanic = *first
	}
	return s
}

type outcome struct {
	result []byte
	err    error
}

// Call runs the function on one JSON event and returns its result, or the context's error as soon as the context ends.
// In that case the function may still run and use the event; finished, which is called exactly once, says when it has
// really ended. Whoever limits concurrency must hold the place until then: Go cannot stop a function from outside.
func (g *Guard) Call(ctx context.Context, event []byte, finished func()) ([]byte, error) {
	if err := g.admit(); err != nil {
		finished()
		return nil, err
	}
	g.calls.Add(1)
	done := make(chan outcome, 1)
	go g.run(ctx, event, done, finished)
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		select {
		case o := <-done: // both were ready: an answer is worth more than a deadline
			return o.result, o.err
		default:
			g.errs.Add(1)
			return nil, ctx.Err()
		}
	}
}

func (g *Guard) run(ctx context.Context, event []byte, done chan<- outcome, finished func()) {
	g.running.Add(1)
	o := outcome{err: ErrExit}
	defer func() {
		var inGoroutine *PanicError
		if value := recover(); value != nil {
			o = outcome{err: g.panicked(&PanicError{Value: value, Stack: debug.Stack()})}
		} else if errors.As(o.err, &inGoroutine) {
			o = outcome{err: g.panicked(inGoroutine)}
		} else {
			g.survived()
		}
		if o.err != nil && ctx.Err() == nil {
			g.errs.Add(1)
		}
		g.running.Add(-1)
		finished()
		done <- o
	}()
	o.result, o.err = g.fn.CallJSON(ctx, event)
}

func (g *Guard) panicked(err *PanicError) error {
	g.panics.Add(1)
	first := fmt.Sprintf("%v\n%s", err.Value, err.Stack)
	g.firstPanic.CompareAndSwap(nil, &first)
	if n := g.inARow.Add(1); g.limits.After > 0 && n >= int64(g.limits.After) {
		if g.until.Swap(time.Now().Add(g.limits.Cooldown).UnixNano()) == 0 {
			g.onChange(g.Function().Describe().Name, true)
		}
	}
	return err
}

func (g *Guard) survived() {
	if g.inARow.Load() != 0 {
		g.inARow.Store(0)
	}
	if g.until.Load() != 0 && g.until.Swap(0) != 0 {
		g.onChange(g.Function().Describe().Name, false)
	}
}

// admit refuses calls of a quarantined function, but for one each time the cooldown has passed: moving the time forward
// by compare-and-swap is what makes it one.
func (g *Guard) admit() error {
	until := g.until.Load()
	if until == 0 {
		return nil
	}
	now := time.Now()
	if left := time.Unix(0, until).Sub(now); left > 0 {
		return &QuarantinedError{Panics: int(g.inARow.Load()), RetryAfter: left}
	}
	if g.until.CompareAndSwap(until, now.Add(g.limits.Cooldown).UnixNano()) {
		return nil
	}
	return &QuarantinedError{Panics: int(g.inARow.Load()), RetryAfter: g.limits.Cooldown}
}
