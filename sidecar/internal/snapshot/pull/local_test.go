package pull

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	. "github.com/drey-flink/drey/sidecar/internal/snapshot/snapshottest"
)

func TestNames(t *testing.T) {
	for _, names := range [][]string{
		{""}, {"."}, {".."}, {"../a"}, {"a/../../b"}, {"/etc/passwd"}, {"a/"}, {"a//b"}, {"a\x00b"}, {"manifest.json"}, {"journal.part"},
		{"journal.part/y"}, {strings.Repeat("x", 256)}, {"a", "a"}, {"a", "a/b"}, {"a/b/c", "a/b"}, {"a", "a-b", "a/b"}, {"a", "a\x01", "a/b"},
	} {
		items := make([]Item, len(names))
		for i, name := range names {
			items[i] = Item{Name: name, Key: "k", Source: memory.New(), Size: 1}
		}
		parent := t.TempDir()
		if _, err := Pull(t.Context(), filepath.Join(parent, "copy"), items, Options{}); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%q: got %v", names, err)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
			t.Errorf("%q: left %v, %v", names, left, err)
		}
	}
	if err := checkNames([]string{"b", "a", "a.b", "a-/b", "ä/ö", "c/d", "c/e", "..a", strings.Repeat("x", 248)}); err != nil {
		t.Error(err)
	}
}

func TestBadRanges(t *testing.T) {
	for _, ranges := range [][]Range{
		{{-1, 5}}, {{0, 0}}, {{0, -1}}, {{5, 5}, {9, 1}}, {{5, 5}, {0, 1}}, {{0, 101}}, {{math.MaxInt64, 1}}, {{1, math.MaxInt64}}, {{50, 51}},
	} {
		items := []Item{{Name: "a", Key: "k", Source: memory.New(), Size: 100, Ranges: ranges}}
		if _, err := Pull(t.Context(), filepath.Join(t.TempDir(), "copy"), items, Options{}); !errors.Is(err, snapshot.ErrInvalid) {
			t.Errorf("%v: got %v", ranges, err)
		}
	}
}

