package wal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func all(t *testing.T, folder string) ([]string, End) {
	t.Helper()
	records, end, err := tryAll(folder)
	if err != nil {
		t.Fatal(err)
	}
	return records, end
}

func tryAll(folder string) ([]string, End, error) {
	var records []string
	end, err := Read(folder, func(generation uint64, record []byte) error {
		records = append(records, fmt.Sprintf("%d:%s", generation, record))
		return nil
	})
	return records, end, err
}

func reopen(t *testing.T, folder string) *Log {
	t.Helper()
	_, end := all(t, folder)
	l, err := Open(folder, end)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t *testing.T, l *Log, records ...string) {
	t.Helper()
	for _, r := range records {
		position, err := l.Append([]byte(r))
		if err == nil {
			err = l.Wait(position)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecordsComeBack(t *testing.T) {
	folder := t.TempDir()
	l := reopen(t, folder)
	l.Rotate() // of an empty generation
	write(t, l, "a", "", "b")
	l.Rotate()
	l.Rotate()
	write(t, l, "c")
	// What is appended and not waited for is written by Close.
	if _, err := l.Append([]byte("d")); err != nil {
		t.Fatal(err)
	}
	l.Rotate()
	if _, err := l.Append([]byte("e")); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	if _, err := l.Append(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append after the end: %v", err)
	}
	if err := l.Wait(100); !errors.Is(err, ErrClosed) {
		t.Errorf("wait after the end: %v", err)
	}
	l = reopen(t, folder)
	write(t, l, strings.Repeat("x", 3<<20), "f")
	if err := l.Trim(3); err != nil {
		t.Error(err)
	}
	closeLog(t, l)
	got, end := all(t, folder)
	want := []string{"3:e", "3:" + strings.Repeat("x", 3<<20), "3:f"}
	if !slices.Equal(got, want) || end.Generation != 3 {
		t.Errorf("%.40q, generation %d", got, end.Generation)
	}
}

func TestManyWaitForOneWrite(t *testing.T) {
	folder := t.TempDir()
	l := reopen(t, folder)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 500 {
				position, err := l.Append(fmt.Appendf(nil, "%d/%d", w, i))
				if err == nil && i%3 == 0 {
					err = l.Wait(position)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i%100 == 0 {
					l.Rotate()
				}
			}
		})
	}
	all.Wait()
	if err := l.Wait(l.Appended()); err != nil {
		t.Fatal(err)
	}
	// It is read while it is open, as after a kill.
	next := make([]int, 8)
	if _, err := Read(folder, func(_ uint64, record []byte) error {
		var w, i int
		if _, err := fmt.Sscanf(string(record), "%d/%d", &w, &i); err != nil {
			return err
		}
		if next[w] != i {
			t.Errorf("%d wrote %d, want %d", w, i, next[w])
		}
		next[w]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for w, n := range next {
		if n != 500 {
			t.Errorf("%d wrote %d records", w, n)
		}
	}
	closeLog(t, l)
}

// TestCutAnywhere: however much of the last file is there, what is read is the records that are whole, and writing goes on
// behind them. Elsewhere it is damage.
func TestCutAnywhere(t *testing.T) {
	folder := t.TempDir()
	l := reopen(t, folder)
	write(t, l, "first", "second")
	l.Rotate()
	write(t, l, "third", "fourth")
	closeLog(t, l)
	first, second := filepath.Join(folder, fileName(1)), filepath.Join(folder, fileName(2))
	whole, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(whole) - 1; size >= 0; size-- {
		if err := os.WriteFile(second, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		want := []string{"1:first", "1:second"}
		if size >= headerBytes+recordHeader+len("third") {
			want = append(want, "2:third")
		}
		if got, _ := all(t, folder); !slices.Equal(got, want) {
			t.Fatalf("cut at %d: %q", size, got)
		}
		l := reopen(t, folder)
		write(t, l, "new")
		closeLog(t, l)
		if got, _ := all(t, folder); !slices.Equal(got, append(want, "2:new")) {
			t.Fatalf("cut at %d and written on: %q", size, got)
		}
		// The next generation may come first.
		if err := os.WriteFile(second, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		l = reopen(t, folder)
		next := l.Rotate()
		write(t, l, "rotated")
		closeLog(t, l)
		if got, _ := all(t, folder); !slices.Equal(got, append(want, fmt.Sprintf("%d:rotated", next))) {
			t.Fatalf("cut at %d and rotated: %q", size, got)
		}
		if err := os.Remove(filepath.Join(folder, fileName(3))); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(second, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	earlier, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for size := range earlier {
		if err := os.WriteFile(first, earlier[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		// A cut between two records cannot be seen in a file that is not the last: nothing but damage from outside makes one.
		if size == headerBytes || size == headerBytes+recordHeader+len("first") {
			continue
		}
		if _, _, err := tryAll(folder); !errors.Is(err, ErrDamaged) {
			t.Fatalf("an earlier file cut at %d: %v", size, err)
		}
	}
	if err := os.WriteFile(first, earlier, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(second, filepath.Join(folder, fileName(3))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tryAll(folder); !errors.Is(err, ErrDamaged) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestNoByteMayChange: another byte anywhere is an error, or it makes a length at the very end too long, which is refused too
// since lengths have a checksum.
func TestNoByteMayChange(t *testing.T) {
	folder := t.TempDir()
	l := reopen(t, folder)
	write(t, l, "first", "second")
	closeLog(t, l)
	name := filepath.Join(folder, fileName(1))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		bent := bytes.Clone(whole)
		bent[at] ^= 1 << (at % 8)
		if err := os.WriteFile(name, bent, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err := tryAll(folder); err == nil || !errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "version") {
			t.Fatalf("with another byte at %d: %q, %v", at, got, err)
		}
	}
}

// TestGolden: what version 1 writes does not change, and is read for ever.
func TestGolden(t *testing.T) {
	const golden = "64726579776c6f67010000000100000000000000e319b87c010000003043d0c10a42e9dc6100000000000000008ab2288c"
	folder := t.TempDir()
	l := reopen(t, folder)
	write(t, l, "a", "")
	closeLog(t, l)
	name := filepath.Join(folder, fileName(1))
	if data, err := os.ReadFile(name); err != nil || hex.EncodeToString(data) != golden {
		t.Errorf("a file is now %x, %v", data, err)
	}
	old, err := hex.DecodeString(golden)
	if err == nil {
		err = os.WriteFile(name, old, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := all(t, folder); !slices.Equal(got, []string{"1:a", "1:"}) {
		t.Errorf("the golden file is read as %q", got)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(appendRecord(appendRecord(header(1), []byte("a")), nil))
	f.Add(header(1))
	f.Add(append(header(1), make([]byte, 12)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		// What is read is what would be written: there is no second way to write it.
		again := header(1)
		end, whole, err := readFile(bytes.NewReader(data), int64(len(data)), 1, func(record []byte) error {
			again = appendRecord(again, record)
			return nil
		})
		if err != nil || end == 0 {
			return
		}
		if !bytes.Equal(again, data[:end]) || whole != (end == int64(len(data))) {
			t.Errorf("%x is read up to %d (%v) as %x", data, end, whole, again)
		}
	})
}

func BenchmarkAppendAndWait(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, err := Open(b.TempDir(), End{})
			if err != nil {
				b.Fatal(err)
			}
			record := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					position, err := l.Append(record)
					if err == nil {
						err = l.Wait(position)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
