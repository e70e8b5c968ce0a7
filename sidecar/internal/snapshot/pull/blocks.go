package pull

import "sort"

// blocks cuts ranges into blocks, which are numbered from 0.
type blocks struct {
	ranges []Range
	size   int64 // of a block but the last of a range
	first  []int // number of the first block of each range; at the end, the number of all
}

// block is one of them.
type block struct {
	number, ofRange int
	offset, size    int64
	last            bool // of its range
}

func cut(ranges []Range, size int64) blocks {
	b := blocks{ranges: ranges, size: size, first: make([]int, 1, len(ranges)+1)}
	for _, r := range ranges {
		b.first = append(b.first, b.first[len(b.first)-1]+int((r.Size+size-1)/size))
	}
	return b
}

func (b *blocks) count() int { return b.first[len(b.first)-1] }

func (b *blocks) at(number int) block {
	i := sort.SearchInts(b.first, number+1) - 1
	r, within := b.ranges[i], int64(number-b.first[i])*b.size
	return block{
		number: number, ofRange: i, offset: r.Offset + within, size: min(b.size, r.Size-within),
		last: number+1 == b.first[i+1],
	}
}

// run is consecutive blocks of one range, which are fetched by one request.
type run struct {
	first, last  int // numbers, both included
	offset, size int64
}

// runs are the blocks that are not done, of at most limit bytes each (but at least one block).
func (b *blocks) runs(done []bool, limit int64) []run {
	var runs []run
	open := false
	for n := range done {
		if done[n] {
			open = false
			continue
		}
		next := b.at(n)
		if open && runs[len(runs)-1].size+next.size <= limit {
			r := &runs[len(runs)-1]
			r.last, r.size = n, r.size+next.size
		} else {
			runs = append(runs, run{first: n, last: n, offset: next.offset, size: next.size})
		}
		open = !next.last
	}
	return runs
}
