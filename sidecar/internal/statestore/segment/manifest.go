package segment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// Opener reads from a snapshot store: see package snapshot.
type Opener interface {
	Open(ctx context.Context, key string, part snapshot.Part) (io.ReadCloser, snapshot.Object, error)
}

// Creator writes to one.
type Creator interface {
	Create(ctx context.Context, key string, body io.Reader, size int64) (snapshot.Object, error)
}

// Reference names a manifest: it is what a checkpoint of Flink holds of the state.
type Reference struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // of the manifest, in hex
	Bytes  int64  `json:"bytes"`
}

// Manifest is the state of one subtask at one checkpoint.
type Manifest struct {
	Version int `json:"version"`
	// Job, Operator (its uid) and Subtask say who wrote it: for people and for garbage collection.
	Job      string `json:"job"`
	Operator string `json:"operator"`
	Subtask  int    `json:"subtask"`
	// Checkpoint is the number of the barrier.
	Checkpoint uint64 `json:"checkpoint"`
	// Savepoint: the barrier was that of a savepoint, which garbage collection treats otherwise.
	Savepoint bool `json:"savepoint,omitzero"`
	// MaxParallelism is how many key groups the operator has, KeyGroups those of the subtask.
	MaxParallelism int              `json:"max_parallelism"`
	KeyGroups      statestore.Range `json:"key_groups"`
	// Watermark is the event time that all requests that may still come have reached, in ms since 1970; math.MinInt64 is none.
	Watermark int64 `json:"watermark,string"`
	// Reached are key groups that had reached a later one before the subtask was restored, at another subtask.
	Reached []Reached `json:"reached,omitempty"`
	// Segments, oldest first.
	Segments []Segment `json:"segments"`
}

// Reached is an event time that key groups have reached.
type Reached struct {
	KeyGroups statestore.Range `json:"key_groups"`
	Watermark int64            `json:"watermark,string"`
}

// ReachedBy lists what key groups of a frozen state have reached beyond its watermark.
func ReachedBy(f *statestore.Frozen) []Reached {
	var all []Reached
	keyGroups := f.KeyGroups()
	for kg := int(keyGroups.From); kg <= int(keyGroups.To); kg++ {
		keyGroup := uint16(kg) //nolint:gosec // in the range
		at := f.Reached(keyGroup)
		switch n := len(all); {
		case at == f.Watermark():
		case n > 0 && all[n-1].Watermark == at && int(all[n-1].KeyGroups.To) == kg-1:
			all[n-1].KeyGroups.To = keyGroup
		default:
			all = append(all, Reached{statestore.Range{From: keyGroup, To: keyGroup}, at})
		}
	}
	return all
}

// reached is the event time that a key group has reached.
func (m *Manifest) reached(keyGroup uint16) int64 {
	for _, r := range m.Reached {
		if r.KeyGroups.Contains(keyGroup) {
			return max(m.Watermark, r.Watermark)
		}
	}
	return m.Watermark
}

// Segment is a segment as a manifest names it.
type Segment struct {
	Key   string `json:"key"`
	Kind  Kind   `json:"kind"`
	Bytes int64  `json:"bytes"`
	// KeyGroups for which it counts: perhaps fewer than it has, after a job was rescaled.
	KeyGroups statestore.Range `json:"key_groups"`
	// Of is the range that it was written for, if that is another one.
	Of *statestore.Range `json:"of,omitempty"`
	// Watermark at which values had expired for sure: the subtask that goes on with a state may begin at an earlier one.
	Watermark int64 `json:"watermark,string"`
	// Answers of it count.
	Answers bool `json:"answers,omitzero"`
	// IndexOffset is where the index begins, which goes to the end and has the hash, in hex.
	IndexOffset int64  `json:"index_offset"`
	IndexSHA256 string `json:"index_sha256"`
}

// written is the range that the segment was written for.
func (s *Segment) written() statestore.Range {
	if s.Of != nil {
		return *s.Of
	}
	return s.KeyGroups
}

// within is the segment as it counts for one who takes over the key groups from the writer of a manifest.
func (s Segment) within(keyGroups statestore.Range, watermark int64) Segment {
	of := s.written()
	if s.KeyGroups, _ = s.KeyGroups.Intersect(keyGroups); s.KeyGroups != of {
		s.Of = &of
	}
	s.Watermark = max(s.Watermark, watermark)
	s.Answers = false
	return s
}

const (
	maxManifest = 64 << 20
	maxChain    = 1 << 16
)

// ParseManifest reads a manifest. All that it says has been checked for sense.
func ParseManifest(data []byte) (*Manifest, error) {
	// The version comes first: what another one means by the rest is not known.
	var of struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return nil, damaged("manifest: %v", err)
	}
	if of.Version != version {
		return nil, fmt.Errorf("the manifest has version %d, this program reads %d: use one that reads it", of.Version, version)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m, jsontext.AllowDuplicateNames(false)); err != nil {
		return nil, damaged("manifest: %v", err)
	}
	if err := m.check(); err != nil {
		return nil, damaged("manifest: %v", err)
	}
	return &m, nil
}

