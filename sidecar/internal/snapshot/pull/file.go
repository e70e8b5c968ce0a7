package pull

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/minio/crc64nvme"
	"golang.org/x/sync/errgroup"

	"github.com/drey-flink/drey/sidecar/internal/snapshot"
)

// file is one file while it is fetched.
type file struct {
	pull   *pull
	item   *Item
	object snapshot.Object
	blocks blocks
	data   *os.File
	number int // of its heading in the journal
	// verified: the store has compared the checksum of the whole object while all of it was read at once.
	verified bool

	mu     sync.Mutex
	hashes []rangeHash
}

// rangeHash is the checksum of the beginning of a range: blocks that come in order are hashed while they are in memory, the
// others are read again at the end.
type rangeHash struct {
	hash   hash.Hash
	hashed int64
}

// fetchOnce fetches what is missing of a file. If its bytes turn out to be wrong, what is there is thrown away.
func (p *pull) fetchOnce(ctx context.Context, item *Item) (_ File, err error) {
	f := &file{pull: p, item: item}
	if err := f.open(); err != nil {
		return File{}, failed(p.folder, item.Name, err)
	}
	defer func() {
		if f.data != nil {
			err = errors.Join(err, f.data.Close())
		}
		if errors.Is(err, snapshot.ErrCorrupt) || errors.Is(err, snapshot.ErrChanged) || isMissing(err) {
			err = errors.Join(err, f.discard())
		}
	}()
	done, err := f.resume(ctx)
	if err != nil {
		return File{}, err
	}
	if err := f.fill(ctx, done); err != nil {
		if errors.Is(err, snapshot.ErrShort) {
			err = f.confirm(ctx, err)
		}
		return File{}, err
	}
	out, err := f.finish(ctx)
	if err != nil {
		return File{}, err
	}
	data := f.data
	f.data = nil // it is no longer ours
	return out, failed(p.folder, "", p.unsynced.add(data))
}

func (f *file) open() error {
	root, name := f.pull.root, f.item.Name
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	var err error
	f.data, err = root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	return err
}

func (f *file) discard() error {
	if err := f.pull.root.Remove(f.item.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(f.pull.folder, f.item.Name, err)
	}
	return nil
}

// resume finds out which blocks an earlier call has left, if they are of the object as it is now. It answers nil if there are
// none; then the object has not been looked at yet.
func (f *file) resume(ctx context.Context) ([]bool, error) {
	left, ok := f.pull.journal.take(f.item.Name)
	if !ok {
		return nil, nil
	}
	object, err := f.item.Source.Stat(ctx, f.item.Key)
	if err != nil {
		return nil, err
	}
	if err := f.item.compare(object); err != nil {
		return nil, err
	}
	if !left.heading.sameAs(f.heading(object)) || object.ETag == "" {
		return nil, nil // of another version, for all one knows
	}
	f.is(object)
	f.number = left.heading.File
	sums := make(map[int]uint64, len(left.blocks))
	for _, b := range left.blocks {
		sums[b.number] = b.sum
	}
	done := make([]bool, f.blocks.count())
	slot, err := f.pull.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer f.pull.release(slot)
	for n := range done {
		if sum, ok := sums[n]; ok {
			if done[n], err = f.there(f.blocks.at(n), sum, slot); err != nil {
				return nil, failed(f.pull.folder, f.item.Name, err)
			}
		}
	}
	return done, nil
}

// there says whether the bytes of a block have the checksum that was noted of them.
func (f *file) there(b block, want uint64, buffer []byte) (bool, error) {
	sum := crc64nvme.New()
	_, err := io.CopyBuffer(sum, io.NewSectionReader(f.data, b.offset, b.size), buffer)
	return sum.Sum64() == want, err
}

func (f *file) heading(o snapshot.Object) heading {
	return heading{
		Version: journalVersion, Name: f.item.Name, URL: f.item.URL, ETag: o.ETag, Size: o.Size, Block: f.pull.options.block, Ranges: f.item.ranges(o.Size),
	}
}

// is notes which object the file is a copy of.
func (f *file) is(o snapshot.Object) {
	f.object, f.blocks = o, cut(f.item.ranges(o.Size), f.pull.options.block)
	f.hashes = make([]rangeHash, len(f.blocks.ranges))
}

