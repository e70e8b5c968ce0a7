// Package memory is a snapshot store in the memory of the process, for tests and for trials: what it holds is gone with the
// process.
package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// Store is one bucket's worth of objects.
type Store struct {
	mu      sync.Mutex
	objects map[string]object
	version uint64 // of the last write
}

type object struct {
	snapshot.Object

	data []byte // never written to
}

// New returns an empty store.
func New() *Store { return &Store{objects: map[string]object{}} }

func fail(op, key string, kind, err error) error {
	return &snapshot.Error{Op: op, Where: "memory:", Key: key, Kind: kind, Err: err}
}

// Stat describes an object.
func (s *Store) Stat(ctx context.Context, key string) (snapshot.Object, error) {
	o, err := s.get(ctx, "stat", key)
	return o.Object, err
}

// Open reads a part of an object.
func (s *Store) Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error) {
	o, err := s.get(ctx, "open", key)
	if err != nil {
		return nil, snapshot.Object{}, err
	}
	if part.ETag != "" && part.ETag != o.ETag {
		return nil, snapshot.Object{}, fail("open", key, snapshot.ErrChanged, nil)
	}
	length, err := part.Within(o.Size)
	if err != nil {
		kind := snapshot.ErrInvalid
		if errors.Is(err, snapshot.ErrShort) {
			kind = snapshot.ErrShort
		}
		return nil, snapshot.Object{}, fail("open", key, kind, err)
	}
	return io.NopCloser(bytes.NewReader(o.data[part.Offset : part.Offset+length])), o.Object, nil
}

func (s *Store) get(ctx context.Context, op, key string) (object, error) {
	if err := check(ctx, op, key); err != nil {
		return object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, fail(op, key, snapshot.ErrNotFound, nil)
	}
	return o, nil
}

func check(ctx context.Context, op, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := snapshot.CheckKey(key); err != nil {
		return fail(op, key, snapshot.ErrInvalid, err)
	}
	return nil
}

// Create makes an object.
func (s *Store) Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error) {
	if err := check(ctx, "create", key); err != nil {
		return snapshot.Object{}, err
	}
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return snapshot.Object{}, fail("create", key, nil, err)
	}
	if int64(len(data)) != size {
		return snapshot.Object{}, fail("create", key, snapshot.ErrInvalid, fmt.Errorf("the body has not the %d bytes that were announced", size))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok {
		return snapshot.Object{}, fail("create", key, snapshot.ErrExists, nil)
	}
	return s.put(key, data)
}

// Replace swaps an object.
func (s *Store) Replace(ctx context.Context, key string, body []byte, etag string) (snapshot.Object, error) {
	if err := check(ctx, "replace", key); err != nil {
		return snapshot.Object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o, ok := s.objects[key]; {
	case !ok:
		return snapshot.Object{}, fail("replace", key, snapshot.ErrNotFound, nil)
	case o.ETag != etag:
		return snapshot.Object{}, fail("replace", key, snapshot.ErrChanged, nil)
	}
	return s.put(key, bytes.Clone(body))
}

func (s *Store) put(key string, data []byte) (snapshot.Object, error) {
	sum, err := snapshot.CRC32C.OfBytes(data)
	if err != nil {
		return snapshot.Object{}, err
	}
	s.version++
	o := object{data: data, Object: snapshot.Object{
		Key: key, Size: int64(len(data)), ETag: strconv.FormatUint(s.version, 10), Modified: time.Now(), Checksum: sum,
	}}
	s.objects[key] = o
	return o.Object, nil
}

// List goes through the objects that were there when it began.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[snapshot.Object, error] {
	return func(yield func(snapshot.Object, error) bool) {
		if err := snapshot.CheckPrefix(prefix); err != nil {
			yield(snapshot.Object{}, fail("list", prefix, snapshot.ErrInvalid, err))
			return
		}
		s.mu.Lock()
		var found []snapshot.Object
		for key, o := range s.objects {
			if strings.HasPrefix(key, prefix) {
				found = append(found, snapshot.Object{Key: key, Size: o.Size, Modified: o.Modified})
			}
		}
		s.mu.Unlock()
		slices.SortFunc(found, func(a, b snapshot.Object) int { return strings.Compare(a.Key, b.Key) })
		for _, o := range found {
			if ctx.Err() != nil {
				yield(snapshot.Object{}, context.Cause(ctx))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, "delete", key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return nil
}
