package udf

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is what a panic becomes where somebody is there to be told.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var (
	errCallEnded = errors.New("the call has ended")
	errExit      = errors.New("the goroutine ended with runtime.Goexit")
)

// Go starts fn in a goroutine that belongs to the call whose context ctx is, or is made from. A panic in a goroutine that
// is started by a bare go statement ends the process: in the TaskManager all its jobs. Here it is an error of the call.
//
// The call does not end before fn has returned. If fn fails, its context and that of the call are cancelled, and the call
// fails with the error unless the function took it over: wait, which may be called at any time and by anyone, returns
// fn's error when fn has returned. A panic fails the call in any case.
//
// Given the context of [Open], the goroutine lives as long as what was opened: its context ends when the function is
// closed, and its error fails every call from then on. Given a context of neither, a unit test's say, fn runs guarded and
// only wait tells of its error.
func Go(ctx context.Context, fn func(ctx context.Context) error) (wait func() error) {
	owner, _ := ctx.Value(ownerKey{}).(taskOwner)
	if owner == nil {
		return (&tasks{}).start(ctx, func(error) {}, fn)
	}
	return owner.startTask(ctx, fn)
}

// taskOwner is what goroutines belong to: a call, or an opened function.
type taskOwner interface {
	startTask(ctx context.Context, fn func(ctx context.Context) error) (wait func() error)
}

func (c *callContext) startTask(ctx context.Context, fn func(ctx context.Context) error) func() error {
	a := c.ask()
	return a.tasks.start(ctx, a.end, fn)
}

// tasks are goroutines whose end somebody waits for.
type tasks struct {
	running sync.WaitGroup
	mu      sync.Mutex
	failed  []*task
}

type task struct {
	done  chan struct{}
	err   error
	taken bool // wait returned the error
}

func (t *tasks) start(ctx context.Context, failed func(error), fn func(ctx context.Context) error) func() error {
	one := &task{done: make(chan struct{}), err: errExit}
	t.running.Go(func() {
		defer func() {
			if value := recover(); value != nil {
				one.err = &PanicError{Value: value, Stack: debug.Stack()}
			}
			if one.err != nil {
				t.mu.Lock()
				t.failed = append(t.failed, one)
				t.mu.Unlock()
				failed(one.err)
			}
			close(one.done)
		}()
		debug.SetPanicOnFault(true) // of this goroutine; a wild pointer is a panic as well
		one.err = fn(ctx)
	})
	return func() error {
		<-one.done
		t.mu.Lock()
		defer t.mu.Unlock()
		one.taken = true
		return one.err
	}
}

// guarded calls fn; a panic becomes an error.
func guarded(fn func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return fn()
}

// wait waits for all goroutines. It returns err joined with what they failed with, as far as nobody took it over.
func (t *tasks) wait(err error) error {
	t.running.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.failed {
		var panicked *PanicError
		switch {
		case errors.As(one.err, &panicked):
			return one.err // before all else: it is a bug
		case !one.taken && err == nil:
			err = one.err
		}
	}
	return err
}
