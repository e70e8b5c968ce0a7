package segment

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// indexer collects what buckets and directory are made of.
type indexer struct {
	blocks    []BlockInfo
	decisions uint64
	jobs      map[string]*Span // nil = too many to be listed
	entries   []entry
}

type entry struct {
	hash  uint64
	block uint16
}

func newIndexer() *indexer { return &indexer{jobs: map[string]*Span{}} }

// begin takes the next block.
func (x *indexer) begin(b BlockInfo) error {
	if len(x.blocks) == maxBlocks {
		return damaged("more than %d blocks", maxBlocks)
	}
	b.Epochs = noEpochs
	x.blocks = append(x.blocks, b)
	return nil
}

// add takes a record of the last block.
func (x *indexer) add(k Key) {
	last := len(x.blocks) - 1
	if len(k.ID) > 0 {
		x.entries = append(x.entries, entry{hash: Hash(k.ID), block: uint16(last)})
	}
	if k.Note {
		return
	}
	x.decisions++
	x.blocks[last].Epochs.add(k.Epoch)
	switch span := x.jobs[string(k.Job)]; {
	case x.jobs == nil:
	case span != nil:
		span.add(k.Epoch)
	case len(x.jobs) == maxJobs || len(k.Job) > math.MaxUint16:
		x.jobs = nil
	default:
		x.jobs[string(k.Job)] = &Span{Low: k.Epoch, High: k.Epoch}
	}
}

// finish returns the buckets and the directory as they stand in the file. The same records in the same blocks give the same
// bytes.
func (x *indexer) finish() (buckets, directory []byte) {
	slices.SortFunc(x.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.block, b.block))
	})
	x.entries = slices.Compact(x.entries)
	var width uint8
	if n := len(x.entries); n > bucketEntries {
		width = uint8(bits.Len(uint((n - 1) / bucketEntries)))
	}
	buckets = make([]byte, 0, len(x.entries)*entrySize)
	directory = append(x.appendBlocksAndJobs(nil), width)
	for i, next := 0, 0; i < 1<<width; i++ {
		start := len(buckets)
		for ; next < len(x.entries) && bucketOf(x.entries[next].hash, width) == i; next++ {
			buckets = order.AppendUint16(buckets, x.entries[next].block)
			buckets = order.AppendUint16(buckets, uint16(x.entries[next].hash))
		}
		directory = order.AppendUint32(directory, uint32(next))
		directory = order.AppendUint32(directory, checksum(buckets[start:]))
	}
	return buckets, directory
}

func (x *indexer) appendBlocksAndJobs(b []byte) []byte {
	b = order.AppendUint32(b, uint32(len(x.blocks)))
	for _, block := range x.blocks {
		b = order.AppendUint64(b, uint64(block.Offset))
		b = order.AppendUint64(b, block.First)
		b = order.AppendUint32(b, uint32(block.Count))
		b = order.AppendUint64(b, uint64(block.Earliest))
		b = order.AppendUint64(b, uint64(block.Latest))
		b = appendSpan(b, block.Epochs)
	}
	b = order.AppendUint64(b, x.decisions)
	if x.jobs == nil {
		return order.AppendUint32(b, jobsNotListed)
	}
	b = order.AppendUint32(b, uint32(len(x.jobs)))
	for _, job := range slices.Sorted(maps.Keys(x.jobs)) {
		b = order.AppendUint16(b, uint16(len(job)))
		b = append(b, job...)
		b = appendSpan(b, *x.jobs[job])
	}
	return b
}

func appendSpan(b []byte, s Span) []byte {
	return order.AppendUint64(order.AppendUint64(b, s.Low), s.High)
}
