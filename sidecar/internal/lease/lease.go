// Package lease lets one of many sidecars do a piece of work: a small object in a snapshot store says whose turn it is.
//
// Clocks of different machines are never compared. The holder replaces the object every third of the TTL. Whoever waits
// watches the object's version by its own clock, and takes over when it has not changed for a whole TTL. The holder stops
// its work before that: at nine tenths of the TTL after it sent the last replacement that succeeded, by its own clock. The tenth
// between is for clocks that run at another speed. A write whose answer was lost is read back.
//
// A process can be stopped for longer than that between two instructions, and go on as if nothing had happened. So each
// holder has a fencing number, higher than that of the one before; what it writes elsewhere should carry it.
package lease

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	Owner string // for people
	TTL   time.Duration
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

func (l *Lease) note(change func(s *Status)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status)
}

// document is the object. Another nonce makes each write another version, also to stores whose ETag is a hash.
type document struct {
	Version  int    `json:"version"`
	Owner    string `json:"owner"`
	Fence    uint64 `json:"fence"`
	TTL      int64  `json:"ttl_ms"`
	Holder   string `json:"holder"` // another one each time that it is taken
	Nonce    string `json:"nonce"`
	Released bool   `json:"released,omitempty"` // its holder has ended: nobody needs to wait
}

const documentVersion = 1

// held is a lease that was just written.
type held struct {
	document

	etag  string
	until time.Time // by this process's clock: from then on others may believe that it is free
}

// Run waits for the lease, then runs work while it is held. The context of work ends when the lease is lost (its cause is ErrLost)
// and Run waits for it again when work has returned; when work returns by itself its error is that of Run, and the lease is
// given back. A store that is away is waited for. Run also returns when ctx ends, with nil.
func (l *Lease) Run(ctx context.Context, work func(ctx context.Context, fence uint64) error) error {
	for {
		h, err := l.acquire(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		lost, err := l.hold(ctx, h, work)
		if !lost || ctx.Err() != nil {
			return err
		}
		l.log.Warn("the lease was lost; waiting for it", "lease", l.key, "fence", h.Fence)
	}
}

// acquire waits until the lease is this contender's. The error is one that waiting does not heal.
func (l *Lease) acquire(ctx context.Context) (held, error) {
	var seen string // version of the object that was there last time
	var since time.Time
	for {
		now := time.Now()
		d, etag, err := l.read(ctx)
		switch {
		case ctx.Err() != nil:
			return held{}, nil
		case errors.Is(err, snapshot.ErrNotFound):
			if h, ok := l.write(ctx, document{Fence: 1, Holder: rand.Text()}, ""); ok {
				return h, nil
			}
		case err != nil && !snapshot.Retryable(err) && !errors.Is(err, context.DeadlineExceeded):
			return held{}, err
		case err != nil:
			l.note(func(s *Status) { s.Error = err.Error() })
		default:
			l.note(func(s *Status) { *s = Status{Owner: d.Owner, Fence: d.Fence} })
			if etag != seen {
				seen, since = etag, now
			}
			if d.Released || now.Sub(since) >= max(l.config.TTL, time.Duration(d.TTL)*time.Millisecond) {
				if h, ok := l.write(ctx, document{Fence: d.Fence + 1, Holder: rand.Text()}, etag); ok {
					return h, nil
				}
			}
		}
		if !sleep(ctx, l.config.TTL/4) {
			return held{}, nil
		}
	}
}

// hold runs work while the lease is renewed.
func (l *Lease) hold(ctx context.Context, h held, work func(context.Context, uint64) error) (lost bool, err error) {
	l.note(func(s *Status) { *s = Status{Held: true, Owner: l.config.Owner, Fence: h.Fence} })
	l.log.Info("the lease is held", "lease", l.key, "fence", h.Fence)
	working, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() { ended <- work(working, h.Fence) }()
	renewed := make(chan held, 1)
	go func() { renewed <- l.renew(working, h, func() { stop(ErrLost) }) }()
	err = <-ended
	lost = errors.Is(context.Cause(working), ErrLost)
	stop(nil)
	h = <-renewed
	l.note(func(s *Status) { s.Held = false })
	if !lost {
		l.release(ctx, h)
	}
	return lost, err
}

// renew replaces the object again and again until ctx ends, and calls lose when the work must stop. It answers with the last
// version that is this contender's.
func (l *Lease) renew(ctx context.Context, h held, lose func()) held {
	for {
		// The deadline is in force while the store is asked, too.
		deadline := time.AfterFunc(time.Until(h.until)-l.config.TTL/10, lose)
		if !sleep(ctx, l.config.TTL/3) {
			deadline.Stop()
			return h
		}
		for {
			next, ok := l.write(ctx, document{Fence: h.Fence, Holder: h.Holder}, h.etag)
			if ok {
				deadline.Stop()
				h = next
				break
			}
			if d, etag, err := l.read(ctx); err == nil && d.Holder == h.Holder {
				h.etag = etag // perhaps of an earlier write whose answer was lost; that does not prolong it
			} else if err == nil || errors.Is(err, snapshot.ErrNotFound) {
				lose() // somebody else has it, or has deleted it
			}
			if !sleep(ctx, l.config.TTL/20) {
				deadline.Stop()
				return h
			}
		}
	}
}

// releaseTimeout bounds the last word of a process that is on its way down.
const releaseTimeout = 5 * time.Second

// release tells the others that they need not wait. If it fails, they wait for the TTL.
func (l *Lease) release(ctx context.Context, h held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(releaseTimeout, l.config.TTL))
	defer cancel()
	l.write(ctx, document{Fence: h.Fence, Holder: h.Holder, Released: true}, h.etag)
	l.note(func(s *Status) { s.Owner = "" })
}

