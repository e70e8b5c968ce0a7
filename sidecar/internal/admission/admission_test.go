package admission_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/admission"
)

func refusal(t *testing.T, err error) string {
	t.Helper()
	var r *admission.Refused
	if !errors.As(err, &r) {
		t.Fatalf("want a refusal, got %v", err)
	}
	if r.RetryAfter <= 0 {
		t.Error("a refusal must say when to come back")
	}
	return r.Reason
}

func TestQueueThenRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		l := admission.New(admission.Config{MaxInFlight: 2, Queue: 1, QueueWait: time.Second})
		for range 2 {
			if err := l.Acquire(ctx); err != nil {
				t.Fatal(err)
			}
		}
		waited := make(chan error)
		go func() { waited <- l.Acquire(ctx) }()
		synctest.Wait()
		if l.InFlight() != 2 || l.Waiting() != 1 {
			t.Errorf("in flight %d, waiting %d", l.InFlight(), l.Waiting())
		}
		start := time.Now()
		if got := refusal(t, l.Acquire(ctx)); got != admission.QueueFull || time.Since(start) != 0 {
			t.Errorf("a full queue must refuse at once: %s after %s", got, time.Since(start))
		}
		l.Release()
		if err := <-waited; err != nil {
			t.Errorf("the waiting call must get the place: %v", err)
		}
		if got := refusal(t, l.Acquire(ctx)); got != admission.QueueWait || time.Since(start) != time.Second {
			t.Errorf("%s after %s", got, time.Since(start))
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := l.Acquire(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that went away: %v", err)
		}
		l.Release()
		l.Release()
		if l.InFlight() != 0 || l.Waiting() != 0 {
			t.Errorf("at the end: in flight %d, waiting %d", l.InFlight(), l.Waiting())
		}
	})
}

func TestNeverMoreThanTheLimit(t *testing.T) {
	l := admission.New(admission.Config{MaxInFlight: 3, Queue: 1000, QueueWait: time.Minute})
	var mu sync.Mutex
	var running, most int
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			if err := l.Acquire(context.Background()); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			mu.Lock()
			running--
			mu.Unlock()
			l.Release()
		})
	}
	wg.Wait()
	if most > 3 || l.InFlight() != 0 {
		t.Errorf("most %d, left %d", most, l.InFlight())
	}
}
