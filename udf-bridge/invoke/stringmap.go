package invoke

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// pair is an entry of a string map.
type pair struct{ key, value string }

var errStringMap = errors.New("not a string map: u32 count, then u32 length and bytes of each key and value, big-endian")

// appendStringMap writes the string map of drey.h, in the order given.
func appendStringMap(dst []byte, pairs []pair) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(pairs)))
	for _, p := range pairs {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.key)))
		dst = append(dst, p.key...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.value)))
		dst = append(dst, p.value...)
	}
	return dst
}

// parseStringMap reads a string map. It keeps nothing of data, and takes no more memory than data has.
func parseStringMap(data []byte) (map[string]string, error) {
	if len(data) < 4 {
		return nil, errStringMap
	}
	count := binary.BigEndian.Uint32(data)
	data = data[4:]
	if uint64(count)*8 > uint64(len(data)) {
		return nil, errStringMap
	}
	m := make(map[string]string, count)
	for range count {
		var key, value string
		var err error
		if key, data, err = cutText(data); err != nil {
			return nil, err
		}
		if value, data, err = cutText(data); err != nil {
			return nil, err
		}
		m[key] = value
	}
	if len(data) > 0 {
		return nil, errStringMap
	}
	return m, nil
}

func cutText(data []byte) (text string, rest []byte, err error) {
	if len(data) < 4 {
		return "", nil, errStringMap
	}
	n := uint64(binary.BigEndian.Uint32(data))
	data = data[4:]
	if n > uint64(len(data)) || !utf8.Valid(data[:n]) {
		return "", nil, errStringMap
	}
	return string(data[:n]), data[n:], nil
}
