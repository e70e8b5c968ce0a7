package statestore

import (
	"fmt"
	"math/bits"
	"unicode/utf16"
)

// MaxParallelism is the most key groups that Flink knows (KeyGroupRangeAssignment.UPPER_BOUND_MAX_PARALLELISM).
const MaxParallelism = 1 << 15

// Range is a range of key groups, both ends in it (Flink's KeyGroupRange).
type Range struct {
	From uint16 `json:"from"`
	To   uint16 `json:"to"`
}

// Len is the number of key groups.
func (r Range) Len() int { return int(r.To) - int(r.From) + 1 }

// Contains says whether the key group is in the range.
func (r Range) Contains(keyGroup uint16) bool { return r.From <= keyGroup && keyGroup <= r.To }

// Intersect is the common part, if there is one.
func (r Range) Intersect(other Range) (Range, bool) {
	common := Range{From: max(r.From, other.From), To: min(r.To, other.To)}
	return common, common.From <= common.To
}

// Check refuses what is no range of that many key groups.
func (r Range) Check(maxParallelism int) error {
	switch {
	case maxParallelism < 1 || maxParallelism > MaxParallelism:
		return fmt.Errorf("max parallelism %d, must be between 1 and %d", maxParallelism, MaxParallelism)
	case r.From > r.To || int(r.To) >= maxParallelism:
		return fmt.Errorf("key groups %s of max parallelism %d make no sense", r, maxParallelism)
	}
	return nil
}

func (r Range) String() string { return fmt.Sprintf("%d to %d", r.From, r.To) }

// SubtaskRange is the range of a subtask (KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex).
func SubtaskRange(maxParallelism, parallelism, subtask int) Range {
	return Range{
		From: uint16((subtask*maxParallelism + parallelism - 1) / parallelism), //nolint:gosec // below MaxParallelism
		To:   uint16(((subtask+1)*maxParallelism - 1) / parallelism),           //nolint:gosec // below MaxParallelism
	}
}

// KeyGroup is the key group of a key whose Java hashCode is given: KeyGroupRangeAssignment.assignToKeyGroup, whose hash is
// MathUtils.murmurHash, the 32-bit MurmurHash3 of four bytes made positive.
func KeyGroup(hashCode int32, maxParallelism int) uint16 {
	h := uint32(hashCode) //nolint:gosec // the same bits
	h = bits.RotateLeft32(h*0xcc9e2d51, 15) * 0x1b873593
	h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	h ^= 4
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	h ^= h >> 16
	positive := int64(int32(h)) //nolint:gosec // the same bits
	switch {
	case positive == -1<<31:
		positive = 0
	case positive < 0:
		positive = -positive
	}
	return uint16(positive % int64(maxParallelism)) //nolint:gosec // below MaxParallelism
}

// HashString is Java's String.hashCode: over UTF-16, of which a character beyond the BMP has two.
func HashString(s string) int32 {
	var h uint32
	for _, r := range s {
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			h = (h*31+uint32(high))*31 + uint32(low) //nolint:gosec // never negative
			continue
		}
		h = h*31 + uint32(r) //nolint:gosec // never negative
	}
	return int32(h) //nolint:gosec // the same bits
}

// HashLong is Java's Long.hashCode.
func HashLong(v int64) int32 {
	return int32(uint32(v) ^ uint32(uint64(v)>>32)) //nolint:gosec // the same bits
}