// fill fetches the blocks that are not done; those of a large file by several requests at once.
func (f *file) fill(ctx context.Context, done []bool) error {
	if done == nil {
		var err error
		if done, err = f.begin(ctx); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range f.blocks.runs(done, f.pull.options.segment) {
		slot, err := f.pull.slot(ctx)
		if err != nil {
			if failure := group.Wait(); failure != nil {
				err = failure
			}
			return err
		}
		group.Go(func() error {
			defer f.pull.release(slot)
			return f.fetch(ctx, r, slot)
		})
	}
	return group.Wait()
}

// begin makes the first request, which also tells what the object is. It may be the only one.
func (f *file) begin(ctx context.Context) ([]bool, error) {
	slot, err := f.pull.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer f.pull.release(slot)
	reader, object, err := f.item.Source.Open(ctx, f.item.Key, f.firstPart())
	if err != nil {
		return nil, err
	}
	defer reader.Close() //nolint:errcheck // what was read of it counts
	if err := f.item.compare(object); err != nil {
		return nil, err
	}
	f.is(object)
	if err := f.reset(); err != nil {
		return nil, failed(f.pull.folder, f.item.Name, err)
	}
	done := make([]bool, f.blocks.count())
	runs := f.blocks.runs(done, f.pull.options.segment)
	if len(runs) == 0 {
		return done, nil
	}
	if err := f.store(reader, runs[0], slot); err != nil {
		return nil, err
	}
	for n := runs[0].first; n <= runs[0].last; n++ {
		done[n] = true
	}
	if whole := runs[0].size == object.Size; whole {
		f.verified = true
		return done, ended(reader, f.item.URL)
	}
	return done, nil
}

// firstPart is all of an object that is small or of unknown size, since then the store compares its checksum.
func (f *file) firstPart() snapshot.Part {
	if len(f.item.Ranges) == 0 && f.item.Size <= f.pull.options.segment {
		return snapshot.Whole()
	}
	first := f.item.ranges(f.item.Size)[0]
	whole := cut([]Range{first}, f.pull.options.block)
	r := whole.runs(make([]bool, whole.count()), f.pull.options.segment)[0]
	return snapshot.Part{Offset: r.offset, Length: r.size}
}

// reset begins the file anew.
func (f *file) reset() (err error) {
	if err := f.data.Truncate(0); err != nil {
		return err
	}
	f.number, err = f.pull.journal.begin(f.heading(f.object))
	return err
}

// fetch makes one request more.
func (f *file) fetch(ctx context.Context, r run, slot []byte) error {
	reader, _, err := f.item.Source.Open(ctx, f.item.Key, snapshot.Part{Offset: r.offset, Length: r.size, ETag: f.object.ETag})
	if err != nil {
		return err
	}
	defer reader.Close() //nolint:errcheck // what was read of it counts
	if err := f.store(reader, r, slot); err != nil {
		return err
	}
	return ended(reader, f.item.URL)
}

// ended reads the end, where the reader says if the bytes were right.
func ended(r io.Reader, url string) error {
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return wrong(url, snapshot.ErrCorrupt, errors.New("more bytes came than were asked for"))
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// store writes the blocks of a run as they come.
func (f *file) store(reader io.Reader, r run, slot []byte) error {
	for n := r.first; n <= r.last; n++ {
		b := f.blocks.at(n)
		sum := crc64nvme.New()
		for at := int64(0); at < b.size; {
			data := slot[:min(b.size-at, int64(len(slot)))]
			if _, err := io.ReadFull(reader, data); err != nil {
				if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
					err = wrong(f.item.URL, snapshot.ErrCorrupt, fmt.Errorf("fewer bytes came than were asked for: %w", err))
				}
				return err
			}
			if _, err := f.data.WriteAt(data, b.offset+at); err != nil {
				return failed(f.pull.folder, f.item.Name, err)
			}
			sum.Write(data) //nolint:errcheck // a hash does not fail
			f.absorb(b.ofRange, b.offset+at, data)
			at += int64(len(data))
		}
		if err := f.pull.journal.note(f.number, blockSum{n, sum.Sum64()}); err != nil {
			return failed(f.pull.folder, f.item.Name, err)
		}
		f.pull.count(b.size)
	}
	return nil
}

// absorb hashes bytes at an offset if they are the next of their range.
func (f *file) absorb(ofRange int, offset int64, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &f.hashes[ofRange]
	if h.hash == nil {
		h.hash = rangeSum.New()
	}
	if f.blocks.ranges[ofRange].Offset+h.hashed == offset {
		h.hash.Write(data) //nolint:errcheck // a hash does not fail
		h.hashed += int64(len(data))
	}
}

// confirm asks again whether an object is too short: the answer that said so may have been cut itself.
func (f *file) confirm(ctx context.Context, short error) error {
	object, err := f.item.Source.Stat(ctx, f.item.Key)
	if err == nil && f.item.compare(object) == nil {
		return wrong(f.item.URL, snapshot.ErrCorrupt, fmt.Errorf("the answer was cut: %s", short)) //nolint:errorlint // it is not too short
	}
	return short
}

// finish hashes the rest, and compares the checksum of the whole if nobody has.
func (f *file) finish(ctx context.Context) (File, error) {
	out := File{Name: f.item.Name, URL: f.item.URL, ETag: f.object.ETag, Size: f.object.Size}
	end := int64(0)
	for i, r := range f.blocks.ranges {
		h := &f.hashes[i]
		if h.hash == nil {
			h.hash = rangeSum.New()
		}
		if _, err := copyContext(ctx, h.hash, io.NewSectionReader(f.data, r.Offset+h.hashed, r.Size-h.hashed)); err != nil {
			return File{}, failed(f.pull.folder, f.item.Name, err)
		}
		out.Ranges = append(out.Ranges, HashedRange{Offset: r.Offset, Size: r.Size, CRC64NVME: hex.EncodeToString(h.hash.Sum(nil))})
		end = r.end()
	}
	if err := f.compareWhole(ctx, end); err != nil {
		return File{}, err
	}
	return out, failed(f.pull.folder, f.item.Name, f.data.Truncate(end))
}

func (f *file) compareWhole(ctx context.Context, end int64) error {
	if f.verified || len(f.blocks.ranges) != 1 || end != f.object.Size || f.blocks.ranges[0].Offset != 0 {
		return nil
	}
	if f.object.Checksum.IsZero() { // no answer was of the whole object
		object, err := f.item.Source.Stat(ctx, f.item.Key)
		if err != nil {
			return err
		}
		if object.ETag != f.object.ETag {
			return wrong(f.item.URL, snapshot.ErrChanged, errors.New("while it was fetched"))
		}
		f.object = object
	}
	h := f.object.Checksum.Algorithm.New()
	if h == nil {
		return nil
	}
	if f.object.Checksum.Algorithm == rangeSum {
		h = f.hashes[0].hash // is of the same bytes
	} else if _, err := copyContext(ctx, h, io.NewSectionReader(f.data, 0, end)); err != nil {
		return failed(f.pull.folder, f.item.Name, err)
	}
	if err := f.object.Checksum.Check(h); err != nil {
		return wrong(f.item.URL, snapshot.ErrCorrupt, err)
	}
	return nil
}
