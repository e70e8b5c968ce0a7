package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

// small cuts objects into pieces that a test can look at.
var small = Options{Parallel: 3, block: 1000, segment: 4000}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// counting counts the requests and the bytes that are asked for.
type counting struct {
	Source

	opens, stats atomic.Int64
	bytes        atomic.Int64
	// before is called before each Open, and may fail it.
	before func(n int64, key string) error
	// limit cuts what is read of each answer; 0: nothing is cut.
	limit int64
}

func (c *counting) Stat(ctx context.Context, key string) (snapshot.Object, error) {
	c.stats.Add(1)
	return c.Source.Stat(ctx, key)
}

func (c *counting) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	n := c.opens.Add(1)
	if c.before != nil {
		if err := c.before(n, key); err != nil {
			return nil, snapshot.Object{}, err
		}
	}
	r, o, err := c.Source.Open(ctx, key, part)
	if err != nil {
		return r, o, err
	}
	length, err := part.Within(o.Size)
	c.bytes.Add(length)
	if c.limit > 0 && length > c.limit {
		broke := &snapshot.Error{Op: "read", Where: "memory:", Key: key, Kind: snapshot.ErrUnavailable, Retryable: true}
		return io.NopCloser(io.MultiReader(io.LimitReader(r, c.limit), failing{broke})), o, err
	}
	return r, o, err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// world is a store with a few objects, as a checkpoint has them.
func world(t *testing.T) (*counting, []Item, map[string][]byte) {
	t.Helper()
	store := memory.New()
	source := &counting{Source: store}
	var items []Item
	contents := map[string][]byte{}
	for i, size := range []int{0, 1, 999, 1000, 1001, 4000, 4001, 25_500} {
		key := fmt.Sprintf("job/chk-1/f%d", i)
		contents[key] = Bytes(size, uint64(i))
		Put(t, store, key, contents[key])
		items = append(items, Item{Name: fmt.Sprintf("chk-1/f%d", i), Source: source, Key: key, URL: "s3://flink/" + key, Size: int64(size)})
	}
	return source, items, contents
}

// check compares a copy with what it is of.
func check(t *testing.T, folder string, items []Item, contents map[string][]byte) {
	t.Helper()
	for _, item := range items {
		got, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(item.Name)))
		must(t, err)
		want := contents[item.Key]
		if item.Ranges != nil {
			holes := make([]byte, item.Ranges[len(item.Ranges)-1].end())
			for _, r := range item.Ranges {
				copy(holes[r.Offset:r.end()], want[r.Offset:])
			}
			want = holes
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s has %d other bytes, want %d", item.Name, len(got), len(want))
		}
	}
	var found int
	must(t, filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found++
		}
		return err
	}))
	if found != len(items)+1 {
		t.Errorf("%d files, want %d and the manifest", found, len(items))
	}
	for _, suffix := range []string{".part", ".lock"} {
		if _, err := os.Lstat(folder + suffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", suffix, err)
		}
	}
}

func total(contents map[string][]byte) (n int64) {
	for _, c := range contents {
		n += int64(len(c))
	}
	return n
}

func TestPull(t *testing.T) {
	source, items, contents := world(t)
	folder := filepath.Join(t.TempDir(), "copies", "chk-1")
	result, err := Pull(t.Context(), folder, items, small)
	must(t, err)
	check(t, folder, items, contents)
	if result.Downloaded != total(contents) || result.Manifest.Bytes() != total(contents) || source.bytes.Load() != total(contents) {
		t.Errorf("downloaded %d, copied %d, asked for %d of %d bytes", result.Downloaded, result.Manifest.Bytes(), source.bytes.Load(), total(contents))
	}
	if n := source.opens.Load(); n != 7+1+1+6 { // one per small object, 2 and 7 for the large ones
		t.Errorf("%d requests", n)
	}
	m, err := Verify(t.Context(), folder)
	if err != nil || cmp.Diff(m, result.Manifest) != "" {
		t.Errorf("verify answers %v, %v", m, err)
	}

	// Once more: nothing is fetched.
	before := source.opens.Load() + source.stats.Load()
	again, err := Pull(t.Context(), folder, items, small)
	if err != nil || again.Downloaded != 0 || source.opens.Load()+source.stats.Load() != before || cmp.Diff(again.Manifest, m) != "" {
		t.Errorf("again: %d bytes, %v", again.Downloaded, err)
	}
	// Something else, under the same name.
	if _, err := Pull(t.Context(), folder, items[1:], small); !errors.Is(err, snapshot.ErrExists) || !strings.Contains(err.Error(), "use another folder") {
		t.Errorf("got %v", err)
	}
}

