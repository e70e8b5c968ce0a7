package decisions

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	l := start(t, testConfig(dir))
	failed := &Decision{
		ID: "f", Time: noon.Add(3), Function: "fraud", Build: "b", Input: []byte("[1]"), ErrorCode: "function_error",
		ErrorMessage: "fraud: amount -1 is not an amount of money", Replayed: true,
	}
	want := []*Decision{sample(1), failed, {ID: "bare", Time: noon}}
	for _, d := range want {
		l.append(d)
	}
	l.flush()
	check := func(build string) {
		t.Helper()
		all := collect(t, dir, Query{})
		if len(all) != len(want) {
			t.Fatalf("%d decisions", len(all))
		}
		for i, e := range all {
			d := *want[i]
			d.Seq = uint64(i) + 2 // after the note of the start
			if diff := cmp.Diff(&d, e.Decision); diff != "" {
				t.Errorf("%s: %s", build, diff)
			}
			found, err := NewReader(dir).Lookup(t.Context(), d.ID)
			if err != nil || len(found) != 1 || !cmp.Equal(found[0], &d) {
				t.Errorf("%s: looked up %+v, %v", build, found, err)
			}
		}
	}
	check("open")
	if found, err := NewReader(dir).Lookup(t.Context(), "nobody"); err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	l.stop()
	if err := l.Append(t.Context(), failed); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	check("closed")

	// The next process goes on with the same chain and the same file.
	head := intact(t, dir).Head
	again := start(t, testConfig(dir))
	again.stop()
	before, err := segment.ParseHead(head)
	if err != nil {
		t.Fatal(err)
	}
	if report := verify(t, dir, before); len(report.Problems) > 0 || report.Head == head {
		t.Fatalf("%+v, with %s before", report, head)
	}
	all := collect(t, dir, Query{Notes: true})
	for i, e := range all {
		if e.Seq != uint64(i)+1 {
			t.Fatalf("number %d at %d", e.Seq, i)
		}
	}
	if len(notes(all, NoteStarted)) != 2 || len(notes(all, NoteStopped)) != 2 {
		t.Fatalf("%+v", all)
	}
	if reasons := all[1].Decision.Reasons(); len(reasons) != 1 || !strings.HasPrefix(reasons[0], "small amount") {
		t.Fatal(reasons)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := start(t, testConfig(dir))
	if _, err := Open(testConfig(dir), "", l.log); err == nil || !strings.Contains(err.Error(), "another drey writes it") {
		t.Fatal(err)
	}
	l.stop()
	start(t, testConfig(dir)).stop()
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{MaxBytes: -1, Policy: "hope", Mask: []string{" "}, Compression: "rar"}
	err := bad.Validate()
	for _, word := range []string{"policy", "mask", "max_value_bytes", "queue_bytes", "segment_bytes", "max_bytes", "commit_every", "sync_every", "segment_age", "max_age", "compression"} {
		if err == nil || !strings.Contains(err.Error(), word+": ") {
			t.Errorf("%s is not named by: %v", word, err)
		}
	}
	if _, err := Open(bad, "", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened")
	}
}

func TestUnusableFolder(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testConfig(taken), "", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), taken) {
		t.Fatal(err)
	}
	_, err = NewReader(filepath.Join(taken, "none")).Lookup(t.Context(), "x")
	if err == nil {
		t.Fatal("read")
	}
}

// A record that fits nowhere is lost and counted, whatever the policy; one with a long value keeps all but that.
func TestTooLong(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MaxValueBytes = 1000
	l := start(t, cfg)
	long := sample(1)
	long.Input = []byte(`"` + strings.Repeat("x", 2000) + `"`)
	l.append(long)
	rules := sample(2)
	rules.Rules = slices.Repeat([]string{strings.Repeat("r", 1000)}, 100)
	l.append(rules)
	l.append(sample(3))
	l.stop()
	all := collect(t, cfg.Dir, Query{Notes: true})
	if diff := cmp.Diff([]string{long.ID, sample(3).ID}, ids(all)); diff != "" {
		t.Fatal(diff)
	}
	found, err := NewReader(cfg.Dir).Lookup(t.Context(), long.ID)
	if err != nil || !strings.HasPrefix(string(found[0].Input), `{"omitted_bytes":2002,"sha256":"`) || found[0].Omitted != InInput {
		t.Fatalf("%s %v", found[0].Input, err)
	}
	if told := notes(all, NoteLost); len(told) != 1 || told[0].Reason != lostTooLarge || told[0].Decisions != 1 {
		t.Fatalf("%+v", told)
	}
}

