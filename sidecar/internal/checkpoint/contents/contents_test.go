package contents

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/sidecar/internal/checkpoint"
	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/locate"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/pull"
	"github.com/drey-flink/drey/sidecar/metadata"
)

// capture is a checkpoint of a real job (sidecar/metadata/testdata), laid out in a folder as in its bucket. Where testdata has
// not all of its files, there are others of the right size.
type capture struct {
	bucket string // folder
	dir    metadata.Location
	files  []metadata.File
}

func place(t *testing.T, name string) *capture {
	t.Helper()
	source := filepath.Join("..", "..", "..", "metadata", "testdata", name)
	data := read(t, filepath.Join(source, "_metadata"))
	var golden struct {
		Key string `json:"metadata_key"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(source, "golden.json")), &golden); err != nil {
		t.Fatal(err)
	}
	c := &capture{bucket: t.TempDir(), dir: metadata.Location{Scheme: "s3", Authority: "flink", Path: "/" + path.Dir(golden.Key)}}
	meta, err := metadata.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if c.files, err = meta.Files(c.dir); err != nil {
		t.Fatal(err)
	}
	c.write(t, c.dir.Path+"/_metadata", data)
	for i := range c.files {
		f := &c.files[i]
		content := make([]byte, f.Offset()+f.Size())
		for _, folder := range []string{source, filepath.Join(source, "taskowned")} {
			if real, err := os.ReadFile(filepath.Join(folder, path.Base(f.Location.Path))); err == nil {
				content = real
			}
		}
		c.write(t, f.Location.Path, content)
	}
	return c
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c *capture) local(name string) string { return filepath.Join(c.bucket, filepath.FromSlash(name)) }

func (c *capture) write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(c.local(name)), 0o700), os.WriteFile(c.local(name), content, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (c *capture) locator(t *testing.T) *locate.Locator {
	t.Helper()
	return locator(t, locate.Config{Map: []string{"s3://flink=" + c.bucket}})
}

func locator(t *testing.T, config locate.Config) *locate.Locator {
	t.Helper()
	l, err := locate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (c *capture) open(t *testing.T) *Checkpoint {
	t.Helper()
	opened, err := Open(t.Context(), c.locator(t), c.dir)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestOpen(t *testing.T) {
	c := place(t, "files")
	folder := c.local(c.dir.Path)
	other := filepath.Join(t.TempDir(), "checkpoint-5.bin")
	if err := os.WriteFile(other, read(t, filepath.Join(folder, "_metadata")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{c.dir.String(), c.dir.String() + "/_metadata", folder, "file:" + folder, folder + "/_metadata", other} {
		location, err := metadata.ParseLocation(at)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := Open(t.Context(), c.locator(t), location)
		if err != nil || opened.Meta.CheckpointID != 5 || len(opened.Meta.Operators) == 0 {
			t.Errorf("%s: %+v, %v", at, opened, err)
		}
	}
	for _, at := range []string{"s3://flink/nowhere/chk-1", "/nowhere/chk-1", c.dir.Dir().String()} {
		location, err := metadata.ParseLocation(at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), c.locator(t), location); !errors.Is(err, snapshot.ErrNotFound) && !errors.Is(err, snapshot.ErrNoStore) {
			t.Errorf("%s: %v", at, err)
		}
	}
	framed := place(t, "inline")
	framed.write(t, framed.dir.Path+"/_metadata", read(t, filepath.Join("..", "..", "..", "metadata", "testdata", "awschunked", "_metadata")))
	if _, err := Open(t.Context(), framed.locator(t), framed.dir); !errors.Is(err, metadata.ErrMagic) || !strings.Contains(err.Error(), framed.dir.Path) {
		t.Errorf("leftovers of an upload's framing: %v", err)
	}
}

func TestVerify(t *testing.T) {
	for _, name := range []string{"inline", "files", "merged", "rocksdb", "savepoint", "compressed", "v4"} {
		c := place(t, name)
		if problems, err := c.open(t).Verify(t.Context(), 4); err != nil || len(problems) > 0 {
			t.Errorf("%s: %v, %v", name, problems, err)
		}
	}
}

// TestDamage: whichever object is gone, cut off or longer, it is named, and no other.
func TestDamage(t *testing.T) {
	for _, name := range []string{"files", "merged", "rocksdb", "savepoint"} {
		c := place(t, name)
		opened := c.open(t)
		for i := range c.files {
			f := &c.files[i]
			local := c.local(f.Location.Path)
			content := read(t, local)
			check := func(what, reason string) {
				t.Helper()
				problems, err := opened.Verify(t.Context(), 4)
				if err != nil || len(problems) != 1 || problems[0].URL != f.Location.String() || !strings.Contains(problems[0].Reason, reason) {
					t.Errorf("%s, %s %s: %v, %v", name, f.Location, what, problems, err)
				}
			}
			if err := os.Remove(local); err != nil {
				t.Fatal(err)
			}
			check("is gone", "does not exist")
			if need := f.Offset() + f.Size(); need > 0 {
				c.write(t, f.Location.Path, content[:need-1])
				check("is cut off", fmt.Sprintf("has %d bytes, and %d are needed", need-1, need))
			}
			if f.Whole {
				c.write(t, f.Location.Path, append(slices.Clone(content), 'x'))
				check("is longer", "when Flink wrote it")
			}
			c.write(t, f.Location.Path, content)
		}
	}
}

// TestElsewhere: a checkpoint that refers to another bucket or to a file of this machine is not believed.
func TestElsewhere(t *testing.T) {
	c := place(t, "merged") // its absolute paths name the bucket flink
	l := locator(t, locate.Config{})
	at, err := metadata.ParseLocation(c.local(c.dir.Path))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Open(t.Context(), l, at)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := opened.Verify(t.Context(), 4)
	if err != nil || len(problems) == 0 || !strings.Contains(problems[0].Reason, "not allowed") {
		t.Errorf("%v, %v", problems, err)
	}
	if _, err := opened.Items(t.Context(), nil); !errors.Is(err, locate.ErrRefused) {
		t.Errorf("items: %v", err)
	}
}

func dumped(t *testing.T, c *Checkpoint, operator, state string) []Entry {
	t.Helper()
	var entries []Entry
	if err := c.DumpState(t.Context(), operator, state, func(e Entry) error {
		entries = append(entries, e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestDumpState: the lab job wrote subtask-<i>-entry-<k>-count-<n> into its list.
func TestDumpState(t *testing.T) {
	for _, name := range []string{"inline", "compressed", "v4", "rocksdb"} {
		opened := place(t, name).open(t)
		entries := dumped(t, opened, "go-udf-state", "go-udf-list")
		next := map[int32]int{}
		for _, e := range entries {
			want := fmt.Sprintf("subtask-%d-entry-%d-count-", e.Subtask, next[e.Subtask])
			if e.Index != next[e.Subtask] || !strings.HasPrefix(string(e.Value), want) {
				t.Errorf("%s: %+v %q, want %s...", name, e, e.Value, want)
			}
			next[e.Subtask]++
		}
		if len(next) != 2 {
			t.Errorf("%s: entries of %d subtasks", name, len(next))
		}
		if err := opened.DumpState(t.Context(), "go-udf-state", "other", nil); err == nil || !strings.Contains(err.Error(), "it has go-udf-") {
			t.Errorf("%s: another state: %v", name, err)
		}
		if err := opened.DumpState(t.Context(), "other", "x", nil); !errors.Is(err, ErrNoOperator) || !strings.Contains(err.Error(), "it has ") {
			t.Errorf("%s: another operator: %v", name, err)
		}
	}
	stop := errors.New("stop")
	if err := place(t, "inline").open(t).DumpState(t.Context(), "go-udf-state", "go-udf-list", func(Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the receiver's error: %v", err)
	}
	if err := place(t, "rocksdb").open(t).DumpState(t.Context(), "keyed-count", "count", nil); err == nil || !strings.Contains(err.Error(), "canonical savepoint") {
		t.Errorf("files of RocksDB: %v", err)
	}
}

func TestDumpKeyedState(t *testing.T) {
	opened := place(t, "inline").open(t)
	if err := opened.DumpState(t.Context(), "keyed-count", "no such state", nil); err == nil || !strings.Contains(err.Error(), "keyed-count-value") {
		t.Errorf("a state that it has not: %v", err)
	}
	entries := dumped(t, opened, "keyed-count", "keyed-count-value")
	got := map[int32]map[string]int64{0: {}, 1: {}}
	for _, e := range entries {
		if e.KeyGroup == nil || len(e.Value) != 8 {
			t.Fatalf("%+v", e)
		}
		got[e.Subtask][fmt.Sprint(int64(binary.BigEndian.Uint64(e.Key)))] = int64(binary.BigEndian.Uint64(e.Value))
	}
	var golden struct {
		Touched map[int32]map[string]int64 `json:"touched_keys"`
	}
	if err := json.Unmarshal(read(t, filepath.Join("..", "..", "..", "metadata", "testdata", "inline", "golden.json")), &golden); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden.Touched, got); diff != "" {
		t.Errorf("the counts of the keys, -want +got:\n%s", diff)
	}
}

func TestSplitStateName(t *testing.T) {
	c := place(t, "inline").open(t)
	if o, s, err := c.SplitStateName("go-udf-state/a/b"); err != nil || o != "go-udf-state" || s != "a/b" {
		t.Errorf("%s, %s, %v", o, s, err)
	}
	c.Meta.Operators[0].UID = "team/op"
	if o, s, err := c.SplitStateName("team/op/list"); err != nil || o != "team/op" || s != "list" {
		t.Errorf("%s, %s, %v", o, s, err)
	}
	for _, text := range []string{"go-udf-state", "nobody/x"} {
		if _, _, err := c.SplitStateName(text); err == nil || !strings.Contains(err.Error(), "go-udf-state") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestCopier: a copy says the same as the checkpoint, without the bucket.
func TestCopier(t *testing.T) {
	for _, name := range []string{"inline", "files", "merged", "rocksdb"} {
		c := place(t, name)
		original := c.open(t)
		folder := filepath.Join(t.TempDir(), "copies", "chk")
		key := checkpoint.Key{Job: path.Base(c.dir.Dir().Path), ID: original.Meta.CheckpointID, Path: c.dir.String()}
		copier := NewCopier(c.locator(t), nil, 4)
		copied, err := copier.Copy(t.Context(), key, folder)
		if err != nil || copied.Files != len(c.files)+1 || copied.Operators != len(original.Meta.Operators) || len(copied.Missing) > 0 {
			t.Fatalf("%s: %+v, %v", name, copied, err)
		}
		if again, err := copier.Copy(t.Context(), key, folder); err != nil || !reflect.DeepEqual(again, copied) {
			t.Errorf("%s: again: %+v, %v", name, again, err)
		}
		at, err := metadata.ParseLocation(folder)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := Open(t.Context(), locator(t, locate.Config{}).WithMap(CopiedBuckets(folder)), at)
		if err != nil {
			t.Fatal(err)
		}
		if problems, err := opened.Verify(t.Context(), 4); err != nil || len(problems) > 0 {
			t.Errorf("%s: the copy: %v, %v", name, problems, err)
		}
		if name == "inline" || name == "rocksdb" {
			if a, b := dumped(t, original, "go-udf-state", "go-udf-list"), dumped(t, opened, "go-udf-state", "go-udf-list"); !reflect.DeepEqual(a, b) {
				t.Errorf("%s: the copy's state is another", name)
			}
		}
		if err := CheckCopy(t.Context(), folder); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "files" {
			damage(t, folder)
		}
	}
}

func damage(t *testing.T, folder string) {
	t.Helper()
	name := filepath.Join(folder, "_metadata")
	data := read(t, name)
	data[len(data)-1] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckCopy(t.Context(), folder); !errors.Is(err, snapshot.ErrCorrupt) {
		t.Errorf("a byte of the copy was changed: %v", err)
	}
}

func TestCopySomeOperators(t *testing.T) {
	c := place(t, "rocksdb")
	key := checkpoint.Key{ID: c.open(t).Meta.CheckpointID, Path: c.dir.String()}
	copied, err := NewCopier(c.locator(t), []string{"go-udf-state"}, 4).Copy(t.Context(), key, filepath.Join(t.TempDir(), "copy"))
	if err != nil || copied.Files >= len(c.files)+1 {
		t.Errorf("%+v, %v; the checkpoint has %d files", copied, err, len(c.files))
	}
	if _, err := NewCopier(c.locator(t), []string{"other"}, 4).Copy(t.Context(), key, filepath.Join(t.TempDir(), "copy")); !errors.Is(err, ErrNoOperator) {
		t.Errorf("an operator that it has not: %v", err)
	}
}

// TestCopyOfMissing: objects that are not there make it not restorable; with the _metadata gone too, Flink has deleted it.
func TestCopyOfMissing(t *testing.T) {
	c := place(t, "rocksdb")
	id := c.open(t).Meta.CheckpointID
	lost := c.files[len(c.files)-1].Location
	if err := os.Remove(c.local(lost.Path)); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "copy")
	copier := NewCopier(c.locator(t), nil, 4)
	key := checkpoint.Key{ID: id, Path: c.dir.String()}
	copied, err := copier.Copy(t.Context(), key, folder)
	if err != nil || !slices.Equal(copied.Missing, []string{lost.String()}) {
		t.Errorf("%+v, %v", copied, err)
	}
	if err := os.Remove(c.local(c.dir.Path + "/_metadata")); err != nil {
		t.Fatal(err)
	}
	if _, err := copier.judge(t.Context(), c.dir, folder, copied); !errors.Is(err, checkpoint.ErrGone) {
		t.Errorf("deleted while it was copied: %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its copy stays: %v", err)
	}
	if _, err := copier.Copy(t.Context(), key, folder); !errors.Is(err, checkpoint.ErrGone) {
		t.Errorf("deleted before: %v", err)
	}
}

func TestCopyOfAnother(t *testing.T) {
	c := place(t, "inline")
	_, err := NewCopier(c.locator(t), nil, 4).Copy(t.Context(), checkpoint.Key{ID: 99, Path: c.dir.String()}, filepath.Join(t.TempDir(), "copy"))
	if err == nil || !strings.Contains(err.Error(), "not 99") {
		t.Errorf("got %v", err)
	}
}

// TestNames: what a checkpoint calls its files leads nowhere else on this machine.
func TestNames(t *testing.T) {
	c := place(t, "merged")
	items, err := c.open(t).Items(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if items[0].Name != MetadataName || len(items) != len(c.files)+1 {
		t.Errorf("%d items, first %s", len(items), items[0].Name)
	}
	for _, item := range items[1:] {
		if !strings.HasPrefix(item.Name, "objects/s3/flink/") || !filepath.IsLocal(item.Name) {
			t.Errorf("%s -> %s", item.URL, item.Name)
		}
		if len(item.Ranges) == 0 {
			t.Errorf("%s: a merged file is copied as a whole", item.URL)
		}
	}
	if _, err := pull.Pull(t.Context(), filepath.Join(t.TempDir(), "copy"), append(items, items[0]), pull.Options{}); !errors.Is(err, snapshot.ErrInvalid) {
		t.Errorf("two files of one name: %v", err)
	}
}