func TestRanges(t *testing.T) {
	source, items, contents := world(t)
	item := items[len(items)-1]
	item.Ranges = []Range{{0, 10}, {10, 990}, {5000, 1}, {7000, 9500}, {25_000, 500}}
	item.Size = -1
	folder := filepath.Join(t.TempDir(), "copy")
	result, err := Pull(t.Context(), folder, []Item{item}, small)
	must(t, err)
	check(t, folder, []Item{item}, contents)
	if source.bytes.Load() != 11_001 || result.Downloaded != 11_001 {
		t.Errorf("asked for %d, downloaded %d bytes", source.bytes.Load(), result.Downloaded)
	}
	_, err = Verify(t.Context(), folder)
	must(t, err)
}

// Objects whose size nobody knows before: with the whole asked for, only what is needed is read.
func TestUnknownSize(t *testing.T) {
	_, items, contents := world(t)
	for i := range items {
		items[i].Size = -1
	}
	folder := filepath.Join(t.TempDir(), "copy")
	result, err := Pull(t.Context(), folder, items, small)
	must(t, err)
	check(t, folder, items, contents)
	if result.Downloaded != total(contents) {
		t.Errorf("downloaded %d of %d bytes", result.Downloaded, total(contents))
	}
}

// However often it breaks off: each call gets further, and no block is fetched twice.
func TestResume(t *testing.T) {
	source, items, contents := world(t)
	source.limit = 1700
	folder := filepath.Join(t.TempDir(), "copy")
	var downloaded int64
	for calls := 1; ; calls++ {
		result, err := Pull(t.Context(), folder, items, small)
		downloaded += result.Downloaded
		if err == nil {
			if calls < 5 {
				t.Errorf("only %d calls", calls)
			}
			break
		}
		if !snapshot.Retryable(err) || calls > 100 {
			t.Fatalf("call %d: %v", calls, err)
		}
		if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a copy that is not complete has its name: %v", err)
		}
	}
	check(t, folder, items, contents)
	if downloaded != total(contents) {
		t.Errorf("downloaded %d bytes for %d", downloaded, total(contents))
	}
}

// What a crash of the machine does to blocks that were not synced: they are fetched again, and only they.
func TestResumeAfterDamage(t *testing.T) {
	source, items, contents := world(t)
	large := items[len(items)-1]
	folder := filepath.Join(t.TempDir(), "copy")
	source.before = func(n int64, _ string) error {
		if n == 6 {
			return &snapshot.Error{Op: "open", Where: "memory:", Kind: snapshot.ErrUnavailable, Retryable: true}
		}
		return nil
	}
	one := small
	one.Parallel = 1
	first, err := Pull(t.Context(), folder, []Item{large}, one)
	if !snapshot.Retryable(err) || first.Downloaded != 20_000 {
		t.Fatalf("%d bytes, %v", first.Downloaded, err)
	}
	data := filepath.Join(folder+".part", large.Name)
	journal := filepath.Join(folder+".part", journalName)
	f, err := os.OpenFile(data, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 500), 3_200) // block 3
	must(t, err, f.Truncate(19_500), f.Close())  // block 19
	info, err := os.Stat(journal)
	must(t, err, os.Truncate(journal, info.Size()-3)) // the record of block 19, too
	second, err := Pull(t.Context(), folder, []Item{large}, one)
	must(t, err)
	check(t, folder, []Item{large}, contents)
	if second.Downloaded != 5_500+2_000 {
		t.Errorf("downloaded %d bytes, want the rest and two blocks", second.Downloaded)
	}
}

// An object that was replaced between two calls is fetched from its beginning.
func TestReplacedBetween(t *testing.T) {
	source, items, contents := world(t)
	large := items[len(items)-1]
	folder := filepath.Join(t.TempDir(), "copy")
	source.limit = 2000
	if _, err := Pull(t.Context(), folder, []Item{large}, small); !snapshot.Retryable(err) {
		t.Fatal(err)
	}
	source.limit = 0
	replace(t, source, large.Key, contents)
	result, err := Pull(t.Context(), folder, []Item{large}, small)
	must(t, err)
	check(t, folder, []Item{large}, contents)
	if result.Downloaded != large.Size {
		t.Errorf("downloaded %d of %d bytes", result.Downloaded, large.Size)
	}
}

