package segment

import (
	"math"
)

// Key is what the index knows of a record.
type Key struct {
	ID    []byte // empty for a record that nobody looks for by id
	Time  int64  // Unix ns
	Job   []byte
	Epoch uint64
	Note  bool // no decision: neither its job nor its epoch counts
}

// Hash is that of an id: FNV-1a, then the finalizer of MurmurHash3, since the highest bits choose the bucket.
func Hash[T string | []byte](id T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Span is a range of epochs; Low > High if there is none.
type Span struct{ Low, High uint64 }

var noEpochs = Span{Low: math.MaxUint64}

func (s *Span) add(epoch uint64) { s.Low, s.High = min(s.Low, epoch), max(s.High, epoch) }

// BlockInfo is what the directory knows of a block.
type BlockInfo struct {
	Offset           int64
	First            uint64
	Count            int
	Earliest, Latest int64 // Unix ns
	Epochs           Span  // of all jobs
}

// Directory says what is in a sealed segment.
type Directory struct {
	Blocks    []BlockInfo
	Decisions uint64
	// Jobs are the epochs of each job; nil if there were too many jobs to list them.
	Jobs map[string]Span

	buckets []bucket // 1 << width of them
	width   uint8
}

// bucket: up to which entry it goes, and its checksum.
type bucket struct{ end, sum uint32 }

const (
	blockInfoSize = 8 + 8 + 4 + 8 + 8 + 8 + 8
	maxBlocks     = math.MaxUint16 + 1
	maxJobs       = 1000
	jobsNotListed = math.MaxUint32
	entrySize     = 4
	bucketEntries = 32 // on average at most
	maxWidth      = 28
)

func bucketOf(hash uint64, width uint8) int { return int(hash >> (64 - width)) } // a shift by 64 gives 0

// cut takes bytes off the front of a directory. After the first failure it gives zeros.
type cut struct {
	rest []byte
	bad  bool
}

func (c *cut) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cut) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cut) u16() uint16 {
	if b := c.take(2); b != nil {
		return order.Uint16(b)
	}
	return 0
}

func (c *cut) u32() uint32 {
	if b := c.take(4); b != nil {
		return order.Uint32(b)
	}
	return 0
}

func (c *cut) u64() uint64 {
	if b := c.take(8); b != nil {
		return order.Uint64(b)
	}
	return 0
}

func (c *cut) span() Span { return Span{Low: c.u64(), High: c.u64()} }

// parseDirectory reads a directory. Blocks must lie in order between the header and the buckets, buckets in theirs.
func parseDirectory(b []byte, buckets, bucketsEnd int64) (*Directory, error) {
	c := &cut{rest: b}
	d := &Directory{}
	n := c.u32()
	if n > maxBlocks || int(n)*blockInfoSize > len(c.rest) {
		return nil, damaged("the directory's blocks")
	}
	d.Blocks = make([]BlockInfo, n)
	for i, after := 0, int64(headerSize); i < int(n); i++ {
		d.Blocks[i] = BlockInfo{
			Offset: int64(c.u64()), First: c.u64(), Count: int(c.u32()),
			Earliest: int64(c.u64()), Latest: int64(c.u64()), Epochs: c.span(),
		}
		if at := d.Blocks[i].Offset; at < after || at > buckets-blockHeaderSize {
			return nil, damaged("where block %d of the directory begins", i)
		} else {
			after = at + blockHeaderSize
		}
	}
	d.Decisions = c.u64()
	if jobs := c.u32(); jobs != jobsNotListed {
		if jobs > maxJobs {
			return nil, damaged("the directory's jobs")
		}
		d.Jobs = make(map[string]Span, jobs)
		for range jobs {
			job := c.take(int(c.u16()))
			d.Jobs[string(job)] = c.span()
		}
	}
	d.width = c.u8()
	if d.width > maxWidth || c.bad || len(c.rest) != 8<<d.width {
		return nil, damaged("the directory's lengths")
	}
	d.buckets = make([]bucket, 1<<d.width)
	last := uint32(0)
	for i := range d.buckets {
		d.buckets[i] = bucket{end: c.u32(), sum: c.u32()}
		if d.buckets[i].end < last {
			return nil, damaged("the order of buckets")
		}
		last = d.buckets[i].end
	}
	if int64(last)*entrySize != bucketsEnd-buckets {
		return nil, damaged("the length of the buckets")
	}
	return d, nil
}
