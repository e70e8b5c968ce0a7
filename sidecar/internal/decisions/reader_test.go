package decisions

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// The index leads to the block of an id: a lookup reads that one, and the segment that is not sealed. Time is measured by a
// benchmark; what it depends on is asserted here.
func TestLookupReadsFewBlocks(t *testing.T) {
	const decisions = 20_000
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes, cfg.QueueBytes = 1<<20, 1<<20
	l := start(t, cfg)
	for i := range decisions {
		l.append(sample(i))
	}
	l.flush()
	l.settle()
	l.stop()
	all := NewReader(cfg.Dir)
	for _, err := range all.Range(t.Context(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	open := openBlocks(t, cfg.Dir)
	r := NewReader(cfg.Dir)
	const lookups = 300
	for n := range lookups {
		i := n * 7919 % decisions
		found, err := r.Lookup(t.Context(), sample(i).ID)
		if err != nil || len(found) != 1 || found[0].ID != sample(i).ID {
			t.Fatal(i, found, err)
		}
		if none, err := r.Lookup(t.Context(), sample(decisions+i).ID); err != nil || len(none) > 0 {
			t.Fatal(none, err)
		}
	}
	sealed := float64(r.blocks.Load()-2*lookups*open) / lookups
	if sealed > 1.1 || all.blocks.Load() < 100 {
		t.Fatalf("%.2f sealed blocks a lookup, of %d", sealed, all.blocks.Load())
	}
}

// openBlocks is how many blocks are in the segment that is not sealed. Every search reads them.
func openBlocks(t *testing.T, dir string) int64 {
	t.Helper()
	files, err := listSegments(dir)
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	r := NewReader(dir)
	for _, err := range r.Range(t.Context(), Query{After: files[len(files)-1].first - 1}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r.blocks.Load()
}

// Decisions of one id in several segments, and of ids whose entries collide, are all found, in order.
func TestLookupFindsAll(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := start(t, cfg)
	again := 0
	for i := range 1000 {
		d := sample(i)
		if i%90 == 0 {
			d.ID, d.Fence = "again", uint64(again)
			again++
		}
		l.append(d)
	}
	l.flush()
	l.settle()
	found, err := NewReader(cfg.Dir).Lookup(t.Context(), "again")
	if err != nil || len(found) != again {
		t.Fatal(found, err)
	}
	for i, d := range found {
		if d.Fence != uint64(i) {
			t.Fatalf("%d at %d", d.Fence, i)
		}
	}
}

func TestRange(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := start(t, cfg)
	const decisions = 1000
	var every []*Decision
	for i := range decisions {
		d := sample(i)
		if i%3 == 0 {
			d.Job, d.Epoch = "other", 1000+d.Epoch
		}
		if i%5 == 0 {
			d.Function, d.Operator = "flights", "delay"
		}
		every = append(every, d)
		l.append(d)
		if i%20 == 0 {
			l.flush() // or a busy machine puts more of them into one block
		}
	}
	l.flush()
	l.settle()
	l.stop()
	job := sample(0).Job
	tests := []struct {
		name      string
		query     Query
		want      func(d *Decision) bool
		maxBlocks float64 // share of the sealed ones that is read
	}{
		{"all", Query{}, func(*Decision) bool { return true }, 1},
		{"a job from a checkpoint on", Query{Job: job, FromEpoch: 8}, func(d *Decision) bool { return d.Job == job && d.Epoch >= 8 }, 1},
		{"no such job", Query{Job: "nobody"}, func(d *Decision) bool { return false }, 0},
		{"a checkpoint that is not reached", Query{Job: job, FromEpoch: 500}, func(d *Decision) bool { return false }, 0},
		{"since", Query{Since: noon.Add(900 * time.Millisecond)}, func(d *Decision) bool { return !d.Time.Before(noon.Add(900 * time.Millisecond)) }, 0.4},
		{"until", Query{Until: noon.Add(100 * time.Millisecond)}, func(d *Decision) bool { return d.Time.Before(noon.Add(100 * time.Millisecond)) }, 0.4},
		{"between", Query{Since: noon.Add(500 * time.Millisecond), Until: noon.Add(510 * time.Millisecond)}, func(d *Decision) bool {
			return !d.Time.Before(noon.Add(500*time.Millisecond)) && d.Time.Before(noon.Add(510*time.Millisecond))
		}, 0.4},
		{"function", Query{Function: "flights"}, func(d *Decision) bool { return d.Function == "flights" }, 1},
		{"operator", Query{Operator: "score", Job: "other"}, func(d *Decision) bool { return d.Operator == "score" && d.Job == "other" }, 1},
		{"after a number", Query{After: 951}, func(d *Decision) bool { return d.ID > sample(949).ID }, 0.4},
	}
	total := NewReader(cfg.Dir)
	for range total.Range(t.Context(), Query{}) {
	}
	open := openBlocks(t, cfg.Dir)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			for _, d := range every {
				if test.want(d) {
					want = append(want, d.ID)
				}
			}
			r := NewReader(cfg.Dir)
			var have []Entry
			for e, err := range r.Range(t.Context(), test.query) {
				if err != nil {
					t.Fatal(err)
				}
				have = append(have, e)
			}
			if diff := cmp.Diff(want, ids(have)); diff != "" {
				t.Fatal(diff)
			}
			if share := float64(r.blocks.Load()-open) / float64(total.blocks.Load()-open); share > test.maxBlocks {
				t.Errorf("%.2f of all sealed blocks were read", share)
			}
		})
	}
	t.Run("enough", func(t *testing.T) {
		n := 0
		for range NewReader(cfg.Dir).Range(t.Context(), Query{}) {
			if n++; n == 7 {
				break
			}
		}
		if n != 7 {
			t.Fatal(n)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, err := range NewReader(cfg.Dir).Range(ctx, Query{}) {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	})
}

// Readers of every kind beside a writer that begins and seals segments all the while.
func TestReadWhileWriting(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := start(t, cfg)
	const decisions = 6000
	ctx, cancel := context.WithCancel(t.Context())
	var tails, readers sync.WaitGroup
	for range 2 {
		tails.Go(func() {
			next := 0
			for e, err := range NewReader(cfg.Dir).Tail(ctx, 1<<30, Query{}) {
				if err != nil {
					t.Error(err)
					return
				}
				if want := sample(next).ID; e.Decision.ID != want {
					t.Errorf("%s where %s should be", e.Decision.ID, want)
					return
				}
				if next++; next == decisions {
					return
				}
			}
			t.Errorf("the tail ended after %d", next)
		})
	}
	var written sync.Mutex
	upTo := 0
	readers.Go(func() {
		r := NewReader(cfg.Dir)
		random := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			written.Lock()
			n := upTo
			written.Unlock()
			if n == 0 {
				continue
			}
			i := random.IntN(n)
			if found, err := r.Lookup(context.Background(), sample(i).ID); err != nil || len(found) != 1 {
				t.Errorf("%d of %d: %v %v", i, n, found, err)
				return
			}
			next := 0
			for e, err := range r.Range(context.Background(), Query{}) {
				if err != nil || e.Decision.ID != sample(next).ID {
					t.Errorf("%d: %+v %v", next, e.Decision, err)
					return
				}
				next++
			}
			if next < n {
				t.Errorf("%d of %d are there", next, n)
				return
			}
			if report, err := r.Verify(context.Background(), segment.Head{}); err != nil || len(report.Problems) > 0 || report.Decisions < uint64(n) {
				t.Errorf("%+v, %v", report, err)
				return
			}
		}
	})
	for i := range decisions {
		l.append(sample(i))
		if i%37 == 0 {
			l.flush()
			written.Lock()
			upTo = i + 1
			written.Unlock()
		}
	}
	l.flush()
	l.settle()
	tails.Wait()
	cancel()
	readers.Wait()
}

// A follower gets what is written later, through sealing and new segments, and ends with its context. One that begins late gets
// the last ones first.
func TestTail(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := start(t, cfg)
	l.append(sample(0))
	l.append(sample(1))
	l.flush()
	ctx, cancel := context.WithCancel(t.Context())
	next, stop := iter.Pull2(NewReader(cfg.Dir).Tail(ctx, 1, Query{}))
	defer stop()
	for i := 1; i < 1500; i++ {
		e, err, ok := next()
		if !ok || err != nil || e.Decision.ID != sample(i).ID {
			t.Fatal(i, e, err, ok)
		}
		l.append(sample(i + 1))
		if i%400 == 0 {
			l.flush()
			l.settle()
		}
	}
	cancel()
	for {
		e, err, ok := next()
		if !ok {
			break
		}
		if err != nil || e.Decision.ID != sample(1500).ID {
			t.Fatal(e, err)
		}
	}
}

// A follower that is there before the log.
func TestTailOfNothing(t *testing.T) {
	dir := t.TempDir()
	next, stop := iter.Pull2(NewReader(dir).Tail(t.Context(), 10, Query{}))
	defer stop()
	first := make(chan Entry)
	go func() {
		e, err, _ := next()
		if err != nil {
			t.Error(err)
		}
		first <- e
	}()
	l := start(t, testConfig(dir))
	l.append(sample(5))
	if e := <-first; e.Decision == nil || e.Decision.ID != sample(5).ID {
		t.Fatalf("%+v", e)
	}
}

// A follower that is slower than segments are dropped is told what it missed, and goes on.
func TestTailFallsBehind(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MaxBytes, cfg.Compression = 2*minSegmentBytes, "none"
	l := start(t, cfg)
	l.append(sample(0))
	l.flush()
	next, stop := iter.Pull2(NewReader(cfg.Dir).Tail(t.Context(), 10, Query{}))
	defer stop()
	if e, err, _ := next(); err != nil || e.Decision.ID != sample(0).ID {
		t.Fatal(e, err)
	}
	const total = 2000
	for i := 1; i < total; i++ {
		l.append(sample(i))
		if i%100 == 0 {
			l.flush()
			l.settle()
		}
	}
	l.flush()
	l.settle()
	gaps := 0
	for last := sample(0).ID; last != sample(total-1).ID; {
		e, err, ok := next()
		if !ok {
			t.Fatal("ended")
		}
		if err != nil {
			if gaps++; !strings.Contains(err.Error(), "they were dropped") {
				t.Fatal(err)
			}
			continue
		}
		if e.Decision.ID <= last {
			t.Fatalf("%s after %s", e.Decision.ID, last)
		}
		last = e.Decision.ID
	}
	if gaps != 1 {
		t.Fatalf("%d gaps", gaps)
	}
}

// Readers beside a writer that drops segments all the while: what is there is found, and nothing is called damage.
func TestReadWhileDropping(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MaxBytes, cfg.Compression = 3*minSegmentBytes, "s2"
	l := start(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	loop := func(read func(r *Reader) error) {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := read(NewReader(cfg.Dir)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	loop(func(r *Reader) error {
		_, err := r.Lookup(context.Background(), sample(7).ID)
		return err
	})
	loop(func(r *Reader) error {
		report, err := r.Verify(context.Background(), segment.Head{})
		if err == nil && len(report.Problems) > 0 {
			err = fmt.Errorf("%+v", report)
		}
		return err
	})
	loop(func(r *Reader) error {
		last := ""
		for e, err := range r.Range(context.Background(), Query{}) {
			switch {
			case err != nil && !strings.Contains(err.Error(), "they were dropped"):
				return err
			case err == nil && e.Decision.ID <= last:
				return fmt.Errorf("%s after %s", e.Decision.ID, last)
			case err == nil:
				last = e.Decision.ID
			}
		}
		return nil
	})
	for i := range 8000 {
		l.append(sample(i))
	}
	l.flush()
	l.settle()
	cancel()
	readers.Wait()
	l.stop()
	if report := intact(t, cfg.Dir); report.Dropped == 0 {
		t.Fatalf("%+v", report)
	}
}
