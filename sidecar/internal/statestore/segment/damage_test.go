package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/snapshot/memory"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// bent is a store that gives other bytes of one object.
type bent struct {
	*memory.Store

	key  string
	bend func([]byte) []byte
}

func (b *bent) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	if key != b.key {
		return b.Store.Open(ctx, key, part)
	}
	body, o, err := b.Store.Open(ctx, key, snapshot.Whole())
	if err != nil {
		return nil, o, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, o, err
	}
	data = b.bend(bytes.Clone(data))
	length, err := part.Within(int64(len(data)))
	if err != nil {
		return nil, o, err
	}
	return io.NopCloser(bytes.NewReader(data[part.Offset : part.Offset+length])), o, nil
}

// TestNoDamageIsBelieved bends each bit of each object, and cuts each object everywhere: what is restored is right, or there
// is an error.
func TestNoDamageIsBelieved(t *testing.T) {
	store, refs, keys := sample(t)
	w := want(statestore.Range{From: 0, To: maxParallelism - 1})
	right, err := Restore(t.Context(), store, refs, w)
	if err != nil {
		t.Fatal(err)
	}
	if n := right.Partitions.Stats(); n.Keys != 3 || n.Answers != 1 {
		t.Fatalf("the sample has %+v", n)
	}
	for _, key := range keys {
		o, err := store.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for at := range o.Size {
			b := &bent{store, key, nil}
			for bit := range 8 {
				b.bend = func(data []byte) []byte {
					data[at] ^= 1 << bit
					return data
				}
				if _, err := Restore(t.Context(), b, refs, w); !errors.Is(err, ErrDamaged) && (err == nil || !strings.Contains(err.Error(), "version")) {
					t.Fatalf("%s with another bit %d of byte %d: %v", key, bit, at, err)
				}
			}
			b.bend = func(data []byte) []byte { return data[:at] }
			if _, err := Restore(t.Context(), b, refs, w); err == nil {
				t.Fatalf("%s cut at %d is restored", key, at)
			}
		}
		// What is behind the end is never looked at.
		longer, err := Restore(t.Context(), &bent{store, key, func(data []byte) []byte { return append(data, "more"...) }}, refs, w)
		if err != nil || !equal(contents(longer.Partitions), contents(right.Partitions)) {
			t.Errorf("%s with more bytes: %v", key, err)
		}
	}
}

// TestSenselessManifests: what does not fit together is refused before anything is read that it names.
func TestSenselessManifests(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new string }{
		{"a key that leads outside", `"key":"s/1.segment"`, `"key":"../1.segment"`},
		{"a kind that does not exist", `"kind":"base"`, `"kind":"basis"`},
		{"no kind", `"kind":"base",`, ``},
		{"less than nothing", `"bytes":214`, `"bytes":-214`},
		{"the least number", `"bytes":214`, `"bytes":-9223372036854775808`},
		{"a long index", `"bytes":214`, `"bytes":214214`},
		{"an index in the header", `"index_offset":74`, `"index_offset":23`},
		{"no hash", `"index_sha256":"740532d4`, `"index_sha256":"`},
		{"key groups that the subtask does not have", `"max_parallelism":8,"key_groups":{"from":0,"to":7}`, `"max_parallelism":8,"key_groups":{"from":0,"to":6}`},
		{"a range that ends before it begins", `"key_groups":{"from":0,"to":7},"watermark"`, `"key_groups":{"from":7,"to":0},"watermark"`},
		{"too few key groups", `"max_parallelism":8`, `"max_parallelism":7`},
		{"no key groups at all", `"max_parallelism":8`, `"max_parallelism":0`},
		{"more key groups than were written", `"answers":true`, `"of":{"from":1,"to":7},"answers":true`},
		{"a member twice", `"subtask":0`, `"subtask":0,"subtask":1`},
		{"a number for a watermark", `"watermark":"-9223372036854775808"`, `"watermark":"soon"`},
		{"too many segments", `"segments":[`, `"segments":[` + strings.Repeat("{},", maxChain)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(string(golden), tt.old, tt.new, 1)
			if bad == string(golden) {
				t.Fatal("nothing was replaced")
			}
			if m, err := ParseManifest([]byte(bad)); !errors.Is(err, ErrDamaged) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	for _, ref := range []Reference{
		{Key: "s", SHA256: "abc", Bytes: 1},
		{Key: "s", SHA256: strings.Repeat("0", 64), Bytes: -1},
		{Key: "s", SHA256: strings.Repeat("0", 64), Bytes: maxManifest + 1},
	} {
		if _, err := GetManifest(t.Context(), memory.New(), ref); err == nil || errors.Is(err, snapshot.ErrNotFound) {
			t.Errorf("reference %+v: %v", ref, err)
		}
	}
}

// TestOtherVersions are refused for what they are: not as damage, since a program that reads them exists.
func TestOtherVersions(t *testing.T) {
	later := header{kind: Base, maxParallelism: 1}.append(nil)
	later[8]++
	_, segment := readHeader(later)
	_, manifest := ParseManifest([]byte(`{"version":2,"max_parallelism":1}`))
	for what, err := range map[string]error{"segment": segment, "manifest": manifest} {
		if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("version %d", version+1)) {
			t.Errorf("a %s of the next version: %v", what, err)
		}
	}
}

// TestWriteErrors: an error of the writer comes back, wherever it happens.
func TestWriteErrors(t *testing.T) {
	p := statestore.New(statestore.Range{From: 0, To: 1}, statestore.Limits{}, statestore.Hooks{})
	for i := range 2000 {
		if _, err := p.Update(uint16(i%2), fmt.Sprint(i), func(statestore.Value) (statestore.Change, error) {
			return statestore.Set(bytes.Repeat([]byte{byte(i)}, 100), 0), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	f := p.Freeze()
	defer f.Release()
	if _, err := Write(io.Discard, f, Increment, Options{MaxParallelism: 2}); err == nil {
		t.Error("an increment to nothing")
	}
	var whole bytes.Buffer
	if _, err := Write(&whole, f, Base, Options{MaxParallelism: 2}); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for at := 0; at < whole.Len(); at += 997 {
		if s, err := Write(&failing{left: at, err: broken}, f, Base, Options{MaxParallelism: 2}); !errors.Is(err, broken) {
			t.Errorf("broken after %d bytes: %+v, %v", at, s, err)
		}
	}
}

// failing writes so many bytes and no more.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(data []byte) (int, error) {
	n := min(len(data), f.left)
	if f.left -= n; n < len(data) {
		return n, f.err
	}
	return n, nil
}
