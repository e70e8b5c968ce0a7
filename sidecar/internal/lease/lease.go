// Package lease lets one of many sidecars do a piece of work: a small object in a snapshot store says whose turn it is.
//
// Clocks of different machines are never compared. The holder replaces the object every third of the TTL. Whoever waits
// watches the object's version by its own clock, and takes over when it has not changed for a whole TTL since the answer
// in which it was first seen. The holder stops its work before that: at nine tenths of the TTL after it sent the last
// replacement that succeeded, by its own clock. The tenth between is for clocks that run at another speed. What the wall clock
// says, and whether it is set back, is no matter.
//
// A write whose answer was lost is read back. One that is still on its way when its sender gives it up can do no harm: it
// names the version that it replaces.
//
// A process can be stopped for longer than that between two instructions, and go on as if nothing had happened; so can a
// machine that sleeps, whose clock stops too. So each holder has a fencing number, higher than that of the one before; what
// it writes elsewhere should carry it.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Store is what is needed of a snapshot store.
type Store interface {
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
	Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error)
	Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error)
}

// Config says who asks, and for how long a holder is respected that is not heard of.
type Config struct {
	Owner string        // for people
	TTL   time.Duration // up to a day; a few seconds at least, so that a slow answer loses nothing
}

// ErrLost is why the context of the work ended: the lease could not be renewed in time, or somebody else has it.
var ErrLost = errors.New("the lease was lost")

// Lease is one contender. Run does the work; Status is safe at any time.
type Lease struct {
	store  Store
	key    string
	config Config
	log    *slog.Logger

	mu     sync.Mutex
	status Status
	// highest is the highest fencing number seen: it goes on from there if somebody deletes the object.
	highest uint64
}

// Status is what a contender knows.
type Status struct {
	Held  bool   `json:"held"`
	Owner string `json:"owner"` // of whoever holds it, as it was last seen; "" if nobody does
	Fence uint64 `json:"fence"`
	Error string `json:"error,omitempty"` // why the store could not be asked last time
}

// New returns a contender for the lease that lies under a key. Contenders must agree on the key, and should on the TTL.
func New(store Store, key string, c Config, log *slog.Logger) *Lease {
	return &Lease{store: store, key: key, config: c, log: log}
}

// Status says who holds the lease.
func (l *Lease) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// Run waits for the lease, then runs work while it is held. The context of work ends when the lease is lost (its cause is ErrLost)
// and Run waits for it again when work has returned; when work returns by itself its error is that of Run, and the lease is
// given back. So it is when ctx ends, with what work then returned, or with nil while waiting. A store that is away is waited
// for; an error of the store that waiting does not heal is returned, if the lease is not held.
func (l *Lease) Run(ctx context.Context, work func(ctx context.Context, fence uint64) error) error {
	if l.config.TTL <= 0 || l.config.TTL > maxTTL {
		return fmt.Errorf("lease %s: a TTL of %s is not between 0 and %s", l.key, l.config.TTL, maxTTL)
	}
	me := rand.Text()
	for {
		h, err := l.acquire(ctx, me)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			if h.etag != "" {
				l.release(ctx, h)
			}
			return nil
		}
		lost, err := l.hold(ctx, h, work)
		if !lost || ctx.Err() != nil {
			return err
		}
		l.log.Warn("the lease was lost; waiting for it", "lease", l.key, "fence", h.Fence)
	}
}

// acquire waits until the lease is this contender's. The error is one that waiting does not heal.
func (l *Lease) acquire(ctx context.Context, me string) (held, error) {
	var seen string // version of the object that was there last time
	var since time.Time
	for {
		h, err := held{}, error(nil)
		d, etag, readErr := l.read(ctx)
		switch {
		case errors.Is(readErr, snapshot.ErrNotFound):
			h, err = l.write(ctx, l.next(document{Holder: me}), "")
		case readErr != nil:
			err = readErr
		default:
			l.saw(d)
			// The time of the answer, not of the question: the holder may have sent this version while it was under way.
			now := time.Now()
			if etag != seen {
				seen, since = etag, now
			}
			// What is one's own is of work that has ended, or of a write that was given up and arrived later.
			if d.Released || d.Holder == me || now.Sub(since) >= max(l.config.TTL, d.ttl()) {
				h, err = l.write(ctx, l.next(document{Holder: me}), etag)
			}
		}
		switch {
		case h.etag != "":
			return h, nil
		case ctx.Err() != nil:
			return held{}, nil
		case err != nil && !passes(err):
			return held{}, err
		}
		if !sleep(ctx, l.config.TTL/5+mathrand.N(l.config.TTL/20+1)) { // contenders that started together do not stay so
			return held{}, nil
		}
	}
}

