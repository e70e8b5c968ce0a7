package udf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Job is what a function can know of where it is opened. In the sidecar Name is empty and Parallelism 1.
type Job struct {
	Name        string
	Parameters  map[string]string // those that the function declares by [Parameter], as the job has them or by default
	Subtask     int               // of the operator, from 0
	Parallelism int
	Attempt     int // from 0; a restart of the subtask counts one up
}

// OpenOption limits the calls of an opened function.
type OpenOption func(*Instance)

// CallTimeout gives the context of each call a deadline that far from when it is first asked; 0 is none.
func CallTimeout(d time.Duration) OpenOption { return func(i *Instance) { i.timeout = d } }

// MaxResultBytes is the most that one call may return; 0 is no limit. A call that would return more fails.
func MaxResultBytes(n int64) OpenOption { return func(i *Instance) { i.maxResult = n } }

// Instance is an opened function. It is safe for concurrent use, its Callers are not.
type Instance struct {
	fn        *Function
	opened    *openedValue
	timeout   time.Duration
	maxResult int64

	broken atomic.Pointer[error] // why no more calls are made: closed, or a goroutine of Open failed
	life   *openContext
	close  sync.Once
}

// ErrClosed is the error of a call after [Instance.Close].
var ErrClosed = errors.New("the function is closed")

// Open makes the function ready to be called: what its [Open] option is given to do, if it has one. ctx bounds the
// opening only; what was opened lives until Close.
func (f *Function) Open(ctx context.Context, job Job, opts ...OpenOption) (*Instance, error) {
	i := &Instance{fn: f}
	for _, o := range opts {
		o(i)
	}
	if f.prepare != nil {
		f.prepare()
	}
	if f.opening == nil {
		return i, nil
	}
	job.Parameters = f.parameters(job.Parameters)
	i.life = newOpenContext(ctx, i)
	var value any
	err := guarded(func() (err error) {
		value, err = f.opening.open(i.life, job)
		return err
	})
	i.life.opening.Store(nil)
	if err != nil {
		i.life.end()
		return nil, fmt.Errorf("open %s: %w", f.desc.Name, err)
	}
	i.opened = &openedValue{value}
	return i, nil
}

// parameters are those that the function declares: Java passes no others, and what depends on one works nowhere else.
func (f *Function) parameters(given map[string]string) map[string]string {
	all := make(map[string]string, len(f.desc.Parameters))
	for _, p := range f.desc.Parameters {
		all[p.Name] = p.Default
		if value, ok := given[p.Name]; ok {
			all[p.Name] = value
		}
	}
	return all
}

// Function returns the function that was opened.
func (i *Instance) Function() *Function { return i.fn }

// Close ends what Open started and closes what it returned. The caller must have no calls in flight. Further calls of
// Close do nothing.
func (i *Instance) Close() (err error) {
	i.close.Do(func() {
		i.fail(ErrClosed)
		if i.life != nil {
			i.life.end()
		}
		if i.opened == nil {
			return
		}
		if closer, ok := i.opened.value.(io.Closer); ok {
			err = guarded(closer.Close)
		}
		if err != nil {
			err = fmt.Errorf("close %s: %w", i.fn.desc.Name, err)
		}
	})
	return err
}

func (i *Instance) fail(err error) { i.broken.CompareAndSwap(nil, &err) }

// err is why no call can be made, or nil.
func (i *Instance) err() error {
	if broken := i.broken.Load(); broken != nil {
		return *broken
	}
	return nil
}

// CallJSON calls the function with one JSON value and returns a JSON object. A result that is not a struct is answered
// as {"value": ...}, the rows of a table function as {"value": [...]}; an AGGREGATE cannot be called this way. The error
// is an [*InputError] if the event does not fit the arguments, else the function's own. A panic of the function passes
// through: whoever calls decides what it costs (package invoke). It is safe for concurrent use.
func (i *Instance) CallJSON(ctx context.Context, event []byte) ([]byte, error) {
	if err := i.err(); err != nil {
		return nil, err
	}
	if i.fn.callJSON == nil {
		return nil, fmt.Errorf("%s is an AGGREGATE, which is not called with one event: use it in SQL", i.fn.desc.Name)
	}
	call := &callContext{parent: ctx, instance: i, timeout: i.timeout}
	result, err := i.callJSON(call, event)
	if asked := call.asked.Load(); asked != nil {
		if err = asked.finish(err); err != nil {
			return nil, err
		}
	}
	return result, err
}

// callJSON ends the context if the function panics, so that its goroutines stop.
func (i *Instance) callJSON(call *callContext, event []byte) ([]byte, error) {
	returned := false
	defer func() {
		if asked := call.asked.Load(); !returned && asked != nil {
			asked.end(errCallEnded)
		}
	}()
	result, err := i.fn.callJSON(call, event)
	returned = true
	if err == nil && i.maxResult > 0 && int64(len(result)) > i.maxResult {
		return nil, &ResultError{Message: tooLarge(i.maxResult)}
	}
	return result, err
}

// openContext is the context of Open. While the function's open runs it ends with the context that Open was given;
// goroutines that it starts live until the function is closed.
type openContext struct {
	context.Context // lives until close
	instance        *Instance
	stop            context.CancelFunc
	opening         atomic.Pointer[context.Context]
	tasks           tasks
}

func newOpenContext(ctx context.Context, i *Instance) *openContext {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	o := &openContext{Context: life, instance: i, stop: stop}
	o.opening.Store(&ctx)
	return o
}

func (o *openContext) now() context.Context {
	if opening := o.opening.Load(); opening != nil {
		return *opening
	}
	return o.Context
}

// Deadline implements [context.Context].
func (o *openContext) Deadline() (time.Time, bool) { return o.now().Deadline() }

// Done implements [context.Context].
func (o *openContext) Done() <-chan struct{} { return o.now().Done() }

// Err implements [context.Context].
func (o *openContext) Err() error { return o.now().Err() }

// Value implements [context.Context].
func (o *openContext) Value(key any) any {
	if key == (ownerKey{}) {
		return taskOwner(o)
	}
	return o.now().Value(key)
}

// startTask runs fn until the function is closed. Its context is that of the life, whatever was made of Open's.
func (o *openContext) startTask(_ context.Context, fn func(ctx context.Context) error) func() error {
	failed := func(err error) {
		if o.Context.Err() == nil {
			o.instance.fail(fmt.Errorf("a goroutine of udf.Open ended: %w", err))
		}
	}
	return o.tasks.start(ownedContext{o.Context, o}, failed, fn)
}

func (o *openContext) end() {
	o.stop()
	_ = o.tasks.wait(nil) // what failed while the function was open failed its calls
}

// ownedContext lets a goroutine of Open start others.
type ownedContext struct {
	context.Context
	owner *openContext
}

// Value implements [context.Context].
func (c ownedContext) Value(key any) any {
	if key == (ownerKey{}) {
		return taskOwner(c.owner)
	}
	return c.Context.Value(key)
}
