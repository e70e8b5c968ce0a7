package snapshottest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// another is an ETag that no object has.
const another = `"0123456789abcdef0123456789abcdef"`

func testCreate(t *testing.T, s Store) {
	for _, size := range []int{0, 1, 1000, 16<<10 + 1, 300_000} {
		key, data := fmt.Sprintf("a/b%d/c", size), Bytes(size, 1)
		made := Put(t, s, key, data)
		if made.Key != key || made.Size != int64(size) || made.ETag == "" {
			t.Errorf("create answers %+v", made)
		}
		mustRead(t, s, key, data)
		stat, err := s.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		r, opened, err := s.Open(t.Context(), key, snapshot.Whole())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for what, o := range map[string]snapshot.Object{"stat": stat, "open": opened} {
			if o.Key != key || o.Size != int64(size) || o.ETag != made.ETag || o.Modified.IsZero() {
				t.Errorf("%s answers %+v, create %+v", what, o, made)
			}
			if sum := o.Checksum; !sum.IsZero() {
				h := sum.Algorithm.New()
				h.Write(data) //nolint:errcheck // a hash does not fail
				if err := sum.Check(h); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	}
}

func testLarge(t *testing.T, s Store) {
	data := Bytes(17<<20+3, 2)
	made := Put(t, s, "large", data)
	if made.Size != int64(len(data)) {
		t.Errorf("create answers %+v", made)
	}
	mustRead(t, s, "large", data)
	const at, length = 16<<20 - 5, 100
	got, err := Read(t.Context(), s, "large", snapshot.Part{Offset: at, Length: length, ETag: made.ETag})
	if err != nil || !bytes.Equal(got, data[at:at+length]) {
		t.Errorf("a part of it: %d bytes, %v", len(got), err)
	}
	_, err = s.Create(t.Context(), "large", bytes.NewReader(data), int64(len(data)))
	wantError(t, err, snapshot.ErrExists, "large")
}

func testMissing(t *testing.T, s Store) {
	Put(t, s, "there/is", []byte("another"))
	for _, key := range []string{"missing", "there/not", "there", "there/is/not"} {
		_, err := s.Stat(t.Context(), key)
		wantError(t, err, snapshot.ErrNotFound, key)
		_, _, err = s.Open(t.Context(), key, snapshot.Whole())
		wantError(t, err, snapshot.ErrNotFound, key)
		_, _, err = s.Open(t.Context(), key, snapshot.Part{Offset: 3, Length: 4})
		wantError(t, err, snapshot.ErrNotFound, key)
		_, err = s.Replace(t.Context(), key, []byte("x"), another)
		wantError(t, err, snapshot.ErrNotFound, key)
	}
}

func testParts(t *testing.T, s Store) {
	data := Bytes(1000, 3)
	made := Put(t, s, "k", data)
	for _, c := range []struct {
		offset, length int64
		etag           string
		want           []byte
		err            error
	}{
		{offset: 0, length: 1000, want: data},
		{offset: 0, length: 1, want: data[:1]},
		{offset: 999, length: 1, want: data[999:]},
		{offset: 100, length: 200, etag: made.ETag, want: data[100:300]},
		{offset: 400, length: snapshot.AllBytes, want: data[400:]},
		{offset: 1000, length: snapshot.AllBytes, want: []byte{}},
		{offset: 1000, length: 0, want: []byte{}},
		{offset: 10, length: 0, want: []byte{}},
		{offset: 0, length: 1001, err: snapshot.ErrShort},
		{offset: 999, length: 2, err: snapshot.ErrShort},
		{offset: 1000, length: 1, err: snapshot.ErrShort},
		{offset: 1001, length: 0, err: snapshot.ErrShort},
		{offset: 1001, length: snapshot.AllBytes, err: snapshot.ErrShort},
		{offset: 5000, length: 10, err: snapshot.ErrShort},
		{offset: -1, length: 10, err: snapshot.ErrInvalid},
		{offset: 0, length: -2, err: snapshot.ErrInvalid},
		{offset: 0, length: 10, etag: another, err: snapshot.ErrChanged},
		{offset: 0, length: 0, etag: another, err: snapshot.ErrChanged},
		{offset: 0, length: snapshot.AllBytes, etag: another, err: snapshot.ErrChanged},
	} {
		r, o, err := s.Open(t.Context(), "k", snapshot.Part{Offset: c.offset, Length: c.length, ETag: c.etag})
		if c.err != nil {
			wantError(t, err, c.err, "k")
			continue
		}
		if err != nil {
			t.Errorf("%d bytes at %d: %v", c.length, c.offset, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%d bytes at %d: got %d other bytes, %v", c.length, c.offset, len(got), err)
		}
		if o.Size != 1000 || o.ETag != made.ETag {
			t.Errorf("%d bytes at %d: described as %+v", c.length, c.offset, o)
		}
	}
}

func testReadBesideReplace(t *testing.T, s Store) {
	old := bytes.Repeat([]byte("a"), 2000)
	o := Put(t, s, "k", old)
	r, _, err := s.Open(t.Context(), "k", snapshot.Whole())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Replace(t.Context(), "k", bytes.Repeat([]byte("b"), 2000), o.ETag); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(got, old) {
		t.Error("a reader gave bytes of two versions")
	} else if err != nil && !errors.Is(err, snapshot.ErrChanged) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func testList(t *testing.T, s Store) {
	all := []string{"a", "b-c", "b/c", "b/d/e", "b0", "c/x", "cc/y"}
	for _, key := range all {
		Put(t, s, key, []byte(key))
	}
	for prefix, want := range map[string][]string{
		"": all, "b": {"b-c", "b/c", "b/d/e", "b0"}, "b/": {"b/c", "b/d/e"}, "b/d": {"b/d/e"}, "c": {"c/x", "cc/y"},
		"c/": {"c/x"}, "b/d/e": {"b/d/e"}, "b/d/e/": nil, "x": nil, "x/y/": nil, "a/": nil,
	} {
		var got []string
		for o, err := range s.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			if o.Size != int64(len(o.Key)) || o.Modified.IsZero() {
				t.Errorf("listed as %+v", o)
			}
			got = append(got, o.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("prefix %q: got %q, want %q", prefix, got, want)
		}
	}
	for range s.List(t.Context(), "") {
		break // a reader may stop early
	}
	failed := 0
	for _, err := range s.List(t.Context(), "../") {
		failed++
		wantError(t, err, snapshot.ErrInvalid, "")
	}
	if failed != 1 {
		t.Errorf("a prefix outside: %d errors", failed)
	}
}

// Flink does not encode what is in a path, and neither do we.
func testKeys(t *testing.T, s Store) {
	keys := []string{
		"a b", "a%20b", "a%2Fb", "a+b", "a&b=c;d", "a?b#c", "ä/ö/日本", "a:b", "a\\b", `a"b'c`, "~a", "..a/b..", "a\nb", "<a>",
		strings.Repeat("long", 60),
	}
	for _, key := range keys {
		Put(t, s, key, []byte(key))
	}
	for _, key := range keys {
		mustRead(t, s, key, []byte(key))
	}
	slices.Sort(keys)
	var got []string
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, keys) {
		t.Errorf("got  %q\nwant %q", got, keys)
	}
}

func testBadKeys(t *testing.T, s Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a/.", "a\x00b", "a\xffb", strings.Repeat("x", 1025),
	} {
		_, err := s.Stat(t.Context(), key)
		wantError(t, err, snapshot.ErrInvalid, "")
		_, _, err = s.Open(t.Context(), key, snapshot.Whole())
		wantError(t, err, snapshot.ErrInvalid, "")
		_, err = s.Create(t.Context(), key, strings.NewReader(""), 0)
		wantError(t, err, snapshot.ErrInvalid, "")
		_, err = s.Replace(t.Context(), key, nil, "x")
		wantError(t, err, snapshot.ErrInvalid, "")
		wantError(t, s.Delete(t.Context(), key), snapshot.ErrInvalid, "")
	}
}
