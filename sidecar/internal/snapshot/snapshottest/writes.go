package snapshottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

func testExists(t *testing.T, s Store) {
	Put(t, s, "k", []byte("first"))
	_, err := s.Create(t.Context(), "k", strings.NewReader("second"), 6)
	wantError(t, err, snapshot.ErrExists, "k")
	mustRead(t, s, "k", []byte("first"))
}

// race runs n contenders at once and returns who succeeded.
func race(t *testing.T, n int, lost error, contend func(i int) error) (winner int) {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-begin
			errs[i] = contend(i)
		})
	}
	close(begin)
	group.Wait()
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d both succeeded", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, lost):
			t.Errorf("contender %d: %v, want %v", i, err, lost)
		}
	}
	if winner < 0 {
		t.Fatal("nobody succeeded")
	}
	return winner
}

func testCreateRace(t *testing.T, s Store) {
	for round := range 10 {
		key := fmt.Sprintf("race/%d", round)
		content := func(i int) []byte { return fmt.Appendf(nil, "contender %d", i) }
		winner := race(t, 8, snapshot.ErrExists, func(i int) error {
			_, err := s.Create(t.Context(), key, bytes.NewReader(content(i)), int64(len(content(i))))
			return err
		})
		mustRead(t, s, key, content(winner))
	}
}

func testReplace(t *testing.T, s Store) {
	first := Put(t, s, "lease", []byte("fence 1"))
	second, err := s.Replace(t.Context(), "lease", []byte("fence 2"), first.ETag)
	if err != nil {
		t.Fatal(err)
	}
	if second.ETag == first.ETag || second.Size != 7 || second.Key != "lease" {
		t.Errorf("replace answers %+v, the object before was %+v", second, first)
	}
	mustRead(t, s, "lease", []byte("fence 2"))
	if stat, err := s.Stat(t.Context(), "lease"); err != nil || stat.ETag != second.ETag {
		t.Errorf("stat answers %+v, %v; replace %+v", stat, err, second)
	}
	_, err = s.Replace(t.Context(), "lease", []byte("fence 3"), first.ETag)
	wantError(t, err, snapshot.ErrChanged, "lease")
	_, err = Read(t.Context(), s, "lease", snapshot.Part{Length: snapshot.AllBytes, ETag: first.ETag})
	wantError(t, err, snapshot.ErrChanged, "lease")
	mustRead(t, s, "lease", []byte("fence 2"))
}

func testReplaceRace(t *testing.T, s Store) {
	o := Put(t, s, "lease", []byte("begin"))
	for round := range 10 {
		content := func(i int) []byte { return fmt.Appendf(nil, "contender %d in round %d", i, round) }
		made := make([]snapshot.Object, 8)
		winner := race(t, len(made), snapshot.ErrChanged, func(i int) (err error) {
			made[i], err = s.Replace(t.Context(), "lease", content(i), o.ETag)
			return err
		})
		mustRead(t, s, "lease", content(winner))
		o = made[winner]
	}
}

func testDelete(t *testing.T, s Store) {
	Put(t, s, "a/b", []byte("x"))
	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Stat(t.Context(), "a/b")
		wantError(t, err, snapshot.ErrNotFound, "a/b")
	}
	Put(t, s, "a/b", []byte("y"))
	mustRead(t, s, "a/b", []byte("y"))
}

func testBodies(t *testing.T, s Store) {
	broken := errors.New("the disk broke")
	large := 20 << 20
	for name, c := range map[string]struct {
		body io.Reader
		size int64
		err  error
	}{
		"short":        {strings.NewReader("abc"), 4, snapshot.ErrInvalid},
		"long":         {strings.NewReader("abc"), 2, snapshot.ErrInvalid},
		"not empty":    {strings.NewReader("abc"), 0, snapshot.ErrInvalid},
		"broken":       {io.MultiReader(strings.NewReader("abc"), failing{broken}), 6, broken},
		"large short":  {bytes.NewReader(Bytes(large-1, 4)), int64(large), snapshot.ErrInvalid},
		"large long":   {bytes.NewReader(Bytes(large+1, 4)), int64(large), snapshot.ErrInvalid},
		"large broken": {io.MultiReader(bytes.NewReader(Bytes(large-1, 4)), failing{broken}), int64(large), broken},
	} {
		if _, err := s.Create(t.Context(), "k", c.body, c.size); !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, want %v", name, err, c.err)
		}
		_, err := s.Stat(t.Context(), "k")
		wantError(t, err, snapshot.ErrNotFound, "k")
	}
	for o, err := range s.List(t.Context(), "") {
		t.Errorf("%q, %v was left", o.Key, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func testCancelled(t *testing.T, s Store) {
	Put(t, s, "k", Bytes(100_000, 5))
	why := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	r, _, err := s.Open(ctx, "k", snapshot.Whole())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // what it gave is looked at
	cancel(why)
	if _, err := io.ReadAll(r); err != nil && !errors.Is(err, why) {
		t.Errorf("read: %v", err)
	}
	_, err = s.Stat(ctx, "k")
	_, _, openErr := s.Open(ctx, "k", snapshot.Whole())
	_, createErr := s.Create(ctx, "other", strings.NewReader("x"), 1)
	_, replaceErr := s.Replace(ctx, "k", nil, "x")
	for _, err := range []error{err, openErr, createErr, replaceErr, s.Delete(ctx, "k")} {
		if !errors.Is(err, why) || snapshot.Retryable(err) {
			t.Errorf("got %v, want the cause", err)
		}
	}
	_, err = s.Stat(t.Context(), "other")
	wantError(t, err, snapshot.ErrNotFound, "other")
}
