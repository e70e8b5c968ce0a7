package segment

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
	"github.com/drey-flink/drey/sidecar/internal/statestore"
)

// ErrIncomplete: the references are not those of one checkpoint, or not all of them.
var ErrIncomplete = errors.New("the references do not make up the state")

// Want says which state is restored.
type Want struct {
	Operator       string
	MaxParallelism int
	KeyGroups      statestore.Range
	Limits         statestore.Limits
	Hooks          statestore.Hooks
	// Parallel is how many parts are read at the same time, at least 1.
	Parallel int
}

// Restored is a state that was loaded.
type Restored struct {
	Partitions *statestore.Partitions
	Chain      Chain
	// Checkpoint that the state is of, 0 if there were no references.
	Checkpoint uint64
}

// Restore loads the state of a range of key groups from the references of one checkpoint: all of them, or at least those of
// the subtasks that had these key groups. Without any it is empty. Nothing is believed that has another hash, and no key group
// may be missing or come twice.
func Restore(ctx context.Context, store Opener, references []Reference, want Want) (*Restored, error) {
	if err := want.KeyGroups.Check(want.MaxParallelism); err != nil {
		return nil, err
	}
	out := &Restored{Partitions: statestore.New(want.KeyGroups, want.Limits, want.Hooks)}
	if len(references) == 0 {
		return out, nil
	}
	manifests, err := getManifests(ctx, store, references, max(1, want.Parallel))
	if err != nil {
		return nil, err
	}
	for i, m := range manifests {
		ref := references[i]
		switch {
		case m.Operator != want.Operator:
			return nil, fmt.Errorf("%s is of operator %q, not of %q: %w", ref.Key, m.Operator, want.Operator, ErrIncomplete)
		case m.MaxParallelism != want.MaxParallelism:
			return nil, fmt.Errorf("%s is of max parallelism %d, not %d; set the job's max parallelism to what it was: %w",
				ref.Key, m.MaxParallelism, want.MaxParallelism, ErrIncomplete)
		case m.Checkpoint != manifests[0].Checkpoint:
			return nil, fmt.Errorf("%s is of checkpoint %d, others are of %d: %w", ref.Key, m.Checkpoint, manifests[0].Checkpoint, ErrIncomplete)
		}
	}
	out.Checkpoint = manifests[0].Checkpoint
	taken, err := cover(manifests, want.KeyGroups)
	if err != nil {
		return nil, err
	}
	l := newLoader(store, out.Partitions, want.MaxParallelism)
	watermark := int64(math.MaxInt64)
	var segments []Segment
	for _, m := range taken {
		watermark = min(watermark, m.Watermark)
		l.reach(m)
		for _, s := range m.Segments {
			common, ok := s.KeyGroups.Intersect(want.KeyGroups)
			if !ok {
				continue
			}
			source := s
			source.KeyGroups, source.Watermark = common, max(s.Watermark, m.Watermark)
			l.sources = append(l.sources, loaderSource{Segment: source, written: s.written()})
			segments = append(segments, s.within(want.KeyGroups, m.Watermark))
		}
	}
	if err := l.run(ctx, max(1, want.Parallel)); err != nil {
		return nil, err
	}
	// The least of them is what all have reached; of each key group what is more is known, too.
	out.Partitions.Advance(watermark)
	out.Partitions.Loaded()
	out.Chain = ChainOf(segments)
	return out, nil
}

// getManifests reads all of them: a subtask has no other way to know which of them have its key groups.
func getManifests(ctx context.Context, store Opener, references []Reference, parallel int) ([]*Manifest, error) {
	manifests := make([]*Manifest, len(references))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, ref := range references {
		group.Go(func() (err error) {
			if manifests[i], err = GetManifest(gctx, store, ref); err != nil {
				return fmt.Errorf("manifest: %w", err)
			}
			return nil
		})
	}
	return manifests, group.Wait()
}

