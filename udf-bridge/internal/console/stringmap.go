package console

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// appendStringMap writes count, then length and bytes of each key and value, big-endian, sorted by key.
func appendStringMap(b []byte, m map[string]string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		for _, s := range []string{key, m[key]} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
		}
	}
	return b
}

var errStringMap = errors.New("an answer that is not a string map")

// decodeStringMap reads one back.
func decodeStringMap(b []byte) (map[string]string, error) {
	if len(b) < 4 {
		return nil, errStringMap
	}
	count := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(count)*8 > uint64(len(b)) {
		return nil, errStringMap
	}
	m := make(map[string]string, count)
	for range count {
		var pair [2]string
		for i := range pair {
			if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
				return nil, errStringMap
			}
			n := binary.BigEndian.Uint32(b)
			pair[i], b = string(b[4:4+n]), b[4+n:]
		}
		m[pair[0]] = pair[1]
	}
	if len(b) > 0 {
		return nil, errStringMap
	}
	return m, nil
}
