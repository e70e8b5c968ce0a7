package s3

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// reader reads one part of an object, over as many answers as it takes.
//
// An answer breaks off when a proxy loses patience with a slow consumer, when a server restarts, when a load balancer
// drains: none of these is a reason to fetch a gigabyte again.
type reader struct {
	ctx   context.Context //nolint:containedctx // that of Open, which ends the reading
	store *Store
	key   string
	hash  hash.Hash // nil if there is nothing to compare with

	answer  answer
	at, end int64
	failed  error // what Read says from now on
	tries   int   // answers that broke off since the download last got on
	mark    int64 // where it was then
}

const (
	// progress is how many bytes an answer must bring for the count of tries to begin anew. A server that gives a byte each
	// time is not one to go on with.
	progress   = 64 << 10
	firstPause = 100 * time.Millisecond
)

var (
	// errStalled is why an answer was given up. It is not the caller's context that ended.
	errStalled = errors.New("no byte has come for too long")
	errClosed  = errors.New("read from a closed object")
)

func (r *reader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if r.failed != nil {
			return 0, r.failed
		}
		if r.at == r.end {
			r.failed = r.finish()
			continue
		}
		n, err := r.read(p[:min(int64(len(p)), r.end-r.at)])
		if n > 0 { // an error comes again with the next Read, if it matters
			r.at += int64(n)
			if r.hash != nil {
				r.hash.Write(p[:n]) //nolint:errcheck // a hash does not fail
			}
			return n, nil
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the answer was shorter than it promised
		}
		if err == nil {
			continue
		}
		if err := r.resume(err); err != nil {
			r.failed = r.store.fail(r.ctx, "read", r.key, err)
		}
	}
	return 0, r.failed
}

// read reads from the present answer; it is given up if no byte comes for the stall timeout.
func (r *reader) read(p []byte) (int, error) {
	cancel := r.answer.cancel
	stall := time.AfterFunc(r.store.config.StallTimeout, func() { cancel(errStalled) })
	n, err := r.answer.body.Read(p)
	if !stall.Stop() && n == 0 && err != nil && r.ctx.Err() == nil {
		err = errStalled
	}
	return n, err
}

// resume asks for the rest after an answer broke off, or says that this is the end. Whatever ended an answer in its middle is
// a failure of the connection.
func (r *reader) resume(err error) error {
	r.answer.close()
	r.answer.body = http.NoBody
	if r.at-r.mark >= progress {
		r.tries, r.mark = 0, r.at
	}
	for {
		if r.tries++; r.tries >= r.store.config.Attempts {
			return meant{
				meaning{kind: snapshot.ErrUnavailable, retryable: true, hint: hintReach},
				fmt.Errorf("broke off %d times, now at byte %d: %w", r.tries, r.at, err),
			}
		}
		if !pause(r.ctx, rand.N(min(r.store.config.MaxBackoff, firstPause<<min(r.tries-1, 10))+1)) {
			return err
		}
		var a answer
		a, err = r.store.get(r.ctx, r.key, snapshot.Part{Offset: r.at, Length: r.end - r.at, ETag: r.answer.object.ETag})
		if err == nil {
			a.object = r.answer.object // with the checksum of the whole, which this answer is not
			r.answer = a
			return nil
		}
		if !mean(err).retryable || r.ctx.Err() != nil {
			return err
		}
	}
}

// pause waits, and says whether ctx lives on.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *reader) finish() error {
	if r.hash == nil {
		return io.EOF
	}
	if err := r.answer.object.Checksum.Check(r.hash); err != nil {
		return r.store.fail(r.ctx, "read", r.key, meant{meaning{
			kind: snapshot.ErrCorrupt, hint: "the object is damaged in the store, or was on the way; read it again, then take another checkpoint",
		}, err})
	}
	return io.EOF
}

// Close ends the download. What is left of the answer is not read, as it may be gigabytes.
func (r *reader) Close() error {
	if r.failed == nil {
		r.failed = errClosed
	}
	err := r.answer.body.Close()
	r.answer.cancel(nil)
	return err
}