// Every kind of damage to a copy is found.
func TestVerify(t *testing.T) {
	_, items, _ := world(t)
	items[7].Ranges = []Range{{100, 100}, {5000, 100}}
	for name, damage := range map[string]func(folder string) error{
		"a byte":           func(f string) error { return flip(filepath.Join(f, "chk-1/f4"), 1000) },
		"in a later range": func(f string) error { return flip(filepath.Join(f, "chk-1/f7"), 5050) },
		"shorter":          func(f string) error { return os.Truncate(filepath.Join(f, "chk-1/f4"), 1000) },
		"longer":           func(f string) error { return os.Truncate(filepath.Join(f, "chk-1/f4"), 1002) },
		"a file is gone":   func(f string) error { return os.Remove(filepath.Join(f, "chk-1/f2")) },
		"a folder is gone": func(f string) error { return os.RemoveAll(filepath.Join(f, "chk-1")) },
		"a link": func(f string) error {
			file := filepath.Join(f, "chk-1/f4")
			return errors.Join(os.Rename(file, file+".real"), os.Symlink("f4.real", file))
		},
		"no manifest":       func(f string) error { return os.Remove(filepath.Join(f, manifestName)) },
		"half a manifest":   func(f string) error { return os.Truncate(filepath.Join(f, manifestName), 100) },
		"an empty manifest": func(f string) error { return os.Truncate(filepath.Join(f, manifestName), 0) },
		"a manifest that leads elsewhere": func(f string) error {
			return os.WriteFile(filepath.Join(f, manifestName),
				[]byte(`{"version":2,"files":[{"name":"../../etc/passwd","url":"","etag":"","size":1}]}`), 0o600)
		},
		"a manifest of the future": func(f string) error {
			return os.WriteFile(filepath.Join(f, manifestName), []byte(`{"version":3,"files":[]}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "copy")
			_, err := Pull(t.Context(), folder, items, small)
			must(t, err, damage(folder))
			if _, err := Verify(t.Context(), folder); !errors.Is(err, snapshot.ErrCorrupt) || !strings.Contains(err.Error(), "pull again") {
				t.Errorf("got %v", err)
			}
			if _, err := Pull(t.Context(), folder, items, small); !errors.Is(err, snapshot.ErrCorrupt) {
				t.Errorf("pull: got %v", err)
			}
		})
	}
	// What lies between the ranges is no part of the copy.
	folder := filepath.Join(t.TempDir(), "copy")
	_, err := Pull(t.Context(), folder, items, small)
	must(t, err, flip(filepath.Join(folder, "chk-1/f7"), 3000))
	_, err = Verify(t.Context(), folder)
	must(t, err)
	if _, err := Verify(t.Context(), folder+"-not"); !errors.Is(err, snapshot.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func flip(name string, at int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var b [1]byte
	_, readErr := f.ReadAt(b[:], at)
	b[0] ^= 1
	_, writeErr := f.WriteAt(b[:], at)
	return errors.Join(readErr, writeErr, f.Close())
}

// A crash behind the last step but one: all is there, under the other name.
func TestNotYetRenamed(t *testing.T) {
	source, items, contents := world(t)
	folder := filepath.Join(t.TempDir(), "copy")
	_, err := Pull(t.Context(), folder, items, small)
	must(t, err, os.Rename(folder, folder+".part"), os.WriteFile(filepath.Join(folder+".part", journalName), []byte("x"), 0o600))
	source.opens.Store(0)
	result, err := Pull(t.Context(), folder, items, small)
	if err != nil || result.Downloaded != 0 || source.opens.Load() != 0 {
		t.Errorf("%d bytes, %d requests, %v", result.Downloaded, source.opens.Load(), err)
	}
	check(t, folder, items, contents)
}

// What an earlier call left of other items is no part of the copy.
func TestOtherItems(t *testing.T) {
	source, items, contents := world(t)
	source.limit = 1700
	folder := filepath.Join(t.TempDir(), "copy")
	if _, err := Pull(t.Context(), folder, items, small); err == nil {
		t.Fatal("nothing broke off")
	}
	source.limit = 0
	items[2].Name = "another/place"
	_, err := Pull(t.Context(), folder, items[2:3], small)
	must(t, err)
	check(t, folder, items[2:3], contents)
}

// A link in the place of the folder that is to be filled.
func TestPartIsLink(t *testing.T) {
	_, items, _ := world(t)
	parent, outside := t.TempDir(), t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(parent, "copy.part")))
	if _, err := Pull(t.Context(), filepath.Join(parent, "copy"), items, small); err == nil {
		t.Error("a link was followed")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
}

// Links below it, which lead out.
func TestLinkInPart(t *testing.T) {
	_, items, _ := world(t)
	parent, outside := t.TempDir(), t.TempDir()
	part := filepath.Join(parent, "copy.part")
	must(t, os.Mkdir(part, 0o700), os.Symlink(outside, filepath.Join(part, "chk-1")))
	if _, err := Pull(t.Context(), filepath.Join(parent, "copy"), items, small); err == nil {
		t.Error("a link was followed")
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
}

func TestDiskFull(t *testing.T) {
	disk := SmallFS(t, 1<<20)
	store := memory.New()
	var items []Item
	contents := map[string][]byte{}
	for i := range 8 {
		key := fmt.Sprint("f", i)
		contents[key] = Bytes(200_000, uint64(i))
		Put(t, store, key, contents[key])
		items = append(items, Item{Name: key, Source: store, Key: key, URL: key, Size: 200_000})
	}
	folder := filepath.Join(disk, "copy")
	_, err := Pull(t.Context(), folder, items, small)
	if !errors.Is(err, snapshot.ErrFull) || !strings.Contains(err.Error(), "1600000 bytes are missing yet") {
		t.Errorf("got %v", err)
	}
	for i := range items {
		items[i].Size = -1 // then it is not known before
	}
	first, err := Pull(t.Context(), folder, items, small)
	if !errors.Is(err, snapshot.ErrFull) || !strings.Contains(err.Error(), "free some space") || first.Downloaded == 0 {
		t.Errorf("%d bytes, %v", first.Downloaded, err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a copy: %v", err)
	}
	// With fewer items, and so with room, it goes on.
	second, err := Pull(t.Context(), folder, items[:3], small)
	must(t, err)
	check(t, folder, items[:3], contents)
	if second.Downloaded >= 600_000 {
		t.Errorf("downloaded %d bytes, none of which was there", second.Downloaded)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	disk := SmallFS(t, 1<<20)
	_, items, _ := world(t)
	done := filepath.Join(disk, "done")
	_, err := Pull(t.Context(), done, items, small)
	must(t, err)
	ReadOnly(t, disk)
	_, err = Pull(t.Context(), filepath.Join(disk, "copy"), items, small)
	if !errors.Is(err, snapshot.ErrDenied) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("got %v", err)
	}
	if _, err := Pull(t.Context(), done, items, small); err != nil {
		t.Errorf("a complete copy can be read: %v", err)
	}
}

func TestBlocks(t *testing.T) {
	b := cut([]Range{{0, 10}, {100, 1}, {200, 25}}, 10)
	var all []block
	for n := range b.count() {
		all = append(all, b.at(n))
	}
	want := []block{{0, 0, 0, 10, true}, {1, 1, 100, 1, true}, {2, 2, 200, 10, false}, {3, 2, 210, 10, false}, {4, 2, 220, 5, true}}
	if !slices.Equal(all, want) {
		t.Errorf("got %v", all)
	}
	for _, c := range []struct {
		done  []bool
		limit int64
		want  []run
	}{
		{make([]bool, 5), 100, []run{{0, 0, 0, 10}, {1, 1, 100, 1}, {2, 4, 200, 25}}},
		{make([]bool, 5), 20, []run{{0, 0, 0, 10}, {1, 1, 100, 1}, {2, 3, 200, 20}, {4, 4, 220, 5}}},
		{[]bool{true, true, false, true, false}, 100, []run{{2, 2, 200, 10}, {4, 4, 220, 5}}},
		{[]bool{true, true, true, true, true}, 100, nil},
		{make([]bool, 5), 1, []run{{0, 0, 0, 10}, {1, 1, 100, 1}, {2, 2, 200, 10}, {3, 3, 210, 10}, {4, 4, 220, 5}}},
	} {
		if got := b.runs(c.done, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%v, limit %d: got %v", c.done, c.limit, got)
		}
	}
}

func FuzzJournal(f *testing.F) {
	h := `{"version":2,"file":0,"name":"a","url":"s3://flink/k","etag":"\"1\"","size":10,"block":4,"ranges":[{"offset":0,"size":10}]}` + "\n"
	good := h + "0 0 0000000000000007\n0 2 ffffffffffffffff\n" + strings.Replace(h, `"file":0,"name":"a"`, `"file":1,"name":"b"`, 1) + "1 0 0000000000000001\n"
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)-3]))
	f.Add([]byte("{}\n"))
	f.Add([]byte("no line"))
	f.Fuzz(func(t *testing.T, data []byte) {
		files, next, good, err := readJournal(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err) // only a disk can fail
		}
		blocks := 0
		for name, r := range files {
			if r.heading.Name != name || r.heading.File >= next {
				t.Errorf("%q: %+v, next %d", name, r.heading, next)
			}
			blocks += len(r.blocks)
		}
		if good > int64(len(data)) || blocks+len(files) > bytes.Count(data, []byte("\n")) {
			t.Errorf("%d good bytes, %d files and %d blocks in %q", good, len(files), blocks, data)
		}
		again, _, same, err := readJournal(bytes.NewReader(data[:good]))
		if err != nil || same != good || len(again) != len(files) {
			t.Errorf("the good bytes are read as %d bytes, %d files, %v", same, len(again), err)
		}
	})
}

// What a crash has left in a journal ends it; what is appended later counts.
func TestJournalGoesOn(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	note := func(name string, blocks ...blockSum) {
		t.Helper()
		j, err := openJournal(root)
		must(t, err)
		number, err := j.begin(heading{Version: journalVersion, Name: name, Size: 10, Block: 4})
		must(t, err)
		for _, b := range blocks {
			must(t, j.note(number, b))
		}
		must(t, j.file.Close())
	}
	note("a", blockSum{0, 1}, blockSum{2, 1 << 63})
	note("b", blockSum{7, 7})
	f, err := root.OpenFile(journalName, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("0 1 00000")
	must(t, err, f.Close())
	note("a", blockSum{3, 3})
	j, err := openJournal(root)
	must(t, err)
	defer j.file.Close()
	for name, want := range map[string][]blockSum{"a": {{3, 3}}, "b": {{7, 7}}} {
		if r, ok := j.take(name); !ok || !slices.Equal(r.blocks, want) || r.heading.Size != 10 {
			t.Errorf("%s: %+v", name, r)
		}
		if _, ok := j.take(name); ok {
			t.Errorf("%s is there twice", name)
		}
	}
	if j.next != 3 {
		t.Errorf("the next number is %d", j.next)
	}
}

// Files begin side by side.
func TestJournalSideBySide(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer root.Close()
	j, err := openJournal(root)
	must(t, err)
	const n = 1000
	var all errgroup.Group
	all.SetLimit(16)
	for i := range n {
		all.Go(func() error {
			number, err := j.begin(heading{Version: journalVersion, Name: fmt.Sprint(i)})
			return errors.Join(err, j.note(number, blockSum{i, 1}))
		})
	}
	must(t, all.Wait(), j.file.Close())
	j, err = openJournal(root)
	must(t, err)
	defer j.file.Close()
	for i := range n {
		if r, ok := j.take(fmt.Sprint(i)); !ok || !slices.Equal(r.blocks, []blockSum{{i, 1}}) {
			t.Fatalf("file %d: %+v", i, r)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":2,"files":[{"name":"a/b","url":"s3://x/y","etag":"1","size":10,"ranges":[{"offset":0,"size":10,"crc64nvme":"00"}]}]}`))
	f.Add([]byte(`{"version":2,"files":[],"missing":[{"name":"a","url":"b","reason":"c"}]}`))
	f.Add([]byte(`{"version":2,"files":[{"name":"../x","url":"","etag":"","size":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(file.Name) {
				t.Errorf("%q passes", file.Name)
			}
		}
		if m.Bytes() < 0 {
			t.Error("fewer bytes than none")
		}
	})
}
