package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/statescope"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// Windows cuts event time into windows as Flink does (TumblingEventTimeWindows and SlidingEventTimeWindows without an offset):
// a window begins at a multiple of the slide since 1970, its end is no longer in it.
type Windows struct{ size, slide, lateness time.Duration }

// Tumbling are windows that follow each other.
func Tumbling(size time.Duration) Windows { return Windows{size: size, slide: size} }

// Sliding are windows of a size, of which one begins with every slide: an event is in size/slide of them.
func Sliding(size, slide time.Duration) Windows { return Windows{size: size, slide: slide} }

// Lateness returns windows that are kept for so long after the watermark has passed their end, for events that come late.
func (w Windows) Lateness(d time.Duration) Windows {
	w.lateness = d
	return w
}

// maxWindows is in how many windows an event may be: each is a value of its own.
const maxWindows = 1000

func (w Windows) check() error {
	size, slide := w.size.Milliseconds(), w.slide.Milliseconds()
	switch {
	case size < 1 || slide < 1:
		return fmt.Errorf("windows of %s, every %s: both must be at least 1ms", w.size, w.slide)
	case w.lateness < 0:
		return errors.New("the allowed lateness of windows is negative")
	case size/slide > maxWindows:
		return fmt.Errorf("windows of %s, every %s: an event would be in more than %d of them", w.size, w.slide, maxWindows)
	}
	return nil
}

// Count is what was counted in a window.
type Count struct {
	Start, End time.Time // the end is not in it
	N          int64
}

// Count adds n to the counters of a name in all windows that an event time is in, and returns these, oldest first. Those of
// which nothing is kept any more, since the watermark has passed their end by the allowed lateness, are left out: an event that
// is in none of the others is late, and gets no counts. Counters are deleted when they are not kept any more.
func (s *State) Count(name string, w Windows, at time.Time, n int64) ([]Count, error) {
	return s.windows(name, w, at, func(key string, last int64) (int64, error) {
		old, err := s.counter(key)
		if err != nil {
			return 0, err
		}
		value := binary.AppendVarint(nil, old+n)
		s.scope.Change(key, statestore.Set(value, expiry(last+w.lateness.Milliseconds())))
		return old + n, nil
	})
}

// Counted returns the counters of a name in all windows that an event time is in, as Count does, and changes nothing.
func (s *State) Counted(name string, w Windows, at time.Time) ([]Count, error) {
	return s.windows(name, w, at, func(key string, _ int64) (int64, error) { return s.counter(key) })
}

// windows calls fn for each window that is still kept: with its key and the last ms that is in it (Flink's maxTimestamp).
func (s *State) windows(name string, w Windows, at time.Time, fn func(key string, last int64) (int64, error)) ([]Count, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	if err := s.over(); err != nil {
		return nil, err
	}
	size, slide, t := w.size.Milliseconds(), w.slide.Milliseconds(), at.UnixMilli()
	newest := t - ((t%slide)+slide)%slide
	oldest := newest
	for oldest-slide > t-size {
		oldest -= slide
	}
	var counts []Count
	for start := oldest; start <= newest && start > t-size; start += slide {
		last := start + size - 1
		// Flink's WindowOperator.isWindowLate.
		if s.scope.Watermark != statescope.NoWatermark && last+w.lateness.Milliseconds() <= s.scope.Watermark {
			continue
		}
		n, err := fn(fmt.Sprintf("%s\x00%d/%d/%d", name, size, slide, start), last)
		if err != nil {
			return nil, err
		}
		counts = append(counts, Count{Start: time.UnixMilli(start), End: time.UnixMilli(start + size), N: n})
	}
	return counts, nil
}

func (s *State) counter(key string) (int64, error) {
	data, ok := s.scope.Get(key)
	if !ok {
		return 0, nil
	}
	n, length := binary.Varint(data)
	if length != len(data) || length <= 0 {
		return 0, fmt.Errorf("state %q is no counter", key)
	}
	return n, nil
}
