package decisions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Reader reads a log's folder, while it is written or not, in any process. It is safe for concurrent use and holds no file
// between calls. What is damaged is an error of the place; an iteration may go on after it.
type Reader struct {
	dir    string
	reader segment.Reader
	blocks atomic.Int64 // read so far, for tests
}

// NewReader reads the log in a folder.
func NewReader(dir string) *Reader { return &Reader{dir: dir} }

// Query chooses decisions. The zero value chooses all.
type Query struct {
	After     uint64 // records with a higher number
	Job       string // empty = any; so are the others
	Operator  string
	Function  string
	FromEpoch uint64    // made after this checkpoint's barrier, or a later one's; checkpoints are counted by each job: give Job
	Since     time.Time // at or after
	Until     time.Time // before; zero = no end
	Notes     bool      // give notes, too, whatever else is chosen
}

// matches says whether an entry is chosen, but for After.
func (q *Query) matches(e Entry) bool {
	if e.Note != nil {
		return q.Notes
	}
	d := e.Decision
	return (q.Job == "" || d.Job == q.Job) && (q.Operator == "" || d.Operator == q.Operator) &&
		(q.Function == "" || d.Function == q.Function) && d.Epoch >= q.FromEpoch &&
		!d.Time.Before(q.Since) && (q.Until.IsZero() || d.Time.Before(q.Until))
}

// skips says whether nothing of a block can be chosen.
func (q *Query) skips(b segment.BlockInfo) bool {
	if b.First+uint64(b.Count)-1 <= q.After {
		return true
	}
	if q.Notes {
		return false
	}
	return b.Epochs.Low > b.Epochs.High || b.Epochs.High < q.FromEpoch ||
		!q.Since.IsZero() && b.Latest < q.Since.UnixNano() || !q.Until.IsZero() && b.Earliest >= q.Until.UnixNano()
}

// skipsAll says whether nothing of a segment can be chosen.
func (q *Query) skipsAll(d *segment.Directory) bool {
	if q.Job == "" || q.Notes || d.Jobs == nil {
		return false
	}
	epochs, ok := d.Jobs[q.Job]
	return !ok || epochs.High < q.FromEpoch
}

// Range goes through what a query chooses and what was written when it gets there, in the order of the log: per subtask that of
// the decisions. After a failover to a checkpoint Flink sends again what came after it, so the log may hold decisions of one id
// several times; those of the highest Fence count.
func (r *Reader) Range(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		w := walk{r: r, ctx: ctx, q: q, yield: yield}
		w.run()
	}
}

// Tail goes through those of the last n records that a query chooses, then waits for more, until ctx ends. A reader that is so
// slow that segments are dropped before it reads them gets an error that says so, and goes on with the oldest there is.
func (r *Reader) Tail(ctx context.Context, n int, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		last, err := r.Last()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if back := uint64(max(0, n)); last > back {
			q.After = max(q.After, last-back)
		}
		w := walk{r: r, ctx: ctx, q: q, yield: yield, follow: true}
		w.run()
	}
}

// Last is the number of the last record, 0 if there is none.
func (r *Reader) Last() (uint64, error) {
	for tries := 0; ; tries++ {
		files, err := listSegments(r.dir)
		if err != nil || len(files) == 0 {
			return 0, err
		}
		e, err := endOf(&r.reader, files[len(files)-1])
		switch {
		case err == nil:
			return e.head.Seq, nil
		case errors.Is(err, segment.ErrUnfinished): // is being made
			return files[len(files)-1].first - 1, nil
		case !segment.Gone(err) || tries == maxTries:
			return 0, err
		}
	}
}

// maxTries is how often in a row a file may be gone that was there: once when it is sealed, once when it is dropped, and it takes
// a segment's time until the same happens to the next.
const maxTries = 10

// Lookup returns the decisions of an id, the oldest first; none is no error. It reads the block of each sealed segment whose
// index has the id, and all of the segments that are not sealed yet.
func (r *Reader) Lookup(ctx context.Context, id string) ([]*Decision, error) {
	var found []*Decision
	var errs []error
	next := uint64(0) // what is before it was searched
	for tries, again := 0, true; again; tries++ {
		files, err := listSegments(r.dir)
		if err != nil {
			return found, err
		}
		again = false
		for _, file := range files {
			if file.first < next {
				continue
			}
			if err := ctx.Err(); err != nil {
				return found, err
			}
			here, err := r.lookupIn(ctx, file, id)
			if again = segment.Gone(err) && tries < maxTries; again {
				break // sealed or dropped meanwhile
			}
			tries = 0
			found = append(found, here...)
			if err != nil && !errors.Is(err, segment.ErrUnfinished) {
				errs = append(errs, fmt.Errorf("%s: %w", file.path, err))
			}
			next = file.first + 1
		}
	}
	return found, errors.Join(errs...)
}

func (r *Reader) lookupIn(ctx context.Context, file segmentFile, id string) ([]*Decision, error) {
	f, err := r.reader.Open(file.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Sealed() {
		found, err := r.lookupSealed(f, id)
		if err == nil || !errors.Is(err, segment.ErrDamaged) {
			return found, err
		}
	}
	// Not sealed, or the index or a block is damaged: what is there is found all the same.
	var found []*Decision
	var damage error
	for scan := f.Scan(); ctx.Err() == nil; {
		b, err := scan.Next()
		switch {
		case err == nil:
			here, err := r.pick(b, id)
			found, damage = append(found, here...), errors.Join(damage, err)
		case errors.Is(err, io.EOF), errors.Is(err, segment.ErrUnfinished):
			return found, damage
		case errors.Is(err, segment.ErrDamaged):
			damage = errors.Join(damage, err)
			if more, err := scan.Resync(); err != nil || !more {
				return found, errors.Join(damage, err)
			}
		default:
			return found, errors.Join(damage, err)
		}
	}
	return found, ctx.Err()
}

func (r *Reader) lookupSealed(f *segment.File, id string) ([]*Decision, error) {
	dir, err := f.Directory()
	if err != nil {
		return nil, err
	}
	candidates, err := f.Candidates(dir, id)
	if err != nil {
		return nil, err
	}
	var found []*Decision
	for _, i := range candidates {
		b, err := f.Block(dir.Blocks[i])
		if err != nil {
			return nil, err
		}
		here, err := r.pick(b, id)
		if err != nil {
			return nil, err
		}
		found = append(found, here...)
	}
	return found, nil
}

// pick returns the decisions of a block that have an id.
func (r *Reader) pick(b segment.Block, id string) (found []*Decision, err error) {
	r.blocks.Add(1)
	for seq, body := range b.Records() {
		if have, _ := idAndTime(body); string(have) != id {
			continue
		}
		e, err := decode(seq, body, nil)
		if err != nil {
			return found, fmt.Errorf("%w: record %d: %w", segment.ErrDamaged, seq, err)
		}
		if e.Decision != nil {
			found = append(found, e.Decision)
		}
	}
	return found, nil
}
