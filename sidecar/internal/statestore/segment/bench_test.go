package segment

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

const (
	benchGroups = 128
	benchKeys   = 1_000_000
	benchValue  = 64
)

// filled is a state of many keys, all of which are durable.
func filled(b *testing.B, n, value int) (*statestore.Partitions, []string) {
	b.Helper()
	p := statestore.New(statestore.Range{From: 0, To: benchGroups - 1}, statestore.Limits{}, statestore.Hooks{})
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("customer-%07d", i)
		change(b, p, i, keys[i], value, uint64(i))
	}
	p.Loaded()
	return p, keys
}

func change(b *testing.B, p *statestore.Partitions, i int, key string, size int, n uint64) {
	value := make([]byte, size)
	for at := range value {
		value[at] = byte(n >> (at % 8 * 8))
	}
	if _, err := p.Update(uint16(i%benchGroups), key, func(statestore.Value) (statestore.Change, error) {
		return statestore.Set(value, 0), nil
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBarrier is a barrier of 1 M keys of which 1 % changed since the last one: from the freeze until the segment is in a
// file and its state is released. Base writes all of it, as one has to who does not know what changed.
func BenchmarkBarrier(b *testing.B) {
	p, keys := filled(b, benchKeys, benchValue)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, compress := range []bool{false, true} {
		for _, kind := range []Kind{Base, Increment} {
			b.Run(fmt.Sprintf("%s/compress=%v", kind, compress), func(b *testing.B) {
				name := filepath.Join(b.TempDir(), "segment")
				var size, freeze int64
				epoch := uint64(0)
				for b.Loop() {
					b.StopTimer()
					for range benchKeys / 100 {
						i := rng.IntN(benchKeys)
						change(b, p, i, keys[i], benchValue, rng.Uint64())
					}
					b.StartTimer()
					start := time.Now()
					f := p.Freeze()
					freeze += time.Since(start).Nanoseconds()
					epoch++
					if err := p.Mark(f, epoch, nil); err != nil {
						b.Fatal(err)
					}
					size = toFile(b, name, f, kind, compress)
					f.Durable()
					f.Release()
				}
				b.ReportMetric(float64(size), "segment-B")
				b.ReportMetric(float64(freeze)/float64(b.N), "freeze-ns")
			})
		}
	}
}

func toFile(b *testing.B, name string, f *statestore.Frozen, kind Kind, compress bool) int64 {
	out, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	buffered := bufio.NewWriterSize(out, 1<<18)
	s, err := Write(buffered, f, kind, Options{MaxParallelism: benchGroups, Answers: true, Compress: compress})
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	return s.Bytes
}

// BenchmarkUpdateBesideSnapshot is what a writer sees while the whole state is being written again and again, and without.
func BenchmarkUpdateBesideSnapshot(b *testing.B) {
	p, keys := filled(b, benchKeys, benchValue)
	for _, beside := range []bool{false, true} {
		b.Run(fmt.Sprintf("snapshot=%v", beside), func(b *testing.B) {
			stop := make(chan struct{})
			var snapshots sync.WaitGroup
			if beside {
				name := filepath.Join(b.TempDir(), "segment")
				snapshots.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						f := p.Freeze()
						toFile(b, name, f, Base, false)
						f.Durable()
						f.Release()
					}
				})
			}
			took := make([]time.Duration, 0, 1<<20)
			n := 0
			for b.Loop() {
				i := n * 7919 % benchKeys
				start := time.Now()
				change(b, p, i, keys[i], benchValue, uint64(n))
				if len(took) < cap(took) {
					took = append(took, time.Since(start))
				}
				n++
			}
			close(stop)
			snapshots.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		})
	}
}

// BenchmarkRestore loads a state from memory, so that it shows what hashing, decoding and the maps cost.
func BenchmarkRestore(b *testing.B) {
	for _, size := range []struct{ keys, value int }{{benchKeys, benchValue}, {benchKeys / 10, 1024}} {
		p, _ := filled(b, size.keys, size.value)
		f := p.Freeze()
		for _, compress := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/value=%d/compress=%v", size.keys, size.value, compress), func(b *testing.B) {
				restoreAgain(b, f, compress)
			})
		}
		f.Release()
	}
}

func restoreAgain(b *testing.B, f *statestore.Frozen, compress bool) {
	store := memory.New()
	var body bytes.Buffer
	s, err := Write(&body, f, Base, Options{MaxParallelism: benchGroups, Compress: compress})
	if err != nil {
		b.Fatal(err)
	}
	s.Key = "segment"
	if _, err := store.Create(b.Context(), s.Key, &body, s.Bytes); err != nil {
		b.Fatal(err)
	}
	ref, err := PutManifest(b.Context(), store, "manifest", &Manifest{
		Operator: "op", MaxParallelism: benchGroups, KeyGroups: f.KeyGroups(), Segments: []Segment{s},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(s.Bytes)
	for b.Loop() {
		if _, err := Restore(b.Context(), store, []Reference{ref}, Want{
			Operator: "op", MaxParallelism: benchGroups, KeyGroups: f.KeyGroups(), Parallel: 4,
		}); err != nil {
			b.Fatal(err)
		}
	}
}
