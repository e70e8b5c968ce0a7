package lease_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/lease"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// network is the way of one contender to the store.
type network struct {
	lease.Store

	away   atomic.Bool   // nothing gets through, and one knows at once
	hang   atomic.Bool   // nothing comes back, until the caller gives up
	hangs  atomic.Int32  // so many requests more
	denied atomic.Bool   // writes are
	lose   atomic.Int32  // so many answers to writes that have happened
	delay  time.Duration // of a request and of an answer, at most; what the caller has given up arrives all the same
	// there and back are how long a request and an answer take besides.
	there, back time.Duration
	// plan, if not nil, says of each request what becomes of it.
	plan func(op string) fate

	late sync.WaitGroup // those that are under way
}

type fate int

const (
	passes fate = iota
	fails       // before it arrives
	loses       // its answer
)

var (
	errAway   = &snapshot.Error{Op: "open", Where: "s3://bucket", Kind: snapshot.ErrUnavailable, Retryable: true}
	errDenied = &snapshot.Error{Op: "create", Where: "s3://bucket", Kind: snapshot.ErrDenied}
	errLost   = &snapshot.Error{Op: "replace", Where: "s3://bucket", Kind: snapshot.ErrUnavailable, Retryable: true, Unsure: true}
)

type answer struct {
	object snapshot.Object
	body   []byte
	err    error
}

// send has the store do something, as the network allows.
func (n *network) send(ctx context.Context, op string, do func(ctx context.Context) answer) answer {
	what := passes
	if n.plan != nil {
		what = n.plan(op)
	}
	if n.away.Load() || what == fails {
		return answer{err: errAway}
	}
	if what == loses {
		n.lose.Store(1)
	}
	if n.hang.Load() || n.hangs.Add(-1) >= 0 {
		<-ctx.Done()
		return answer{err: ctx.Err()}
	}
	there, back := n.there, n.back
	if n.delay > 0 {
		there, back = there+rand.N(n.delay), back+rand.N(n.delay)
	}
	if there+back == 0 {
		return do(ctx)
	}
	answers := make(chan answer, 1)
	n.late.Go(func() {
		time.Sleep(there)
		a := do(context.WithoutCancel(ctx))
		time.Sleep(back)
		answers <- a
	})
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

func (n *network) write(a answer) answer {
	if a.err == nil && n.lose.Add(-1) >= 0 {
		return answer{err: errLost}
	}
	return a
}

func (n *network) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	a := n.send(ctx, "open", func(ctx context.Context) answer {
		r, o, err := n.Store.Open(ctx, key, part)
		if err != nil {
			return answer{err: err}
		}
		defer r.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(r)
		return answer{object: o, body: body, err: err}
	})
	return io.NopCloser(bytes.NewReader(a.body)), a.object, a.err
}

func (n *network) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if n.denied.Load() {
		return snapshot.Object{}, errDenied
	}
	a := n.write(n.send(ctx, "create", func(ctx context.Context) answer {
		o, err := n.Store.Create(ctx, key, body, size)
		return answer{object: o, err: err}
	}))
	return a.object, a.err
}

func (n *network) Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error) {
	if n.denied.Load() {
		return snapshot.Object{}, errDenied
	}
	a := n.write(n.send(ctx, "replace", func(ctx context.Context) answer {
		o, err := n.Store.Replace(ctx, key, body, etag)
		return answer{object: o, err: err}
	}))
	return a.object, a.err
}