// Load loads the state of a manifest that the caller has from a place it trusts, as it was: it goes on with the same chain.
func Load(ctx context.Context, store Opener, m *Manifest, want Want) (*Restored, error) {
	if err := m.check(); err != nil {
		return nil, damaged("manifest: %v", err)
	}
	out := &Restored{
		Partitions: statestore.New(m.KeyGroups, want.Limits, want.Hooks), Chain: ChainOf(m.Segments), Checkpoint: m.Checkpoint,
	}
	l := newLoader(store, out.Partitions, m.MaxParallelism)
	l.reach(m)
	for _, s := range m.Segments {
		source := loaderSource{Segment: s, written: s.written()}
		source.Watermark = max(s.Watermark, m.Watermark)
		l.sources = append(l.sources, source)
	}
	if err := l.run(ctx, max(1, want.Parallel)); err != nil {
		return nil, err
	}
	out.Partitions.Advance(m.Watermark)
	out.Partitions.Loaded()
	return out, nil
}

// cover returns the manifests that have a part of the range, which must have each key group once.
func cover(manifests []*Manifest, keyGroups statestore.Range) ([]*Manifest, error) {
	taken := slices.DeleteFunc(slices.Clone(manifests), func(m *Manifest) bool {
		_, ok := m.KeyGroups.Intersect(keyGroups)
		return !ok
	})
	slices.SortFunc(taken, func(a, b *Manifest) int { return int(a.KeyGroups.From) - int(b.KeyGroups.From) })
	next := int(keyGroups.From)
	for _, m := range taken {
		switch from := max(int(m.KeyGroups.From), int(keyGroups.From)); {
		case from > next:
			return nil, fmt.Errorf("nobody had key groups %d to %d at checkpoint %d: %w", next, from-1, m.Checkpoint, ErrIncomplete)
		case from < next:
			return nil, fmt.Errorf("key group %d comes twice at checkpoint %d: %w", from, m.Checkpoint, ErrIncomplete)
		}
		next = int(m.KeyGroups.To) + 1
	}
	if next <= int(keyGroups.To) {
		return nil, fmt.Errorf("nobody had key groups %d to %d at checkpoint %d: %w", next, keyGroups.To, manifests[0].Checkpoint, ErrIncomplete)
	}
	return taken, nil
}

// runBytes is about what is read at once: many key groups in one request, so that a store far away is no obstacle.
const runBytes = 8 << 20

// loader fills partitions from segments.
type loader struct {
	store          Opener
	to             *statestore.Partitions
	maxParallelism int
	sources        []loaderSource // in the order in which they are loaded
	reached        []int64        // by each key group
}

func newLoader(store Opener, to *statestore.Partitions, maxParallelism int) *loader {
	l := &loader{store: store, to: to, maxParallelism: maxParallelism, reached: make([]int64, to.KeyGroups().Len())}
	for i := range l.reached {
		l.reached[i] = math.MinInt64
	}
	return l
}

// reach notes what the key groups of a manifest have reached.
func (l *loader) reach(m *Manifest) {
	keyGroups := l.to.KeyGroups()
	common, ok := m.KeyGroups.Intersect(keyGroups)
	for kg := int(common.From); ok && kg <= int(common.To); kg++ {
		l.reached[kg-int(keyGroups.From)] = m.reached(uint16(kg)) //nolint:gosec // in the range
	}
}

type loaderSource struct {
	Segment

	written  statestore.Range
	sections []section
}

