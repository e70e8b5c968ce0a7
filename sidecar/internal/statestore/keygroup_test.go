package statestore

import (
	"testing"
)

// The numbers are what KeyGroupRangeAssignment of Flink 2.3.0 answers.
func TestKeyGroupOfStrings(t *testing.T) {
	tests := []struct {
		key            string
		hash           int32
		maxParallelism int
		keyGroup       uint16
	}{
		{"", 0, 1, 0},
		{"", 0, 128, 94},
		{"", 0, 4096, 2526},
		{"", 0, 32768, 31198},
		{"a", 97, 1, 0},
		{"a", 97, 128, 81},
		{"a", 97, 4096, 3025},
		{"a", 97, 32768, 19409},
		{"user-1", -836031825, 128, 121},
		{"user-1", -836031825, 4096, 1657},
		{"user-1", -836031825, 32768, 13945},
		{"user-42", -147182656, 128, 20},
		{"user-42", -147182656, 32768, 20116},
		{"Grüße", 69215351, 128, 115},
		{"Grüße", 69215351, 4096, 1523},
		{"日本語", 25921943, 128, 27},
		{"日本語", 25921943, 32768, 6683},
		{"😀 emoji", -1572615351, 128, 76},
		{"😀 emoji", -1572615351, 32768, 26572},
		{"a much longer key with spaces and 0123456789", 57825515, 4096, 2323},
		{"polygenelubricants", -2147483648, 128, 108},
		{"polygenelubricants", -2147483648, 4096, 2156},
		{"polygenelubricants", -2147483648, 32768, 10348},
	}
	for _, tt := range tests {
		hash := HashString(tt.key)
		if hash != tt.hash {
			t.Errorf("hash of %q is %d, want %d", tt.key, hash, tt.hash)
		}
		if got := KeyGroup(hash, tt.maxParallelism); got != tt.keyGroup {
			t.Errorf("key group of %q of %d is %d, want %d", tt.key, tt.maxParallelism, got, tt.keyGroup)
		}
	}
}

func TestKeyGroupOfLongs(t *testing.T) {
	tests := []struct {
		key            int64
		hash           int32
		maxParallelism int
		keyGroup       uint16
	}{
		{0, 0, 128, 94},
		{1, 1, 128, 86},
		{1, 1, 32768, 16342},
		{-1, 0, 128, 94},
		{42, 42, 128, 29},
		{42, 42, 32768, 28189},
		{9223372036854775807, -2147483648, 128, 108},
		{-9223372036854775808, -2147483648, 32768, 10348},
		{1234567890123, 1912276436, 128, 92},
		{1234567890123, 1912276436, 32768, 32092},
		{-1234567890123, 1912276437, 128, 30},
		{-1234567890123, 1912276437, 32768, 6686},
	}
	for _, tt := range tests {
		hash := HashLong(tt.key)
		if hash != tt.hash {
			t.Errorf("hash of %d is %d, want %d", tt.key, hash, tt.hash)
		}
		if got := KeyGroup(hash, tt.maxParallelism); got != tt.keyGroup {
			t.Errorf("key group of %d of %d is %d, want %d", tt.key, tt.maxParallelism, got, tt.keyGroup)
		}
	}
}

func TestSubtaskRange(t *testing.T) {
	tests := []struct {
		maxParallelism, parallelism int
		ranges                      []Range
	}{
		{128, 1, []Range{{0, 127}}},
		{128, 2, []Range{{0, 63}, {64, 127}}},
		{128, 3, []Range{{0, 42}, {43, 85}, {86, 127}}},
		{128, 7, []Range{{0, 18}, {19, 36}, {37, 54}, {55, 73}}},
		{5, 3, []Range{{0, 1}, {2, 3}, {4, 4}}},
		{4096, 100, []Range{{0, 40}, {41, 81}, {82, 122}, {123, 163}}},
		{32768, 3, []Range{{0, 10922}, {10923, 21845}, {21846, 32767}}},
	}
	for _, tt := range tests {
		for i, want := range tt.ranges {
			if got := SubtaskRange(tt.maxParallelism, tt.parallelism, i); got != want {
				t.Errorf("subtask %d of %d of max parallelism %d has %s, want %s", i, tt.parallelism, tt.maxParallelism, got, want)
			}
		}
	}
}

func TestRangeCheck(t *testing.T) {
	for _, tt := range []struct {
		keyGroups      Range
		maxParallelism int
		ok             bool
	}{
		{Range{0, 127}, 128, true},
		{Range{0, 32767}, MaxParallelism, true},
		{Range{0, 128}, 128, false},
		{Range{5, 4}, 128, false},
		{Range{0, 0}, 0, false},
		{Range{0, 0}, MaxParallelism + 1, false},
	} {
		if err := tt.keyGroups.Check(tt.maxParallelism); (err == nil) != tt.ok {
			t.Errorf("check of %s of %d: %v", tt.keyGroups, tt.maxParallelism, err)
		}
	}
}