// replace puts another object of the same size into the place of one.
func replace(t *testing.T, source *counting, key string, contents map[string][]byte) {
	t.Helper()
	store, ok := source.Source.(*memory.Store)
	if !ok {
		t.Fatal("not in memory")
	}
	o, err := store.Stat(t.Context(), key)
	must(t, err)
	contents[key] = Bytes(int(o.Size), 99)
	_, err = store.Replace(t.Context(), key, contents[key], o.ETag)
	must(t, err)
}

// An object that is replaced by another of the same size while it is fetched.
func TestReplacedMeanwhile(t *testing.T) {
	source, items, contents := world(t)
	large := items[len(items)-1]
	folder := filepath.Join(t.TempDir(), "copy")
	source.before = func(n int64, key string) error {
		if n == 3 {
			replace(t, source, key, contents)
		}
		return nil
	}
	if _, err := Pull(t.Context(), folder, []Item{large}, small); !errors.Is(err, snapshot.ErrChanged) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy of two versions: %v", err)
	}
	result, err := Pull(t.Context(), folder, []Item{large}, small)
	must(t, err)
	check(t, folder, []Item{large}, contents)
	if result.Downloaded != large.Size {
		t.Errorf("downloaded %d of %d bytes", result.Downloaded, large.Size)
	}
}

func TestMissing(t *testing.T) {
	source, items, contents := world(t)
	store := source.Source.(*memory.Store) //nolint:forcetypeassert // see world
	must(t, store.Delete(t.Context(), items[3].Key), store.Delete(t.Context(), items[5].Key))
	items[6].Size++                                              // shorter than the checkpoint says
	items[7].Ranges, items[7].Size = []Range{{25_000, 1000}}, -1 // likewise
	folder := filepath.Join(t.TempDir(), "copy")
	_, err := Pull(t.Context(), folder, items, small)
	if err == nil || !strings.Contains(err.Error(), "4 of 8 objects are missing") || !strings.Contains(err.Error(), items[5].Key) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is there: %v", err)
	}
	allowing := small
	allowing.AllowMissing = true
	result, err := Pull(t.Context(), folder, items, allowing)
	must(t, err)
	var names []string
	for _, m := range result.Manifest.Missing {
		names = append(names, m.Name)
		if m.URL == "" || m.Reason == "" {
			t.Errorf("%+v says too little", m)
		}
	}
	if fmt.Sprint(names) != "[chk-1/f3 chk-1/f5 chk-1/f6 chk-1/f7]" {
		t.Errorf("missing: %v", names)
	}
	check(t, folder, []Item{items[0], items[1], items[2], items[4]}, contents)
	again, err := Pull(t.Context(), folder, items, allowing)
	if err != nil || cmp.Diff(again.Manifest, result.Manifest) != "" {
		t.Errorf("again: %v, %v", again, err)
	}
}

// An object that is larger than the checkpoint says is another one.
func TestTooLarge(t *testing.T) {
	_, items, _ := world(t)
	items[4].Size--
	if _, err := Pull(t.Context(), filepath.Join(t.TempDir(), "copy"), items, small); !errors.Is(err, snapshot.ErrChanged) {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	source, items, contents := world(t)
	why := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	source.before = func(n int64, _ string) error {
		if n == 5 {
			cancel(why)
		}
		return nil
	}
	folder := filepath.Join(t.TempDir(), "copy")
	if _, err := Pull(ctx, folder, items, small); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is there: %v", err)
	}
	_, err := Pull(t.Context(), folder, items, small)
	must(t, err)
	check(t, folder, items, contents)
}

func TestTwoAtOnce(t *testing.T) {
	source, items, contents := world(t)
	folder := filepath.Join(t.TempDir(), "copy")
	var inner error
	source.before = func(n int64, _ string) error {
		if n == 2 {
			_, inner = Pull(t.Context(), folder, items, small)
		}
		return nil
	}
	_, err := Pull(t.Context(), folder, items, small)
	must(t, err)
	if !snapshot.Retryable(inner) || !errors.Is(inner, errBusy) {
		t.Errorf("got %v", inner)
	}
	check(t, folder, items, contents)
}

func TestDiscard(t *testing.T) {
	source, items, _ := world(t)
	source.limit = 100
	parent := t.TempDir()
	folder := filepath.Join(parent, "copy")
	if _, err := Pull(t.Context(), folder, items, small); err == nil {
		t.Fatal("nothing broke off")
	}
	must(t, Discard(folder), Discard(folder))
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
