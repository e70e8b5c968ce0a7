package decisions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// gate is a file whose writes wait, as those of a disk that hangs.
type gate struct {
	file
	open chan struct{} // closed: writes go on
	met  chan struct{} // one for each write that waits
}

func (g gate) WriteAt(b []byte, at int64) (int, error) {
	select {
	case <-g.open:
	default:
		g.met <- struct{}{}
		<-g.open
	}
	return g.file.WriteAt(b, at)
}

// stalled starts a log whose disk hangs with the first batch, until open is called.
func stalled(t *testing.T, policy Policy) (l *running, open func()) {
	t.Helper()
	g := gate{open: make(chan struct{}), met: make(chan struct{}, 100)}
	var mu sync.Mutex
	made := 0
	cfg := testConfig(t.TempDir())
	cfg.Policy = policy
	l = startWith(t, cfg, func(path string) (file, error) {
		mu.Lock()
		defer mu.Unlock()
		f, err := createFile(path)
		if made++; err != nil || made > 1 {
			return f, err
		}
		wrapped := g
		wrapped.file = f
		return &headerPasses{gate: wrapped}, nil
	})
	<-g.met // with the note of the start
	return l, sync.OnceFunc(func() { close(g.open) })
}

// headerPasses lets the first write through: it is made before the log runs.
type headerPasses struct {
	gate
	passed bool
}

func (h *headerPasses) WriteAt(b []byte, at int64) (int, error) {
	if !h.passed {
		h.passed = true
		return h.file.WriteAt(b, at)
	}
	return h.gate.WriteAt(b, at)
}

func TestBlock(t *testing.T) {
	l, open := stalled(t, Block)
	defer open()
	n := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for ; ; n++ { // until it waits
		if l.Status().QueuedBytes+1000 > l.cfg.QueueBytes {
			cancel()
		}
		if err := l.Append(ctx, sample(n)); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			break
		}
	}
	if n < 50 {
		t.Fatalf("only %d in a queue of %d bytes", n, l.cfg.QueueBytes)
	}
	waiting := make(chan error)
	go func() { waiting <- l.Append(t.Context(), sample(n)) }()
	select {
	case err := <-waiting:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	open()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	l.stop()
	have := ids(collect(t, l.cfg.Dir, Query{}))
	for i, id := range have {
		if id != sample(i).ID {
			t.Fatalf("%s at %d", id, i)
		}
	}
	if len(have) != n+1 || len(l.Status().Lost) > 0 {
		t.Fatalf("%d of %d, lost %v", len(have), n+1, l.Status().Lost)
	}
}

// A caller that waits is told when the log ends instead.
func TestBlockedAtTheEnd(t *testing.T) {
	l, open := stalled(t, Block)
	for i := 0; l.Status().QueuedBytes+2000 < l.cfg.QueueBytes; i++ {
		l.append(sample(i))
	}
	waiting := make(chan error)
	go func() {
		for {
			if err := l.Append(context.Background(), sample(0)); err != nil {
				waiting <- err
				return
			}
		}
	}()
	l.end()
	open()
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	l.stop()
	intact(t, l.cfg.Dir)
}

func TestDropOldest(t *testing.T) {
	l, open := stalled(t, DropOldest)
	defer open()
	const total = 1000
	for i := range total {
		l.append(sample(i))
	}
	lost := l.Status().Lost[lostOldest]
	if lost == 0 || l.Status().QueuedBytes > l.cfg.QueueBytes {
		t.Fatalf("%+v", l.Status())
	}
	open()
	l.stop()
	all := collect(t, l.cfg.Dir, Query{Notes: true})
	want := []string{}
	for i := int(lost); i < total; i++ {
		want = append(want, sample(i).ID)
	}
	if diff := cmp.Diff(want, ids(all)); diff != "" {
		t.Fatal(diff)
	}
	told := notes(all, NoteLost)
	if len(told) != 1 || told[0].Decisions != lost || told[0].Reason != lostOldest {
		t.Fatalf("%+v, lost %d", told, lost)
	}
	if report := intact(t, l.cfg.Dir); report.Lost != lost {
		t.Fatalf("%+v", report)
	}
}