// refusing is a file whose Sync fails once when it is armed.
type refusing struct {
	file
	armed *atomic.Bool
}

func (r refusing) Sync() error {
	if r.armed.Swap(false) {
		return errors.New("input/output error")
	}
	return r.file.Sync()
}

func TestSyncRefused(t *testing.T) {
	var armed atomic.Bool
	cfg := testConfig(t.TempDir())
	l := startWith(t, cfg, func(path string) (file, error) {
		f, err := createFile(path)
		return refusing{f, &armed}, err
	})
	l.flush()
	armed.Store(true)
	l.append(sample(1))
	if err := l.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "make durable: input/output error") {
		t.Fatal(err)
	}
	l.append(sample(2))
	l.flush()
	l.stop()
	intact(t, cfg.Dir)
	all := collect(t, cfg.Dir, Query{Notes: true})
	if told := notes(all, NoteUnsynced); len(told) != 1 || told[0].Head.Seq != 2 || len(ids(all)) != 2 {
		t.Fatalf("%+v", all)
	}
}

// torn is a file that takes half of a write, once, and then cannot even be cut.
type torn struct {
	file
	writes, cuts *atomic.Int64 // that are left until one fails
}

func (f torn) WriteAt(b []byte, at int64) (int, error) {
	if f.writes.Add(-1) == 0 {
		n, err := f.file.WriteAt(b[:len(b)/2], at)
		return n, errors.Join(err, errors.New("input/output error"))
	}
	return f.file.WriteAt(b, at)
}

func (f torn) Truncate(size int64) error {
	if f.cuts.Add(-1) >= 0 {
		return errors.New("input/output error")
	}
	return f.file.Truncate(size)
}

// Half a write that cannot be taken back is not built upon: it may hold whole blocks that would come to light behind shorter ones.
func TestTornWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes, cuts atomic.Int64
		writes.Store(3) // the header, the start, this one
		cuts.Store(3)
		cfg := testConfig(t.TempDir())
		cfg.QueueBytes, cfg.SegmentBytes, cfg.CommitEvery = 4<<20, 4<<20, time.Second
		l := startWith(t, cfg, func(path string) (file, error) {
			f, err := createFile(path)
			return torn{f, &writes, &cuts}, err
		})
		synctest.Wait()
		const total = 3000 // several blocks in one write
		for i := range total {
			l.append(sample(i))
		}
		time.Sleep(time.Minute)
		l.stop()
		if writes.Load() > 0 || cuts.Load() >= 0 {
			t.Fatal("nothing failed")
		}
		if report := intact(t, cfg.Dir); report.Decisions != total || report.Lost > 0 {
			t.Fatalf("%+v", report)
		}
	})
}

// What was appended is written and made durable by the clock, without anybody asking; many are written as one block.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t.TempDir())
		cfg.CommitEvery, cfg.SyncEvery, cfg.QueueBytes = 10*time.Millisecond, time.Second, 1<<20
		var synced atomic.Int64
		l := startWith(t, cfg, func(path string) (file, error) {
			f, err := createFile(path)
			return counting{f, &synced}, err
		})
		time.Sleep(time.Second)
		before := synced.Load()
		for i := range 100 {
			l.append(sample(i))
			if i == 0 {
				synctest.Wait() // the first one is written at once
				if n := len(ids(collect(t, cfg.Dir, Query{}))); n != 1 {
					t.Fatalf("%d written", n)
				}
			}
		}
		if n := len(ids(collect(t, cfg.Dir, Query{}))); n != 1 {
			t.Fatalf("%d written, should wait for more", n)
		}
		time.Sleep(cfg.CommitEvery)
		synctest.Wait()
		r := NewReader(cfg.Dir)
		n := 0
		for range r.Range(t.Context(), Query{}) {
			n++
		}
		if n != 100 || r.blocks.Load() > 4 { // the start, the first, the others
			t.Fatalf("%d decisions in %d blocks", n, r.blocks.Load())
		}
		time.Sleep(2 * cfg.SyncEvery)
		if n := synced.Load() - before; n != 2 { // with the first one, since the last time was long ago, and once for the others
			t.Fatalf("made durable %d times", n)
		}
		l.stop()
	})
}

type counting struct {
	file
	n *atomic.Int64
}

func (c counting) Sync() error {
	c.n.Add(1)
	return c.file.Sync()
}
