package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statestore"
	"github.com/drey-flink/drey/sidecar/internal/statestore/segment"
)

// subtask is an attempt of a subtask of the asynchronous operator, with the client in it.
type subtask struct {
	job     *job
	attempt int
	index   int
	spec    Spec
	sidecar *sidecar
	token   Token
	ready   bool
	over    bool // it sends nothing any more
	zombie  bool // it was replaced, but does not know

	input   []item
	flights []*flight // in the order of their numbers
	seq     uint64
	epoch   uint64
	at      int64 // the watermark
	stirred bool
}

type item struct {
	barrier   uint64
	full      bool
	watermark bool
	at        int64   // the watermark, or that at which the element came the first time
	again     bool    // it was in flight
	element   element // if it is nothing else
}

type flight struct {
	element  element
	at       int64
	seq      uint64
	answered bool
	result   result
}

// call is a call of the client, which ends with its task.
func (s *subtask) call(timeout time.Duration, do func(context.Context, *Manager) (any, error), hear func(any, error)) {
	s.job.w.call(s.sidecar, timeout, do, func(result any, err error) {
		if !s.over {
			hear(result, err)
		}
	})
}

// again is for an error: it says whether to call again, or has the task fail.
func (s *subtask) again(err error, what string) bool {
	var e *Error
	if errors.Is(err, errTimeout) || errors.Is(err, errUnreachable) || errors.As(err, &e) && e.Retryable {
		return true
	}
	if s.zombie {
		s.over = true
		return false
	}
	s.job.failed(s.attempt, fmt.Sprintf("subtask %d: %s: %v", s.index, what, err))
	return false
}

func (s *subtask) retry(do func()) {
	s.job.w.after(s.job.w.about(100*time.Millisecond), func() {
		if !s.over {
			do()
		}
	})
}

func (s *subtask) open(references []segment.Reference) {
	s.call(5*time.Second, func(ctx context.Context, m *Manager) (any, error) { return m.Open(ctx, s.spec) }, func(result any, err error) {
		switch {
		case err == nil:
			s.token = result.(Token) //nolint:forcetypeassert // of Open
			if s.spec.Restored {
				s.restore(references)
				return
			}
			s.begin()
		case s.again(err, "open"):
			s.retry(func() { s.open(references) })
		}
	})
}

func (s *subtask) restore(references []segment.Reference) {
	s.call(5*time.Second, func(ctx context.Context, m *Manager) (any, error) { return nil, m.Restore(ctx, s.token, references) }, func(_ any, err error) {
		switch {
		case err == nil:
			s.begin()
		case s.again(err, "restore"):
			s.retry(func() { s.restore(references) })
		}
	})
}

func (s *subtask) begin() {
	s.ready = true
	s.stir()
}

// stir has the task look at its input, soon.
func (s *subtask) stir() {
	if s.stirred || !s.ready || s.over {
		return
	}
	s.stirred = true
	s.job.w.after(s.job.w.about(4*time.Millisecond), func() {
		s.stirred = false
		if s.over || len(s.input) == 0 {
			return
		}
		next := s.input[0]
		if next.barrier == 0 && !next.watermark && len(s.flights) >= s.job.capacity {
			return // an element that leaves stirs again
		}
		s.input = s.input[1:]
		switch {
		case next.barrier != 0:
			s.barrier(next.barrier, next.full)
		case next.watermark:
			s.at = max(s.at, next.at)
		default:
			s.seq++
			f := &flight{element: next.element, at: s.at, seq: s.seq}
			if next.again && !s.job.w.broken.flyingAnew {
				f.at = next.at
			}
			s.flights = append(s.flights, f)
			s.send(f)
		}
		s.stir()
	})
}

// reached is the watermark after it.
func (e *element) reached() int64 { return max(e.watermark, e.after) }

// lowWatermark is the lowest one of the elements without an answer.
func (s *subtask) lowWatermark() int64 {
	low := s.at
	for _, f := range s.flights {
		if !f.answered && !s.job.w.broken.newestWatermark {
			low = min(low, f.at)
		}
	}
	return low
}

// low is the lowest number that has not left the operator.
func (s *subtask) low() uint64 {
	if len(s.flights) > 0 {
		return s.flights[0].seq
	}
	return s.seq + 1
}

