package decisions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// Segments are begun, sealed and dropped by the clock when nothing is written, and empty ones are not begun again and again.
func TestKeptByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t.TempDir())
		cfg.SegmentAge, cfg.MaxAge = time.Hour, 24*time.Hour
		l := start(t, cfg)
		now := sample(1)
		now.Time = time.Now()
		l.append(now)
		l.flush()
		list := func() (sealed, open int) {
			t.Helper()
			files, err := listSegments(cfg.Dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if f.sealed {
					sealed++
				} else {
					open++
				}
			}
			return sealed, open
		}
		time.Sleep(59 * time.Minute)
		if sealed, open := list(); sealed != 0 || open != 1 {
			t.Fatal(sealed, open)
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if sealed, open := list(); sealed != 1 || open != 1 {
			t.Fatal(sealed, open)
		}
		time.Sleep(12 * time.Hour)
		synctest.Wait()
		if sealed, open := list(); sealed != 1 || open != 1 {
			t.Fatal(sealed, open)
		}
		if found, err := NewReader(cfg.Dir).Lookup(t.Context(), now.ID); err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		time.Sleep(13 * time.Hour)
		synctest.Wait()
		if found, err := NewReader(cfg.Dir).Lookup(t.Context(), now.ID); err != nil || len(found) != 0 {
			t.Fatal(found, err)
		}
		l.stop()
		report := intact(t, cfg.Dir)
		if report.Dropped != 2 {
			t.Fatalf("%+v", report)
		}
	})
}

// The oldest are dropped when all are too long. What is there is then still whole, and what is missing besides is found.
func TestDropped(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MaxBytes, cfg.Compression = 5*minSegmentBytes, "none"
	l := start(t, cfg)
	for i := range 3000 {
		l.append(sample(i))
		if i%100 == 0 {
			l.settle()
		}
	}
	l.flush()
	l.settle()
	l.stop()
	report := intact(t, cfg.Dir)
	if report.Dropped < 1000 || report.Bytes > cfg.MaxBytes+2*minSegmentBytes {
		t.Fatalf("%+v", report)
	}
	all := collect(t, cfg.Dir, Query{Notes: true})
	if all[0].Seq != report.Dropped+1 {
		t.Fatalf("begins with %d, dropped up to %d", all[0].Seq, report.Dropped)
	}
	told := notes(all, NoteDropped)
	if last := told[len(told)-1]; last.Head.Seq != report.Dropped || last.Bytes == 0 {
		t.Fatalf("%+v", last)
	}
	files, err := listSegments(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	// One more than the log dropped itself.
	if err := os.Remove(files[0].path); err != nil {
		t.Fatal(err)
	}
	after := verify(t, cfg.Dir, segment.Head{})
	if len(after.Problems) != 1 || !strings.Contains(after.Problems[0].Message, "no note tells that they were dropped") {
		t.Fatalf("%+v", after)
	}
	// A reader that was before that goes on, and is told.
	var gap error
	n := 0
	for _, err := range NewReader(cfg.Dir).Range(t.Context(), Query{After: 10}) {
		if err != nil {
			gap = err
			continue
		}
		n++
	}
	if gap == nil || !strings.Contains(gap.Error(), "records 11 to") || n == 0 {
		t.Fatal(gap, n)
	}
}

// A segment that is damaged is not sealed: it stays where it can be looked at, and others are.
func TestDamagedIsNotSealed(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := start(t, cfg)
	first := filepath.Join(cfg.Dir, segmentName(1, suffixOpen))
	l.append(sample(0))
	l.flush()
	rewriteByte(t, first, segment.HeaderSize+segment.BlockHeaderSize+12)
	for i := range 600 {
		l.append(sample(i))
	}
	l.flush()
	if err := l.keep.round(t.Context()); err != nil && !strings.Contains(err.Error(), "drey decisions verify") {
		t.Fatal(err)
	}
	files, err := listSegments(cfg.Dir)
	if err != nil || files[0].sealed || !files[1].sealed {
		t.Fatal(files, err)
	}
	l.stop()
	report := verify(t, cfg.Dir, segment.Head{})
	if len(report.Problems) == 0 || report.Problems[0].Segment != filepath.Base(first) {
		t.Fatalf("%+v", report)
	}
}

func rewriteByte(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}
