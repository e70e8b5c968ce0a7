package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// The check value of each CRC is that of the digits 1 to 9 (https://reveng.sourceforge.io/crc-catalogue/).
func TestAlgorithms(t *testing.T) {
	for algorithm, want := range map[snapshot.Algorithm]string{
		snapshot.CRC32: "CRC32:cbf43926", snapshot.CRC32C: "CRC32C:e3069283", snapshot.CRC64NVME: "CRC64NVME:ae8b14860a799888",
		snapshot.SHA1:   "SHA1:f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		snapshot.SHA256: "SHA256:15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		sum, err := algorithm.OfBytes([]byte("123456789"))
		if err != nil || sum.String() != want {
			t.Errorf("got %s, %v, want %s", sum, err, want)
		}
		again, err := snapshot.ParseChecksum(algorithm, sum.Base64())
		if err != nil || again.String() != want {
			t.Errorf("%s in base 64 is %s: %v", want, again, err)
		}
	}
	if _, err := snapshot.Algorithm("MD4").OfBytes(nil); err == nil {
		t.Error("an unknown algorithm has a sum")
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		part snapshot.Part
		size int64
		want int64
		err  error
	}{
		{snapshot.Whole(), 10, 10, nil},
		{snapshot.Whole(), 0, 0, nil},
		{snapshot.Part{Offset: 3, Length: 7}, 10, 7, nil},
		{snapshot.Part{Offset: 3, Length: 8}, 10, 0, snapshot.ErrShort},
		{snapshot.Part{Offset: math.MaxInt64, Length: math.MaxInt64}, 10, 0, snapshot.ErrShort},
		{snapshot.Part{Offset: 1, Length: math.MaxInt64}, 10, 0, snapshot.ErrShort},
		{snapshot.Part{Offset: math.MinInt64, Length: 1}, 10, 0, snapshot.ErrInvalid},
		{snapshot.Part{Length: math.MinInt64}, 10, 0, snapshot.ErrInvalid},
	} {
		if got, err := c.part.Within(c.size); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%+v of %d: got %d, %v", c.part, c.size, got, err)
		}
	}
}

func TestError(t *testing.T) {
	err := fmt.Errorf("pull chk-42: %w", &snapshot.Error{
		Op: "open", Where: "s3://flink", Key: "a/b", Kind: snapshot.ErrNotFound, Hint: "take a newer checkpoint", Err: fs.ErrNotExist,
	})
	if want := "pull chk-42: open s3://flink/a/b: not found: file does not exist; take a newer checkpoint"; err.Error() != want {
		t.Errorf("got %q", err)
	}
	if !errors.Is(err, snapshot.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) || snapshot.Retryable(err) || snapshot.Unsure(err) {
		t.Error("the error is not what it is made of")
	}
	if !snapshot.Retryable(&snapshot.Error{Retryable: true}) || snapshot.Retryable(&snapshot.Error{Retryable: true, Err: context.Canceled}) {
		t.Error("retryable is what the store says so of, if nobody cancelled it")
	}
	if !snapshot.Unsure(context.DeadlineExceeded) {
		t.Error("after the end of a context nobody knows")
	}
}

// A key that passes stays below any folder that it is joined to.
func FuzzKey(f *testing.F) {
	for _, key := range []string{"a/b", "../a", "a/..", "a//b", "/a", "a/", ".", "..a", "a\x00", "a\\..\\b"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if snapshot.CheckKey(key) != nil {
			return
		}
		if !fs.ValidPath(key) || key == "." || strings.HasPrefix(key, "/") {
			t.Errorf("%q passes", key)
		}
		if err := snapshot.CheckPrefix(key); err != nil {
			t.Errorf("%q passes as key and not as prefix: %v", key, err)
		}
	})
}
