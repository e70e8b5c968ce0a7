package segment

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Checked is what a whole segment turned out to be.
type Checked struct {
	Last    Head
	Records uint64
	Tail    int64 // bytes after the last whole block of an open segment: unfinished, or being written
}

// Check reads a whole segment: every checksum, the chain from the header on, and whether the index is that of the blocks. each
// is called with every record and the chain after it; problem with what is wrong, after which the check goes on behind it. The
// error is of reading.
func (f *File) Check(ctx context.Context, key func([]byte) (Key, error), each func(Head, []byte), problem func(error)) (Checked, error) {
	c := checker{f: f, key: key, each: each, problem: problem, chain: NewChain(f.Header.Before), index: newIndexer()}
	if f.Sealed() && f.foot == nil {
		problem(damaged("the footer"))
	}
	scan := f.Scan().Borrow()
	for lost := false; ; {
		if err := ctx.Err(); err != nil {
			return Checked{}, err
		}
		b, err := scan.Next()
		switch {
		case err == nil:
			c.block(b, lost)
			lost = false
			continue
		case errors.Is(err, io.EOF):
		case errors.Is(err, ErrUnfinished):
			size, err := io.Copy(io.Discard, io.NewSectionReader(f.src, scan.Offset(), 1<<62))
			if err != nil {
				return Checked{}, err
			}
			c.out.Tail = size
		case errors.Is(err, ErrDamaged):
			more, resyncErr := scan.Resync()
			if resyncErr != nil {
				return Checked{}, resyncErr
			}
			if !more && f.Sealed() && f.foot == nil && c.out.Records > 0 {
				break // where the index begins is not known; it is no damaged block
			}
			problem(damaged("after record %d: %v", c.chain.Head().Seq, err))
			if lost = true; more {
				continue
			}
		default:
			return Checked{}, err
		}
		break
	}
	c.out.Last = c.chain.Head()
	return c.out, c.finish()
}

type checker struct {
	f       *File
	key     func([]byte) (Key, error)
	each    func(Head, []byte)
	problem func(error)
	chain   *Chain
	index   *indexer
	bad     bool // the blocks are not what the index was made of
	out     Checked
}

// block checks one; after what was lost before it its own chain cannot be computed and is believed.
func (c *checker) block(b Block, lost bool) {
	if want := c.chain.Head().Seq + 1; b.First != want {
		c.problem(damaged("record %d stands where %d should", b.First, want))
		lost = true
	}
	c.bad = c.bad || lost
	c.chain.Set(Head{Seq: b.First - 1, Hash: c.chain.Head().Hash})
	info := BlockInfo{Offset: b.Offset, First: b.First, Count: b.Count, Earliest: b.Earliest, Latest: b.Latest}
	if err := c.index.begin(info); err != nil && c.f.Sealed() {
		c.problem(err)
		c.bad = true
	}
	earliest, latest := int64(0), int64(0)
	for seq, body := range b.Records() {
		c.chain.Add(body)
		c.out.Records++
		k, err := c.key(body)
		if err != nil {
			c.problem(damaged("record %d: %v", seq, err))
			continue
		}
		if seq == b.First {
			earliest, latest = k.Time, k.Time
		}
		earliest, latest = min(earliest, k.Time), max(latest, k.Time)
		c.index.add(k)
		c.each(c.chain.Head(), body)
	}
	if earliest != b.Earliest || latest != b.Latest {
		c.problem(damaged("the times of the block of record %d", b.First))
	}
	if !lost && c.chain.Head() != b.After {
		c.problem(damaged("the chain breaks between records %d and %d: one of them was changed", b.First, b.After.Seq))
	}
	c.chain.Set(b.After)
}

// finish compares the index with one of what was read.
func (c *checker) finish() error {
	if c.f.foot == nil || c.bad {
		return nil
	}
	if c.f.foot.last != c.out.Last {
		c.problem(damaged("the footer says that the last record is %d, the blocks end with %d", c.f.foot.last.Seq, c.out.Last.Seq))
	}
	buckets, directory := c.index.finish()
	have, err := read(c.f.src, c.f.foot.buckets, int(c.f.foot.directory-c.f.foot.buckets)+int(c.f.foot.dirBytes))
	if err != nil {
		return err
	}
	if !bytes.Equal(have, append(buckets, directory...)) {
		c.problem(damaged("the index is not that of the records"))
	}
	return nil
}
