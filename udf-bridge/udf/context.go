package udf

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"
)

// callContext is the context of one call after the other. Nothing of it is computed until somebody asks: a function that
// ignores its context pays nothing for it. One that was asked belongs to its call alone, ends with it and is never used
// again.
type callContext struct {
	parent   context.Context
	instance *Instance
	timeout  time.Duration // 0 = none but the parent's
	asked    atomic.Pointer[askedContext]
}

// askedContext is what a callContext becomes when it is asked.
type askedContext struct {
	context.Context
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // of the timer, nil if there is none
	tasks  tasks
}

// ask makes the context real. The deadline counts from here; the start of the call is not known, since looking at the
// clock costs more than a small function does.
func (c *callContext) ask() *askedContext {
	if a := c.asked.Load(); a != nil {
		return a
	}
	a := &askedContext{}
	ctx, cancel := context.WithCancelCause(c.parent)
	a.Context, a.cancel = ctx, cancel
	if c.timeout > 0 {
		a.Context, a.stop = context.WithTimeout(ctx, c.timeout)
	}
	if !c.asked.CompareAndSwap(nil, a) {
		a.end(nil)
		return c.asked.Load()
	}
	return a
}

func (a *askedContext) end(cause error) {
	a.cancel(cause)
	if a.stop != nil {
		a.stop()
	}
}

// Deadline implements [context.Context].
func (c *callContext) Deadline() (time.Time, bool) { return c.ask().Deadline() }

// Done implements [context.Context].
func (c *callContext) Done() <-chan struct{} { return c.ask().Done() }

// Err implements [context.Context].
func (c *callContext) Err() error { return c.ask().Err() }

type (
	openedKey struct{}
	ownerKey  struct{}
)

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	switch key {
	case openedKey{}:
		return c.instance.opened
	case ownerKey{}:
		return taskOwner(c)
	}
	if a := c.asked.Load(); a != nil {
		return a.Value(key) // package context finds its own parents this way
	}
	return c.parent.Value(key)
}

// finish ends the call: it waits for the goroutines that udf.Go started. It is only called if the context was asked.
func (a *askedContext) finish(err error) error {
	if err != nil {
		a.end(err)
	}
	err = a.tasks.wait(err)
	a.end(errCallEnded)
	return err
}

// resultLimit is the most bytes that the call of that context may return.
func resultLimit(ctx context.Context) int64 {
	if c, ok := ctx.(*callContext); ok {
		return c.instance.maxResult
	}
	return 0
}

// openedValue is what udf.Open returned, behind a pointer so that a context hands it over without allocating.
type openedValue struct{ value any }

// Opened returns what the function's [Open] returned. ctx is the one that the function was called with. It panics if the
// function has no Open that returns a T: that is a mistake in the program, not in its data.
func Opened[T any](ctx context.Context) T {
	opened, _ := ctx.Value(openedKey{}).(*openedValue)
	if opened == nil {
		panic(fmt.Sprintf("udf.Opened[%s]: nothing is opened; register the function with udf.Open, and call it with the context it was given (in a plain unit test: udf.WithOpened)", reflect.TypeFor[T]()))
	}
	value, ok := opened.value.(T)
	if !ok {
		panic(fmt.Sprintf("udf.Opened[%s]: the function's udf.Open returned %T", reflect.TypeFor[T](), opened.value))
	}
	return value
}

// WithOpened returns a context in which [Opened] returns value, for unit tests that call a function directly.
func WithOpened(ctx context.Context, value any) context.Context {
	return context.WithValue(ctx, openedKey{}, &openedValue{value})
}
