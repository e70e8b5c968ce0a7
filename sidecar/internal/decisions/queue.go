package decisions

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// ErrClosed says that the log takes no more decisions.
var ErrClosed = errors.New("the decision log is closed")

// Why a decision was not written.
const (
	lostOldest   = "drop_oldest"
	lostSampled  = "sample"
	lostTooLarge = "too_large" // one record of more than segment.MaxRecord bytes
	lostShutdown = "shutdown"  // the disk took nothing until the end
)

// losses counts decisions by why they were lost.
type losses map[string]uint64

// queue holds records that wait to be written, one behind the other in one buffer: to enqueue is to copy, and a group commit
// takes the whole buffer.
type queue struct {
	policy Policy
	max    int // bytes

	mu     sync.Mutex
	buf    []byte
	head   int // where the oldest record in buf begins; those before were dropped
	count  int
	spare  []byte
	notes  []Note
	closed bool          // no more decisions
	ended  bool          // no more notes either
	room   chan struct{} // closed and replaced when there is room again
	flush  []chan error  // told when everything up to now is durable
	fresh  losses        // not noted in the log yet
	total  losses

	wake   chan struct{} // something came; capacity 1, a second signal says no more than the first
	urgent chan struct{} // do not wait for more; capacity 1
}

func newQueue(policy Policy, size int) *queue {
	return &queue{
		policy: policy, max: size, room: make(chan struct{}), fresh: losses{}, total: losses{},
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add takes a copy of a record. It waits for room under the policy Block, never under the others. hash is that of the id.
func (q *queue) add(ctx context.Context, record []byte, hash uint64) error {
	q.mu.Lock()
	for {
		if q.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		if len(record) > q.max || len(record) > segment.MaxRecord {
			q.lose(lostTooLarge)
			q.mu.Unlock()
			return nil
		}
		if q.admit(len(record), hash) {
			break
		}
		if q.policy != Block {
			q.lose(lostSampled)
			q.mu.Unlock()
			return nil
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("the decision log is full and its disk does not keep up: %w", ctx.Err())
		}
		q.mu.Lock()
	}
	q.append(record)
	first, full := q.count == 1, len(q.buf)-q.head > q.max/2
	q.mu.Unlock()
	if first {
		signal(q.wake)
	}
	if full {
		signal(q.urgent)
	}
	return nil
}

// admit says whether a record of a size may be added now.
func (q *queue) admit(size int, hash uint64) bool {
	used := len(q.buf) - q.head
	switch q.policy {
	case DropOldest:
		for used+size > q.max {
			oldest := segment.RecordSize(q.buf[q.head:])
			q.head += oldest
			q.count--
			used -= oldest
			q.lose(lostOldest)
		}
	case Sample:
		if used+size > q.max {
			return false
		}
		if over := used - q.max/2; over > 0 {
			eighth := over / (q.max/8 + 1) // 0 to 3
			return hash&(1<<(eighth+1)-1) == 0
		}
	default:
		return used+size <= q.max
	}
	return true
}

// append copies a record to the end. The hole that dropped records left is closed when it is large, so that what is moved for
// it is a few bytes for each byte dropped.
func (q *queue) append(record []byte) {
	if q.head > q.max/4 {
		q.buf = q.buf[:copy(q.buf, q.buf[q.head:])]
		q.head = 0
	}
	q.buf = append(q.buf, record...)
	q.count++
}

func (q *queue) lose(why string) {
	q.fresh[why]++
	q.total[why]++
}

// note adds a note; the channel tells when it is durable, or why it is not.
func (q *queue) note(n Note) <-chan error {
	q.mu.Lock()
	q.notes = append(q.notes, n)
	q.mu.Unlock()
	return q.sync()
}

// sync returns a channel that tells when everything that was added until now is durable, or why it is not.
func (q *queue) sync() <-chan error {
	done := make(chan error, 1)
	q.mu.Lock()
	if q.ended {
		done <- ErrClosed
	} else {
		q.flush = append(q.flush, done)
	}
	q.mu.Unlock()
	signal(q.wake)
	signal(q.urgent)
	return done
}

// batch is what the writer takes at once.
type batch struct {
	front   []byte // records of notes, to be written before the others
	records []byte
	buf     []byte // what records is the end of
	notes   []Note
	lost    losses
	flush   []chan error
}

// take empties the queue. It reports false if it is empty already. The batch must be given back when it is written.
func (q *queue) take() (batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := batch{records: q.buf[q.head:], buf: q.buf, notes: q.notes, flush: q.flush}
	if q.count == 0 && len(b.notes) == 0 && len(b.flush) == 0 && len(q.fresh) == 0 {
		return batch{}, false
	}
	q.buf, q.spare, q.head, q.count, q.notes, q.flush = q.spare[:0], nil, 0, 0, nil, nil
	if len(q.fresh) > 0 { // an empty one stays the queue's own
		b.lost, q.fresh = q.fresh, losses{}
	}
	close(q.room)
	q.room = make(chan struct{})
	return b, true
}

// give takes back the memory of a batch.
func (q *queue) give(b batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.spare = b.buf[:0]
}

// close refuses what comes from now on and wakes whoever waits for room.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.room)
		q.room = make(chan struct{})
	}
}

// abandon counts what can no longer be written.
func (q *queue) abandon(b batch) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(q.count)
	for rest := b.records; len(rest) > 0; rest = rest[segment.RecordSize(rest):] {
		n++
	}
	q.buf, q.head, q.count = nil, 0, 0
	q.total[lostShutdown] += n
	return n
}

// end refuses notes, too, and tells whoever still waits.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	tell(q.flush, ErrClosed)
	q.flush = nil
}
