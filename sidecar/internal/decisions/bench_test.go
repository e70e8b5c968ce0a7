package decisions

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/decisions/segment"
)

// many is how many decisions the benchmarks of a whole log have: go test -bench Lookup -decisions 10000000
var many = flag.Int("decisions", 200_000, "decisions in the log that BenchmarkLookup and BenchmarkVerify read")

// The caller's share: one encoding and one copy.
func BenchmarkAppend(b *testing.B) {
	for _, test := range []struct {
		name   string
		policy Policy
		mask   []string
	}{{"block", Block, nil}, {"drop_oldest", DropOldest, nil}, {"sample", Sample, nil}, {"block, masked", Block, []string{"ip", "iban", "device"}}} {
		b.Run(test.name, func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.Dir, cfg.Policy, cfg.Mask, cfg.MaxBytes, cfg.MaxAge = b.TempDir(), test.policy, test.mask, 256<<20, 200*365*24*time.Hour
			l, done := background(b, cfg)
			d := sample(7)
			size := len(l.enc.append(nil, d))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := l.Append(context.Background(), d); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			done()
			if s := l.Status(); test.policy != Block {
				lost := uint64(0)
				for _, n := range s.Lost {
					lost += n
				}
				b.ReportMetric(float64(lost)/float64(b.N), "lost/op")
			}
		})
	}
}

// The encoding alone, without the queue and the writer beside it.
func BenchmarkEncode(b *testing.B) {
	for name, mask := range map[string][]string{"plain": nil, "masked": {"ip", "iban", "device"}} {
		b.Run(name, func(b *testing.B) {
			e := encoder{masks: newMasks(mask), maxValue: 1 << 20}
			d := sample(7)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = segment.FinishRecord(e.append(segment.BeginRecord(buf[:0]), d), 0)
			}
		})
	}
}

func background(tb testing.TB, cfg Config) (l *Log, done func()) {
	tb.Helper()
	l, err := Open(cfg, "bench", slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return l, func() {
		tb.Helper()
		cancel()
		if err := <-ended; err != nil {
			tb.Fatal(err)
		}
	}
}

// What a codec costs and saves, sealing one full segment.
func BenchmarkSeal(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Dir = b.TempDir()
	l, done := background(b, cfg)
	const decisions = 100_000
	for i := range decisions {
		if err := l.Append(context.Background(), sample(i)); err != nil {
			b.Fatal(err)
		}
	}
	done()
	var r segment.Reader
	path := filepath.Join(cfg.Dir, segmentName(1, suffixOpen))
	for codec := segment.None; codec <= segment.Zstd; codec++ {
		b.Run(codec.String(), func(b *testing.B) {
			var sealed segment.Sealed
			for b.Loop() {
				from, err := r.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				to, err := os.Create(filepath.Join(b.TempDir(), "sealed"))
				if err != nil {
					b.Fatal(err)
				}
				if sealed, err = segment.Seal(context.Background(), from, to, codec, keyOf); err != nil {
					b.Fatal(err)
				}
				if err := to.Close(); err != nil {
					b.Fatal(err)
				}
				if err := from.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(sealed.Bytes)/decisions, "B/decision")
			b.ReportMetric(float64(sealed.Raw)/decisions, "raw-B/decision")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/decisions, "ns/decision")
		})
	}
}

// manyDecisions makes the log that whole-log benchmarks read.
func manyDecisions(b *testing.B) string {
	b.Helper()
	cfg := DefaultConfig()
	cfg.Dir, cfg.MaxBytes, cfg.MaxAge = b.TempDir(), 1<<40, 200*365*24*time.Hour
	l, done := background(b, cfg)
	began := time.Now()
	for i := range *many {
		if err := l.Append(context.Background(), sample(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	wrote := time.Since(began)
	if err := l.keep.round(context.Background()); err != nil {
		b.Fatal(err)
	}
	s := l.Status()
	b.Logf("%d decisions: written in %s (%.0f/s), sealed after %s, %d segments, %.1f B each", *many, wrote.Round(time.Millisecond),
		float64(*many)/wrote.Seconds(), time.Since(began).Round(time.Millisecond), s.Segments, float64(s.Bytes)/float64(*many))
	done()
	return cfg.Dir
}

// The lineage of one decision. Each iteration is a reader of its own, as a command is.
func BenchmarkLookup(b *testing.B) {
	dir := manyDecisions(b)
	for _, test := range []struct {
		name  string
		first int
		want  int
	}{{"found", 0, 1}, {"not there", *many, 0}} {
		b.Run(test.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			worst, blocks := time.Duration(0), int64(0)
			for b.Loop() {
				id := sample(test.first + random.IntN(*many)).ID
				began := time.Now()
				r := NewReader(dir)
				found, err := r.Lookup(context.Background(), id)
				if err != nil || len(found) != test.want {
					b.Fatal(found, err)
				}
				worst, blocks = max(worst, time.Since(began)), blocks+r.blocks.Load()
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			b.ReportMetric(float64(blocks)/float64(b.N), "blocks/op")
		})
	}
	b.Run("range of one second", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range NewReader(dir).Range(context.Background(), Query{Since: noon.Add(50 * time.Second), Until: noon.Add(51 * time.Second)}) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 1000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range NewReader(dir).Range(context.Background(), Query{}) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != *many {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(*many)*float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			report, err := NewReader(dir).Verify(context.Background(), segment.Head{})
			if err != nil || len(report.Problems) > 0 || report.Decisions != uint64(*many) {
				b.Fatalf("%+v %v", report, err)
			}
		}
		b.ReportMetric(float64(*many)*float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	})
}

// TestAppendAllocatesNothing: what the caller does must not feed the collector.
func TestAppendAllocatesNothing(t *testing.T) {
	if info, _ := debug.ReadBuildInfo(); info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector makes pools forget")
	}
	cfg := testConfig(t.TempDir())
	cfg.QueueBytes, cfg.Policy, cfg.Mask = 1<<20, DropOldest, []string{"ip"}
	l, err := Open(cfg, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d := sample(1)
	for range 10_000 { // until the queue has its size
		if err := l.Append(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(1000, func() { _ = l.Append(context.Background(), d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if found, err := NewReader(cfg.Dir).Lookup(t.Context(), d.ID); err != nil || len(found) < 1000 {
		t.Fatal(len(found), err)
	}
}