func (l *loader) run(ctx context.Context, parallel int) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range l.sources {
		group.Go(func() error { return l.index(gctx, &l.sources[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, at := range l.reached {
		to, err := l.to.Load(l.to.KeyGroups().From+uint16(i), 0) //nolint:gosec // in the range
		if err != nil {
			return err
		}
		to.Reached(at)
	}
	group, gctx = errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, run := range l.runs() {
		group.Go(func() error { return l.load(gctx, run) })
	}
	return group.Wait()
}

// index reads the index of a segment, and its header, which says whether this program can read it.
func (l *loader) index(ctx context.Context, s *loaderSource) error {
	part := snapshot.Part{Offset: s.IndexOffset, Length: s.Bytes - s.IndexOffset}
	data, err := read(ctx, l.store, s.Key, part, s.IndexSHA256)
	if err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	if s.sections, err = readIndex(data, s.written, s.IndexOffset); err != nil {
		return fmt.Errorf("segment %s: %w", s.Key, err)
	}
	body, _, err := l.store.Open(ctx, s.Key, snapshot.Part{Length: headerBytes})
	if err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	data = make([]byte, headerBytes)
	_, err = io.ReadFull(body, data)
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("segment %s: %w", s.Key, err)
	}
	h, err := readHeader(data)
	if err != nil {
		return fmt.Errorf("segment %s: %w", s.Key, err)
	}
	if h.kind != s.Kind || h.keyGroups != s.written || h.maxParallelism != l.maxParallelism {
		return fmt.Errorf("segment %s: a %s of key groups %s of %d, the manifest says a %s of %s of %d: %w",
			s.Key, h.kind, h.keyGroups, h.maxParallelism, s.Kind, s.written, l.maxParallelism, ErrDamaged)
	}
	s.sections = slices.DeleteFunc(s.sections, func(o section) bool { return !s.KeyGroups.Contains(o.keyGroup) })
	return nil
}

// runs cuts the range into pieces of about the same number of bytes.
func (l *loader) runs() []statestore.Range {
	keyGroups := l.to.KeyGroups()
	size := make([]int64, keyGroups.Len())
	for i := range l.sources {
		for _, s := range l.sources[i].sections {
			size[s.keyGroup-keyGroups.From] += s.bytes
		}
	}
	var runs []statestore.Range
	from, sum := keyGroups.From, int64(0)
	for i := range size {
		sum += size[i]
		if at := keyGroups.From + uint16(i); sum >= runBytes || at == keyGroups.To { //nolint:gosec // in the range
			runs = append(runs, statestore.Range{From: from, To: at})
			from, sum = at+1, 0
		}
	}
	return runs
}

// load loads some key groups: of all segments, in order.
func (l *loader) load(ctx context.Context, keyGroups statestore.Range) error {
	sinks := map[uint16]*expiring{}
	for i := range l.sources {
		s := &l.sources[i]
		first, _ := slices.BinarySearchFunc(s.sections, keyGroups.From, compareKeyGroup)
		end, _ := slices.BinarySearchFunc(s.sections, int(keyGroups.To)+1, func(o section, kg int) int { return int(o.keyGroup) - kg })
		if first == end {
			continue
		}
		if err := l.loadSections(ctx, s, s.sections[first:end], sinks); err != nil {
			return fmt.Errorf("segment %s: %w", s.Key, err)
		}
	}
	return nil
}

func compareKeyGroup(s section, keyGroup uint16) int { return int(s.keyGroup) - int(keyGroup) }

func (l *loader) loadSections(ctx context.Context, s *loaderSource, sections []section, sinks map[uint16]*expiring) (err error) {
	last := &sections[len(sections)-1]
	part := snapshot.Part{Offset: sections[0].offset, Length: last.offset + last.bytes - sections[0].offset}
	body, _, err := l.store.Open(ctx, s.Key, part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	in := bufio.NewReaderSize(body, 2*blockTarget)
	for i := range sections {
		section := &sections[i]
		sink := sinks[section.keyGroup]
		if sink == nil {
			keys := min(int64(section.records), section.bytes)
			to, err := l.to.Load(section.keyGroup, int(keys))
			if err != nil {
				return err
			}
			sink = &expiring{Loader: to}
			sinks[section.keyGroup] = sink
		}
		sink.watermark, sink.answers = max(s.Watermark, l.reached[section.keyGroup-l.to.KeyGroups().From]), s.Answers
		if err := readSection(in, section, sink); err != nil {
			return err
		}
		sink.version = max(sink.version, section.version)
		sink.Version(sink.version)
	}
	return nil
}

// expiring leaves out what had expired, and answers that do not count.
type expiring struct {
	*statestore.Loader

	watermark int64
	answers   bool
	version   uint64
}

// Put sets a key.
func (e *expiring) Put(key string, v statestore.Value) {
	if v.Expires != 0 && v.Expires <= e.watermark {
		e.Delete(key)
		return
	}
	e.Loader.Put(key, v)
}

// Answer stores an answer, if it counts.
func (e *expiring) Answer(a statestore.Answer) {
	if e.answers {
		e.Loader.Answer(a)
	}
}