func (m *Manifest) check() error {
	if err := m.KeyGroups.Check(m.MaxParallelism); err != nil {
		return err
	}
	if len(m.Reached) > m.KeyGroups.Len() {
		return fmt.Errorf("event times of %d ranges, there are %d key groups", len(m.Reached), m.KeyGroups.Len())
	}
	if len(m.Segments) > maxChain {
		return fmt.Errorf("%d segments, at most %d are allowed", len(m.Segments), maxChain)
	}
	for i := range m.Segments {
		if err := m.Segments[i].check(m); err != nil {
			return fmt.Errorf("segment %d: %w", i, err)
		}
	}
	return nil
}

func (s *Segment) check(m *Manifest) error {
	if err := snapshot.CheckKey(s.Key); err != nil {
		return err
	}
	if s.Kind != Base && s.Kind != Increment {
		return errors.New("has no kind")
	}
	of := s.written()
	if err := of.Check(m.MaxParallelism); err != nil {
		return err
	}
	inside := func(in, out statestore.Range) bool {
		common, ok := in.Intersect(out)
		return ok && common == in && in.From <= in.To
	}
	if !inside(s.KeyGroups, of) || !inside(s.KeyGroups, m.KeyGroups) {
		return fmt.Errorf("counts for key groups %s, was written for %s, the manifest has %s", s.KeyGroups, of, m.KeyGroups)
	}
	if size := s.Bytes - s.IndexOffset; s.IndexOffset < headerBytes || size < 4 || size > 4+int64(of.Len())*sectionBytes {
		return fmt.Errorf("an index at %d of %d bytes", s.IndexOffset, s.Bytes)
	}
	return checkHash(s.IndexSHA256)
}

func checkHash(text string) error {
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%q is no SHA-256 in hex", text)
	}
	return nil
}

// PutManifest writes a manifest under a key that nobody else uses.
func PutManifest(ctx context.Context, store Creator, key string, m *Manifest) (Reference, error) {
	m.Version = version
	if err := m.check(); err != nil {
		return Reference{}, fmt.Errorf("manifest: %w", err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return Reference{}, fmt.Errorf("manifest: %w", err)
	}
	if len(data) > maxManifest {
		return Reference{}, fmt.Errorf("a manifest of %d bytes, at most %d are read", len(data), maxManifest)
	}
	if _, err := store.Create(ctx, key, bytes.NewReader(data), int64(len(data))); err != nil {
		return Reference{}, err
	}
	sum := sha256.Sum256(data)
	return Reference{Key: key, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}, nil
}

// GetManifest reads the manifest that is meant, and no other.
func GetManifest(ctx context.Context, store Opener, ref Reference) (*Manifest, error) {
	if err := checkHash(ref.SHA256); err != nil {
		return nil, fmt.Errorf("reference to %s: %w", ref.Key, err)
	}
	if ref.Bytes < 0 || ref.Bytes > maxManifest {
		return nil, fmt.Errorf("reference to %s: a manifest of %d bytes, at most %d are read: %w", ref.Key, ref.Bytes, maxManifest, ErrDamaged)
	}
	data, err := read(ctx, store, ref.Key, snapshot.Part{Length: ref.Bytes}, ref.SHA256)
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref.Key, err)
	}
	return m, nil
}

// FindManifest reads a manifest that was found in a listing. No reference says what its hash is: it may be kept by, but never
// restored from.
func FindManifest(ctx context.Context, store Opener, o snapshot.Object) (*Manifest, error) {
	if o.Size > maxManifest {
		return nil, fmt.Errorf("%s: a manifest of %d bytes, at most %d are read: %w", o.Key, o.Size, maxManifest, ErrDamaged)
	}
	body, _, err := store.Open(ctx, o.Key, snapshot.Whole())
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, maxManifest))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Key, err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Key, err)
	}
	return m, nil
}

// read reads a part that has a hash.
func read(ctx context.Context, store Opener, key string, part snapshot.Part, hash string) ([]byte, error) {
	body, _, err := store.Open(ctx, key, part)
	if err != nil {
		return nil, err
	}
	data := make([]byte, part.Length)
	_, err = io.ReadFull(body, data)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hash {
		return nil, fmt.Errorf("%s: %d bytes at %d have the hash %x, not %s: %w", key, part.Length, part.Offset, sum, hash, ErrDamaged)
	}
	return data, nil
}

// Chain is how the state of a restored subtask goes on: the segments of several manifests as they count for it.
type Chain struct {
	Segments []Segment
	// Bases is how many bytes of Segments are in bases, Increments how many in increments.
	Bases, Increments int64
}

// Add appends a segment. A base takes the place of all others.
func (c Chain) Add(s Segment) Chain {
	if s.Kind == Base {
		return Chain{Segments: []Segment{s}, Bases: s.Bytes}
	}
	// The answers of one checkpoint do not belong to the next one.
	next := Chain{Segments: make([]Segment, 0, len(c.Segments)+1), Bases: c.Bases, Increments: c.Increments + s.Bytes}
	for _, old := range c.Segments {
		old.Answers = false
		next.Segments = append(next.Segments, old)
	}
	next.Segments = append(next.Segments, s)
	return next
}

// ChainOf is the chain of the segments that a manifest lists.
func ChainOf(segments []Segment) Chain {
	c := Chain{Segments: segments}
	for i := range segments {
		share := int64(math.Ceil(float64(segments[i].Bytes) * float64(segments[i].KeyGroups.Len()) / float64(segments[i].written().Len())))
		if segments[i].Kind == Base {
			c.Bases += share
		} else {
			c.Increments += share
		}
	}
	return c
}