func (s *subtask) send(f *flight) {
	broken := &s.job.w.broken
	r := Request{Watermark: f.at, LowWatermark: s.lowWatermark(), Request: statestore.Request{
		KeyGroup: f.element.keyGroup, ID: f.element.id(), Epoch: s.epoch, Seq: f.seq, Low: s.low(),
	}}
	if broken.newestWatermark {
		r.Watermark = s.at
	}
	if broken.noEpoch {
		r.Epoch = 0
	}
	if broken.noID {
		r.ID = ""
	}
	if broken.idOfAttempt {
		r.ID += fmt.Sprint(" of attempt ", s.attempt)
	}
	if s.job.w.seed%4 == 0 {
		r.Seq, r.Low = 0, 0 // answers are forgotten at marks alone
	}
	s.call(3*time.Second, func(ctx context.Context, m *Manager) (any, error) {
		answer, _, err := m.Apply(ctx, s.token, r, func(tx *statestore.Tx) ([]byte, error) {
			add := func(key string, expires int64) (int, error) {
				n := 0
				if v, ok := tx.Get(key); ok {
					var err error
					if n, err = strconv.Atoi(string(v.Data)); err != nil {
						return 0, err
					}
				}
				tx.Change(key, statestore.Set(strconv.AppendInt(nil, int64(n+1), 10), expires))
				return n + 1, nil
			}
			var r result
			window, last := f.element.window()
			if last > tx.Watermark() {
				var err error
				if r.inWindow, err = add(window, last); err != nil {
					return nil, err
				}
			}
			var err error
			r.count, err = add(f.element.key, 0)
			return []byte(r.String()), err
		})
		return answer, err
	}, func(result any, err error) {
		switch {
		case f.answered:
		case err == nil:
			if _, err := fmt.Sscan(string(result.([]byte)), &f.result.count, &f.result.inWindow); err != nil { //nolint:forcetypeassert // of Apply
				s.job.w.fail("%v", err)
				return
			}
			f.answered = true
			s.emit()
		case CodeOf(err) == CodeStale:
			s.job.w.fail("element %d of subtask %d is waited for, and refused as a late copy", f.element.n, s.index)
		case s.again(err, "apply"):
			s.retry(func() { s.send(f) })
		}
	})
}

// emit gives what was answered to the sink: in the order in which it came in, or not.
func (s *subtask) emit() {
	for i := 0; i < len(s.flights); {
		f := s.flights[i]
		if !f.answered {
			if s.job.ordered {
				break
			}
			i++
			continue
		}
		s.flights = slices.Delete(s.flights, i, i+1)
		if !s.zombie {
			s.job.output = append(s.job.output, output{subtask: s.index, element: f.element, result: f.result})
		}
	}
	s.stir()
}

// barrier is what happens at a barrier: the mark, the operator's state, and the sink's.
func (s *subtask) barrier(id uint64, full bool) {
	s.epoch = id
	a := &ack{}
	mark := Mark{Epoch: id, Full: full}
	for _, f := range s.flights {
		at := f.at
		if f.answered {
			at = math.MinInt64 // the operator does not know it any more, and it is not going to happen again
		}
		a.flying = append(a.flying, flying{f.element, at})
		if s.job.w.broken.markIsAnswered && f.answered {
			continue
		}
		mark.InFlight = append(mark.InFlight, statestore.InFlight{KeyGroup: f.element.keyGroup, ID: f.element.id()})
	}
	if s.job.w.broken.noInFlight {
		mark.InFlight = nil
	}
	if !s.zombie {
		for i := range s.job.output {
			if o := &s.job.output[i]; o.seal == 0 && o.subtask == s.index {
				o.seal = id
			}
		}
	}
	s.mark(mark, a)
}

func (s *subtask) mark(mark Mark, a *ack) {
	s.call(2*time.Second, func(ctx context.Context, m *Manager) (any, error) { return nil, m.Mark(ctx, s.token, mark) }, func(_ any, err error) {
		switch {
		case err == nil:
			s.durable(mark.Epoch, a)
		case s.declined(mark.Epoch, err):
		case s.again(err, "mark"):
			s.retry(func() { s.mark(mark, a) })
		}
	})
}

// declined: the checkpoint fails, and nothing else.
func (s *subtask) declined(id uint64, err error) bool {
	switch CodeOf(err) {
	case CodeLate, CodeNoSnapshot:
	default:
		return false
	}
	if !s.zombie {
		for _, c := range s.job.pending {
			if c.id == id {
				s.job.abort(c, err.Error())
				break
			}
		}
	}
	return true
}

func (s *subtask) durable(id uint64, a *ack) {
	s.call(10*time.Second, func(ctx context.Context, m *Manager) (any, error) { return m.Durable(ctx, s.token, id) }, func(result any, err error) {
		switch {
		case err == nil:
			a.reference = result.(segment.Reference) //nolint:forcetypeassert // of Durable
			if !s.zombie {
				s.job.acknowledge(s, id, a)
			}
		case s.declined(id, err):
		case s.again(err, "durable"):
			if slices.ContainsFunc(s.job.pending, func(c *checkpoint) bool { return c.id == id }) {
				s.retry(func() { s.durable(id, a) })
			}
		}
	})
}