// write makes the object, if etag is empty, or replaces the version with that etag. A write that may have happened, or not, is
// read back.
func (l *Lease) write(ctx context.Context, d document, etag string) (held, bool) {
	d.Version, d.Owner, d.TTL, d.Nonce = documentVersion, l.config.Owner, l.config.TTL.Milliseconds(), rand.Text()
	body, err := json.Marshal(d)
	if err != nil {
		return held{}, false // it has no value that JSON could not write
	}
	until := time.Now().Add(l.config.TTL) // before it is sent: others see it later than that
	asking, cancel := context.WithTimeout(ctx, l.config.TTL)
	defer cancel()
	var o snapshot.Object
	if etag == "" {
		o, err = l.store.Create(asking, l.key, bytes.NewReader(body), int64(len(body)))
	} else {
		o, err = l.store.Replace(asking, l.key, body, etag)
	}
	if err == nil {
		l.note(func(s *Status) { s.Error = "" })
		return held{document: d, etag: o.ETag, until: until}, true
	}
	l.note(func(s *Status) { s.Error = err.Error() })
	if ctx.Err() == nil && snapshot.Unsure(err) {
		if found, etag, err := l.read(ctx); err == nil && found.Nonce == d.Nonce {
			return held{document: d, etag: etag, until: until}, true
		}
	}
	return held{}, false
}

// maxDocument is far more than a lease has.
const maxDocument = 64 << 10

func (l *Lease) read(ctx context.Context) (document, string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.TTL) // a store may hang
	defer cancel()
	body, o, err := l.store.Open(ctx, l.key, snapshot.Whole())
	if err != nil {
		return document{}, "", err
	}
	defer body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return document{}, "", err
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil || d.Version != documentVersion || len(text) > maxDocument {
		return document{}, "", fmt.Errorf("lease %s: it is no lease of this version of drey; name another object, or delete it if no other sidecar uses it", l.key)
	}
	return d, o.ETag, nil
}

// sleep waits, and says whether ctx lives on.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
