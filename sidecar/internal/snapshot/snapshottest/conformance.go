// Package snapshottest says in tests what a snapshot store is, and has what such tests need: a real S3 server, and a proxy
// before it that breaks things by script.
package snapshottest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Store is all that a backend does.
type Store interface {
	Stat(ctx context.Context, key string) (snapshot.Object, error)
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
	Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error)
	Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error)
	List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error]
	Delete(ctx context.Context, key string) error
}

// Conformance runs the suite. Each call of open returns an empty store.
func Conformance(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"create and read":            testCreate,
		"large":                      testLarge,
		"exists":                     testExists,
		"one of many creates":        testCreateRace,
		"missing":                    testMissing,
		"parts":                      testParts,
		"replace":                    testReplace,
		"one of many replacements":   testReplaceRace,
		"list":                       testList,
		"keys":                       testKeys,
		"bad keys":                   testBadKeys,
		"delete":                     testDelete,
		"bodies that are not right":  testBodies,
		"a context that has ended":   testCancelled,
		"reading beside replacement": testReadBesideReplace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Bytes returns n bytes that do not repeat, the same for the same seed.
func Bytes(n int, seed uint64) []byte {
	data := make([]byte, n)
	chacha := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	chacha.Read(data) //nolint:errcheck // never fails
	return data
}

// Creator makes objects.
type Creator interface {
	Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error)
}

// Opener reads objects.
type Opener interface {
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
}

// Put creates an object.
func Put(t testing.TB, s Creator, key string, data []byte) snapshot.Object {
	t.Helper()
	o, err := s.Create(t.Context(), key, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Read reads a part to its end.
func Read(ctx context.Context, s Opener, key string, part snapshot.Part) ([]byte, error) {
	r, _, err := s.Open(ctx, key, part)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func mustRead(t *testing.T, s Store, key string, want []byte) {
	t.Helper()
	got, err := Read(t.Context(), s, key, snapshot.Whole())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d bytes that are not the %d written", key, len(got), len(want))
	}
}

// wantError also looks that the error is told in a way that helps.
func wantError(t *testing.T, err, want error, key string) {
	t.Helper()
	var e *snapshot.Error
	if !errors.Is(err, want) || !errors.As(err, &e) {
		t.Errorf("got %v, want %v", err, want)
		return
	}
	if e.Where == "" || e.Op == "" || !strings.Contains(err.Error(), key) || e.Unsure || e.Retryable {
		t.Errorf("%#v does not say what it is about", e)
	}
}
