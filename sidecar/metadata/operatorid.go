package metadata

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// OperatorID is the 128-bit id that Flink finds an operator's state by (org.apache.flink.runtime.jobgraph.OperatorID). Its bytes
// are in the order of the file and of the hex form that Flink logs.
type OperatorID [16]byte

// FromUID is the id of the operator on which the job has called uid(uid): murmur3_128 of the uid's UTF-8 bytes with seed 0
// (org.apache.flink.streaming.api.graph.StreamGraphHasherV2). An operator without a uid has an id that depends on the shape of
// the job graph.
func FromUID(uid string) OperatorID {
	low, high := murmur3([]byte(uid))
	var id OperatorID
	binary.LittleEndian.PutUint64(id[:8], low)
	binary.LittleEndian.PutUint64(id[8:], high)
	return id
}

// ParseOperatorID reads the hex form, 32 digits in either case.
func ParseOperatorID(text string) (OperatorID, error) {
	var id OperatorID
	if len(text) != 2*len(id) {
		return id, fmt.Errorf("operator id %q: it has %d digits, not %d in hex", text, len(text), 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return OperatorID{}, fmt.Errorf("operator id %q: %w", text, err)
	}
	return id, nil
}

// String is the hex form in lower case.
func (id OperatorID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText makes ids readable in JSON.
func (id OperatorID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the hex form.
func (id *OperatorID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseOperatorID(string(text))
	return err
}

// murmur3 is MurmurHash3_x64_128 with seed 0, after Austin Appleby's public-domain reference (smhasher, MurmurHash3.cpp). Uids
// are short and hashed rarely; this needs to be right, not fast.
func murmur3(data []byte) (h1, h2 uint64) {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	mix1 := func(k uint64) uint64 { return bits.RotateLeft64(k*c1, 31) * c2 }
	mix2 := func(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }
	length := uint64(len(data))
	for ; len(data) >= 16; data = data[16:] {
		h1 ^= mix1(binary.LittleEndian.Uint64(data))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= mix2(binary.LittleEndian.Uint64(data[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	// The rest, padded with zeros: a half that is all padding mixes to zero and changes nothing.
	var tail [16]byte
	copy(tail[:], data)
	h1 ^= mix1(binary.LittleEndian.Uint64(tail[:8]))
	h2 ^= mix2(binary.LittleEndian.Uint64(tail[8:]))
	h1 ^= length
	h2 ^= length
	h1 += h2
	h2 += h1
	h1, h2 = finish(h1), finish(h2)
	h1 += h2
	h2 += h1
	return h1, h2
}

func finish(k uint64) uint64 {
	k ^= k >> 33
	k *= 0xff51afd7ed558ccd
	k ^= k >> 33
	k *= 0xc4ceb9fe1a85ec53
	return k ^ k>>33
}
