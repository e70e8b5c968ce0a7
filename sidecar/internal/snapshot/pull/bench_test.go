package pull

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// repeating gives data again and again.
type repeating struct {
	data     []byte
	at, left int
}

func (r *repeating) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.left)], r.data[r.at:])
	r.at, r.left = (r.at+n)%len(r.data), r.left-n
	return n, nil
}

// BenchmarkPull pulls 200 objects of 5 MiB, and does so in turns with a loop that only gets them side by side and writes each
// to a file: no checksums, no journal, no sync. The ratio is that of the loop's time to ours.
func BenchmarkPull(b *testing.B) {
	server := StartS3(b)
	const n, size = 200, 5 << 20
	store := fill(b, server, n, size)
	items := make([]Item, n)
	for i := range items {
		key := fmt.Sprintf("chk-1/f%03d", i)
		items[i] = Item{Name: key, Source: store, Key: key, URL: "s3://bucket/" + key, Size: size}
	}
	parent := b.TempDir()
	var ours, plain time.Duration
	b.SetBytes(n * size)
	for round := 0; b.Loop(); round++ {
		folder := filepath.Join(parent, fmt.Sprint("pull", round))
		begin := time.Now()
		if _, err := Pull(b.Context(), folder, items, Options{}); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(begin)
		b.StopTimer()
		other := filepath.Join(parent, fmt.Sprint("plain", round))
		begin = time.Now()
		if err := plainLoop(b, other, items); err != nil {
			b.Fatal(err)
		}
		plain += time.Since(begin)
		for _, done := range []string{folder, other} {
			if err := os.RemoveAll(done); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
	b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(n*size/1e6*float64(b.N)/plain.Seconds(), "plain-MB/s")
}

func plainLoop(b *testing.B, folder string, items []Item) error {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(folder, "chk-1"), 0o700); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(defaultParallel)
	for _, item := range items {
		group.Go(func() error {
			r, _, err := item.Source.Open(b.Context(), item.Key, snapshot.Whole())
			if err != nil {
				return err
			}
			f, err := os.Create(filepath.Join(folder, item.Name))
			if err != nil {
				return err
			}
			if _, err := io.Copy(f, r); err != nil {
				return err
			}
			if err := r.Close(); err != nil {
				return err
			}
			return f.Close()
		})
	}
	return group.Wait()
}
