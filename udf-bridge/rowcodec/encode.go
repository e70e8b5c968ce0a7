package rowcodec

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Version is the version of the format, the first byte of each message.
const Version = 1

// headerSize is the size of what comes before the first row.
const headerSize = 8

// bitmapSize is the size of a row's null bitmap.
func bitmapSize(columns int) int { return (columns + 63) / 64 * 8 }

// fixedSize is the size of a row's null bitmap and slots.
func fixedSize(columns []*Type) int {
	size := bitmapSize(len(columns))
	for _, c := range columns {
		size += c.slot()
	}
	return size
}

// Encode writes rows of values in their JSON form (see the package comment) as one message.
func Encode(columns []*Type, rows [][]any) ([]byte, error) {
	if len(columns) > math.MaxUint16 {
		return nil, fmt.Errorf("%d columns; a message has at most %d", len(columns), math.MaxUint16)
	}
	msg := []byte{Version, 0}
	msg = binary.LittleEndian.AppendUint16(msg, uint16(len(columns)))
	msg = binary.LittleEndian.AppendUint32(msg, uint32(len(rows)))
	for i, row := range rows {
		start := len(msg)
		var err error
		if msg, err = appendRow(append(msg, 0, 0, 0, 0), columns, row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		size := len(msg) - start - 4
		if uint64(size) > math.MaxUint32 {
			return nil, fmt.Errorf("row %d: %d bytes; a row has at most 4 GiB", i, size)
		}
		binary.LittleEndian.PutUint32(msg[start:], uint32(size))
	}
	return msg, nil
}

func appendRow(buf []byte, columns []*Type, values []any) ([]byte, error) {
	if len(values) != len(columns) {
		return nil, fmt.Errorf("%d values for %d columns", len(values), len(columns))
	}
	base := len(buf)
	buf = append(buf, make([]byte, fixedSize(columns))...)
	at := base + bitmapSize(len(columns))
	for i, c := range columns {
		if values[i] == nil {
			if !c.Nullable {
				return nil, fmt.Errorf("column %d: NULL in a column that is NOT NULL", i)
			}
			buf[base+i/8] |= 1 << (i % 8)
		} else {
			var err error
			if buf, err = put(buf, base, at, c, values[i]); err != nil {
				return nil, fmt.Errorf("column %d: %w", i, err)
			}
		}
		at += c.slot()
	}
	return buf, nil
}

// put writes a value into the 8 or 16 bytes at a slot of the container that begins at base.
func put(buf []byte, base, at int, t *Type, value any) ([]byte, error) {
	if t.variable() {
		start := len(buf)
		buf, err := appendVariable(buf, t, value)
		if err != nil {
			return nil, err
		}
		binary.LittleEndian.PutUint32(buf[at:], uint32(start-base))
		binary.LittleEndian.PutUint32(buf[at+4:], uint32(len(buf)-start))
		return buf, nil
	}
	lo, hi, err := scalar(t, value)
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint64(buf[at:], lo)
	if t.wide() {
		binary.LittleEndian.PutUint64(buf[at+8:], hi)
	}
	return buf, nil
}

func appendVariable(buf []byte, t *Type, value any) ([]byte, error) {
	switch t.Root {
	case Char, VarChar, Binary, VarBinary:
		b, err := octets(t, value)
		return append(buf, b...), err
	case Row:
		values, err := list(t, value)
		if err != nil {
			return nil, err
		}
		return appendRow(buf, t.Fields, values)
	case Array:
		values, err := list(t, value)
		if err != nil {
			return nil, err
		}
		return appendArray(buf, t.Element, values)
	default: // Map, Multiset
		entries, err := list(t, value)
		if err != nil {
			return nil, err
		}
		keys, values := make([]any, len(entries)), make([]any, len(entries))
		for i, e := range entries {
			pair, ok := e.([]any)
			if !ok || len(pair) != 2 {
				return nil, fmt.Errorf("%s: entry %d is not [key, value]", t.Root, i)
			}
			if keys[i], values[i] = pair[0], pair[1]; pair[0] == nil {
				return nil, fmt.Errorf("%s: the key of entry %d is NULL", t.Root, i)
			}
		}
		start := len(buf)
		if buf, err = appendArray(append(buf, 0, 0, 0, 0), t.Key, keys); err != nil {
			return nil, err
		}
		binary.LittleEndian.PutUint32(buf[start:], uint32(len(buf)-start-4))
		return appendArray(buf, t.value(), values)
	}
}

func appendArray(buf []byte, t *Type, values []any) ([]byte, error) {
	base, n, size := len(buf), len(values), t.packed()
	buf = binary.LittleEndian.AppendUint32(buf, uint32(n))
	nulls := len(buf)
	buf = append(buf, make([]byte, (n+7)/8+n*size)...)
	for i, v := range values {
		at := nulls + (n+7)/8 + i*size
		if v == nil {
			if !t.Nullable {
				return nil, fmt.Errorf("element %d: NULL where none may be", i)
			}
			buf[nulls+i/8] |= 1 << (i % 8)
			continue
		}
		if size >= 8 {
			var err error
			if buf, err = put(buf, base, at, t, v); err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			continue
		}
		lo, _, err := scalar(t, v)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		var raw [8]byte
		binary.LittleEndian.PutUint64(raw[:], lo)
		copy(buf[at:at+size], raw[:])
	}
	return buf, nil
}
