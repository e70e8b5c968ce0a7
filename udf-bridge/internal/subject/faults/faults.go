// Package faults is functions that go wrong, each in its own way, and a few that do not, for the tests of the bridge in a
// real JVM. Nothing here is an example.
package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Register adds the functions. All take and return BIGINT unless their names say otherwise.
func Register(r *udf.Registry) {
	// That go right.
	udf.Scalar(r, "plus_one", plusOne)
	udf.Scalar(r, "plus_one_or_null", plusOneOrNull)
	udf.Scalar(r, "upper", upper)
	udf.Scalar(r, "calls_so_far", callsSoFar, udf.Deterministic(false))
	udf.Scalar(r, "limits", limits, udf.Deterministic(false))
	udf.JSON(r, "process_json", processJSON)
	udf.Raw(r, "repeat", repeat)
	udf.Scalar(r, "greeting", greeting, udf.Open(openGreeting), udf.Parameter("greeting", "hello", "what is said"))

	// That panic.
	udf.Scalar(r, "nil_dereference", nilDereference)
	udf.Scalar(r, "index_out_of_range", indexOutOfRange)
	udf.Scalar(r, "division_by_zero", divisionByZero)
	udf.Scalar(r, "panic_with_value", panicWithValue)
	udf.Scalar(r, "wild_pointer", wildPointer)
	udf.Scalar(r, "panic_in_goroutine", panicInGoroutine)
	udf.Scalar(r, "wild_pointer_in_close", plusOne, udf.Open(func(context.Context, udf.Job) (wildCloser, error) { return wildCloser{}, nil }))
	udf.Scalar(r, "panic_in_open", plusOne, udf.Open(func(context.Context, udf.Job) (int, error) { panic("no model") }))

	// That return an error, or a result that is no SQL value.
	udf.Scalar(r, "wrapped_error", wrappedError)
	udf.Scalar(r, "joined_error", joinedError)
	udf.Scalar(r, "hostile_error", hostileError)
	udf.Scalar(r, "deadline", deadline)
	udf.Scalar(r, "invalid_utf8", invalidUTF8)
	udf.Scalar(r, "decimal_overflow", decimalOverflow)
	udf.Scalar(r, "error_in_open", plusOne, udf.Open(func(context.Context, udf.Job) (int, error) { return 0, errors.New("no such model") }))
	udf.Scalar(r, "error_in_close", plusOne, udf.Open(func(context.Context, udf.Job) (badCloser, error) { return badCloser{}, nil }))
	udf.Scalar(r, "waits_for_release", waitsForRelease)

	// That end the process, wherever they run.
	udf.Scalar(r, "panic_in_bare_goroutine", panicInBareGoroutine)
	udf.Scalar(r, "goexit", goexit)
	udf.Scalar(r, "stack_overflow", stackOverflow)
}

func plusOne(_ context.Context, n int64) (int64, error) { return n + 1, nil }

func plusOneOrNull(_ context.Context, n *int64) (*int64, error) {
	if n == nil {
		return nil, nil
	}
	next := *n + 1
	return &next, nil
}

func upper(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }

// calls lives as long as the Go runtime: who shares it shares the runtime.
var calls atomic.Int64

func callsSoFar(context.Context, int64) (int64, error) { return calls.Add(1), nil }

// limits says what this Go runtime is bound by: threads, bytes and the percentage of garbage.
func limits(context.Context, int64) (string, error) {
	gogc := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(gogc)
	return fmt.Sprintf("%d threads, %d bytes, %d percent", runtime.GOMAXPROCS(0), debug.SetMemoryLimit(-1), gogc[0].Value.Uint64()), nil
}

// processJSON echoes any JSON value.
func processJSON(_ context.Context, event any) (any, error) {
	if event == "panic" {
		panic("told to")
	}
	return event, nil
}

// repeat returns so many bytes as its input, a number as text, says.
func repeat(_ context.Context, size []byte) ([]byte, error) {
	var n int
	if _, err := fmt.Sscan(string(size), &n); err != nil {
		return nil, err
	}
	return []byte(strings.Repeat("x", n)), nil
}

// A greeter is what openGreeting opens; live counts those that are not closed.
type greeter struct{ text string }

