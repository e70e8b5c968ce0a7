// Package admission bounds how many calls run at once. A short queue takes up a burst; what does not fit is refused at
// once, because a late answer costs as much as a good one and helps nobody.
package admission

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Config bounds the work in progress.
type Config struct {
	MaxInFlight int           `yaml:"max_in_flight" doc:"calls of functions that may run at once"`
	Queue       int           `yaml:"queue" doc:"calls that may wait for a place; more are refused with 503 at once"`
	QueueWait   time.Duration `yaml:"queue_wait" doc:"the longest a call waits for a place before it is refused with 503"`
}

// DefaultConfig is 256 calls at once, as many waiting, for 100 ms at most.
func DefaultConfig() Config {
	return Config{MaxInFlight: 256, Queue: 256, QueueWait: 100 * time.Millisecond}
}

// Validate names what cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxInFlight < 1:
		return fmt.Errorf("max_in_flight: %d, must be at least 1", c.MaxInFlight)
	case c.Queue < 0:
		return fmt.Errorf("queue: %d, must not be negative", c.Queue)
	case c.Queue > 0 && c.QueueWait <= 0:
		return fmt.Errorf("queue_wait: %s, must be positive when there is a queue", c.QueueWait)
	}
	return nil
}

// Reasons for which a call is refused.
const (
	QueueFull = "queue_full"
	QueueWait = "queue_wait"
)

// Refused says that a call found no place.
type Refused struct {
	Reason string
	// RetryAfter is when a retry has a fair chance: after what waits now has been served or refused.
	RetryAfter time.Duration
}

func (e *Refused) Error() string { return "refused: " + e.Reason }

// Limiter hands out places. It is safe for concurrent use.
type Limiter struct {
	cfg     Config
	places  chan struct{} // capacity = MaxInFlight; a token in it is a call that runs
	waiting atomic.Int64
}

// New returns a limiter with all places free.
func New(cfg Config) *Limiter {
	return &Limiter{cfg: cfg, places: make(chan struct{}, cfg.MaxInFlight)}
}

// Acquire takes a place, waiting a short while if there is none. The error is a *Refused or the context's. After nil,
// Release must be called once.
func (l *Limiter) Acquire(ctx context.Context) error {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	if l.waiting.Add(1) > int64(l.cfg.Queue) {
		l.waiting.Add(-1)
		return &Refused{Reason: QueueFull, RetryAfter: l.retryAfter()}
	}
	defer l.waiting.Add(-1)
	timer := time.NewTimer(l.cfg.QueueWait)
	defer timer.Stop()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-timer.C:
		return &Refused{Reason: QueueWait, RetryAfter: l.retryAfter()}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) retryAfter() time.Duration { return max(l.cfg.QueueWait, 50*time.Millisecond) }

// Release gives a place back.
func (l *Limiter) Release() { <-l.places }

// InFlight is how many places are taken.
func (l *Limiter) InFlight() int { return len(l.places) }

// Waiting is how many calls wait for a place.
func (l *Limiter) Waiting() int { return int(l.waiting.Load()) }

// Config returns the limits.
func (l *Limiter) Config() Config { return l.cfg }