func TestSample(t *testing.T) {
	l, open := stalled(t, Sample)
	defer open()
	const total = 5000
	for i := range total {
		l.append(sample(i))
	}
	lost := l.Status().Lost[lostSampled]
	open()
	l.stop()
	all := collect(t, l.cfg.Dir, Query{Notes: true})
	have := ids(all)
	if lost == 0 || uint64(len(have))+lost != total {
		t.Fatalf("%d are there and %d lost, of %d", len(have), lost, total)
	}
	told := notes(all, NoteLost)
	if len(told) != 1 || told[0].Decisions != lost {
		t.Fatalf("%+v", told)
	}
	// The first ones are all there, then they get fewer.
	all4 := slices.Repeat([]int{0}, 4)
	for _, id := range have {
		n := 0
		if _, err := fmt.Sscanf(id, "tx-%d", &n); err != nil {
			t.Fatal(err)
		}
		all4[min(3, n/50)]++
	}
	if all4[0] != 50 || all4[1] >= 50 || all4[1] < 10 {
		t.Fatalf("of the first fifties %v were kept", all4)
	}
	intact(t, l.cfg.Dir)
}

// A disk that is really full: the policy decides meanwhile, and when there is room again the log goes on.
func TestDiskFull(t *testing.T) {
	for _, policy := range []Policy{Block, DropOldest, Sample} {
		t.Run(string(policy), func(t *testing.T) {
			dir := snapshottest.SmallFS(t, 1<<20)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 1<<20-200<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := testConfig(filepath.Join(dir, "log"))
			cfg.Policy, cfg.SegmentBytes = policy, 1<<20
			synctest.Test(t, func(t *testing.T) {
				l := start(t, cfg)
				total := 0
				for l.Status().Error == "" {
					for range 50 {
						l.append(sample(total))
						total++
					}
					synctest.Wait()
				}
				done := false
				more := 1000 // the queue holds far fewer
				go func() {
					for i := range more {
						if err := l.Append(context.Background(), sample(total+i)); err != nil {
							t.Error(err)
						}
					}
					done = true
				}()
				synctest.Wait()
				if done == (policy == Block) {
					t.Fatalf("all were taken: %t", done)
				}
				s := l.Status()
				if !strings.Contains(s.Error, "no space left") || !strings.Contains(s.Error, "free some space") || s.ErrorSince.IsZero() {
					t.Fatalf("%+v", s)
				}
				time.Sleep(time.Minute)
				if s := l.Status(); s.Error == "" || s.QueuedBytes > cfg.QueueBytes {
					t.Fatalf("%+v", s)
				}
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if s := l.Status(); s.Error != "" || !done {
					t.Fatalf("%+v", s)
				}
				l.stop()
				report := intact(t, cfg.Dir)
				if report.Decisions+report.Lost != uint64(total+more) || (policy == Block) != (report.Lost == 0) {
					t.Fatalf("%+v of %d", report, total)
				}
			})
		})
	}
}

// A log that ends while its disk is full says how much it lost, gives the folder back and can be opened again.
func TestEndsWhileFull(t *testing.T) {
	dir := snapshottest.SmallFS(t, 256<<10)
	cfg := testConfig(filepath.Join(dir, "log"))
	cfg.Compression = "none"
	synctest.Test(t, func(t *testing.T) {
		l := start(t, cfg)
		taken := make(chan int, 1)
		go func() {
			n := 0
			for l.Append(context.Background(), sample(n)) == nil {
				n++
			}
			taken <- n
		}()
		synctest.Wait()
		l.end()
		l.end = nil
		err := <-l.done
		lost, n := l.Status().Lost[lostShutdown], <-taken
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d decisions were not written: ", lost)) || !strings.Contains(err.Error(), "no space left") || lost == 0 {
			t.Fatal(err, lost)
		}
		report := verify(t, cfg.Dir, segment.Head{})
		if len(report.Problems) > 0 || report.Decisions+lost != uint64(n) {
			t.Fatalf("%+v of %d, lost %d", report, n, lost)
		}
		again, err := Open(cfg, "", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(again.w.shut(), again.lock.Unlock()); err != nil {
			t.Fatal(err)
		}
	})
}