// passes: the same may succeed later, or somebody else was faster.
func passes(err error) bool {
	return snapshot.Retryable(err) || snapshot.Unsure(err) || contended(err)
}

// contended: the object is another one than the one that was meant.
func contended(err error) bool {
	return errors.Is(err, snapshot.ErrExists) || errors.Is(err, snapshot.ErrChanged) || errors.Is(err, snapshot.ErrNotFound)
}

// next gives a document the fencing number behind all that were seen.
func (l *Lease) next(d document) document {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.Fence = l.highest + 1
	return d
}

func (l *Lease) saw(d document) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.highest = max(l.highest, d.Fence)
	if d.Fence != l.status.Fence {
		l.status.Held = false // somebody else's
	}
	l.status.Owner, l.status.Fence = d.Owner, d.Fence
	if d.Released {
		l.status.Owner = ""
	}
}

// holds notes whether the lease with this fencing number is held.
func (l *Lease) holds(h held, yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if yes {
		l.highest = max(l.highest, h.Fence)
		l.status = Status{Held: true, Owner: l.config.Owner, Fence: h.Fence}
	} else if l.status.Fence == h.Fence {
		l.status.Held = false
	}
}

// asked notes how the store has answered.
func (l *Lease) asked(err error) {
	text := ""
	if err != nil && !contended(err) {
		text = err.Error()
	}
	l.mu.Lock()
	before := l.status.Error
	l.status.Error = text
	l.mu.Unlock()
	switch {
	case text != "" && before == "":
		l.log.Warn("the store of the lease does not answer as it should; trying again", "lease", l.key, "error", text)
	case text == "" && before != "":
		l.log.Info("the store of the lease answers again", "lease", l.key)
	}
}

// hold runs work while the lease is renewed.
func (l *Lease) hold(ctx context.Context, h held, work func(context.Context, uint64) error) (lost bool, err error) {
	left := l.left(h)
	if left <= 0 {
		return true, nil // the answer that it is held came too late to begin
	}
	working, stop := context.WithCancelCause(ctx)
	lose := func() {
		l.holds(h, false) // before the work knows: what it then asks of Status is true
		stop(ErrLost)
	}
	// In force at any time, whatever the store does.
	deadline := time.AfterFunc(left, lose)
	defer deadline.Stop()
	l.holds(h, true)
	l.log.Info("the lease is held", "lease", l.key, "fence", h.Fence)
	ended := make(chan error, 1)
	go func() { ended <- work(working, h.Fence) }()
	renewed := make(chan held, 1)
	go func() { renewed <- l.renew(working, h, deadline, lose) }()
	err = <-ended
	lost = errors.Is(context.Cause(working), ErrLost)
	stop(nil)
	last := <-renewed
	l.holds(h, false)
	if !lost || ctx.Err() != nil {
		l.release(ctx, last)
	}
	return lost, err
}

// left is for how long the work may go on, if nothing more is heard from the store.
func (l *Lease) left(h held) time.Duration { return time.Until(h.until) - l.config.TTL/10 }

// renew replaces the object again and again until ctx ends, puts off the deadline, and calls lose if somebody else has the lease.
// It answers with the last version that is this contender's.
func (l *Lease) renew(ctx context.Context, h held, deadline *time.Timer, lose func()) held {
	for wait := l.config.TTL / 3; sleep(ctx, wait); {
		next, err := l.write(ctx, document{Fence: h.Fence, Holder: h.Holder}, h.etag)
		if err == nil {
			h, wait = next, l.config.TTL/3
			deadline.Reset(l.left(h))
			continue
		}
		wait = l.config.TTL / 20
		if !contended(err) {
			continue
		}
		switch d, etag, err := l.read(ctx); {
		case err == nil && d.Holder == h.Holder && d.Fence == h.Fence:
			h.etag = etag // of an earlier write whose answer was lost; that does not prolong it
		case err == nil:
			l.saw(d)
			lose() // somebody else has it
		case errors.Is(err, snapshot.ErrNotFound):
			lose() // somebody has deleted it
		}
	}
	return h
}

// releaseTimeout bounds the last word of a process that is on its way down.
const releaseTimeout = 5 * time.Second

// release tells the others that they need not wait. If it fails, they wait for the TTL.
func (l *Lease) release(ctx context.Context, h held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if _, err := l.write(ctx, document{Fence: h.Fence, Holder: h.Holder, Released: true}, h.etag); err == nil {
		l.saw(document{Fence: h.Fence, Released: true})
		l.log.Info("the lease is given back", "lease", l.key, "fence", h.Fence)
	}
}

// sleep waits, and says whether ctx lives on.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