var live atomic.Int64

func openGreeting(_ context.Context, job udf.Job) (*greeter, error) {
	live.Add(1)
	return &greeter{text: fmt.Sprintf("%s from %s %d/%d attempt %d", job.Parameters["greeting"], job.Name, job.Subtask, job.Parallelism, job.Attempt)}, nil
}

func (*greeter) Close() error {
	live.Add(-1)
	return nil
}

func greeting(ctx context.Context, name string) (string, error) {
	return fmt.Sprintf("%s, %s (%d live)", udf.Opened[*greeter](ctx).text, name, live.Load()), nil
}

func nilDereference(_ context.Context, n int64) (int64, error) {
	var account *struct{ balance int64 }
	if n < 0 {
		account = &struct{ balance int64 }{n}
	}
	return account.balance, nil
}

func indexOutOfRange(_ context.Context, n int64) (int64, error) { return []int64{1, 2, 3}[n], nil }

func divisionByZero(_ context.Context, n int64) (int64, error) { return 1 / n, nil }

// panicWithValue panics with 3 only, so that a batch tells which row it was.
func panicWithValue(_ context.Context, n int64) (int64, error) {
	if n == 3 {
		panic(struct{ Code int }{42})
	}
	return n, nil
}

// wildPointer reads what is nowhere: not nil, which the runtime expects, and not memory.
func wildPointer(_ context.Context, n int64) (int64, error) {
	address := uintptr(0xdead0000) + uintptr(n)
	return **(**int64)(unsafe.Pointer(&address)), nil
}

func panicInGoroutine(ctx context.Context, n int64) (int64, error) {
	wait := udf.Go(ctx, func(context.Context) error { panic("in a goroutine") })
	return n, wait()
}

func panicInBareGoroutine(_ context.Context, n int64) (int64, error) {
	go func() { panic("nobody can catch this") }()
	<-make(chan int)
	return n, nil
}

func goexit(context.Context, int64) (int64, error) {
	runtime.Goexit()
	return 0, nil
}

// stackOverflow does not end for any n above 0: Go's stack grows to 1 GB, and then the process ends.
func stackOverflow(ctx context.Context, n int64) (int64, error) {
	if n <= 0 {
		return 0, nil
	}
	next, err := stackOverflow(ctx, n+1)
	return next + n, err
}

func wrappedError(context.Context, int64) (int64, error) {
	_, err := os.Open("/nonexistent/model")
	return 0, fmt.Errorf("load model: %w", err)
}

func joinedError(context.Context, int64) (int64, error) {
	return 0, errors.Join(errors.New("first"), errors.New("second"))
}

// A hostile error panics when it is asked what it is.
type hostile struct{}

func (hostile) Error() string { panic("in Error") }

func (hostile) Unwrap() error { panic("in Unwrap") }

func hostileError(context.Context, int64) (int64, error) { return 0, hostile{} }

func deadline(ctx context.Context, _ int64) (int64, error) {
	<-ctx.Done()
	return 0, fmt.Errorf("ask the model: %w", ctx.Err())
}

// invalidUTF8 returns the bytes ff fe as a STRING.
func invalidUTF8(context.Context, int64) (string, error) { return "\xff\xfe", nil }

type price struct {
	Amount decimal.Decimal `udf:"amount,DECIMAL(5,2)"`
}

// decimalOverflow returns n as DECIMAL(5, 2), which ends at 999.99.
func decimalOverflow(_ context.Context, n int64) (price, error) {
	return price{Amount: decimal.NewFromInt(n)}, nil
}

type badCloser struct{}

func (badCloser) Close() error { return errors.New("cannot close") }

type wildCloser struct{}

func (wildCloser) Close() error {
	_, err := wildPointer(context.Background(), 16)
	return err
}

// release is sent to by waitsForRelease(0), and received from by any other: two threads in one function at once.
var release = make(chan struct{})

func waitsForRelease(ctx context.Context, n int64) (int64, error) {
	if n == 0 {
		release <- struct{}{}
		return n, nil
	}
	select {
	case <-release:
		return n, nil
	case <-time.After(time.Minute): // a test that fails must end
		return 0, ctx.Err()
	}
}
