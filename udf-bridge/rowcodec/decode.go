package rowcodec

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is what each refusal of a message wraps.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Decode reads a message into rows of values in their JSON form. What it returns shares no memory with the message.
// Everything in the message is checked before it is believed: memory stays a small multiple of its size.
func Decode(columns []*Type, msg []byte) ([][]any, error) {
	if len(msg) < headerSize {
		return nil, malformed("%d bytes; a message has at least %d", len(msg), headerSize)
	}
	if msg[0] != Version {
		return nil, malformed("version %d; this is version %d", msg[0], Version)
	}
	if msg[1] != 0 {
		return nil, malformed("flags %#x, of which version %d has none", msg[1], Version)
	}
	if n := int(binary.LittleEndian.Uint16(msg[2:])); n != len(columns) {
		return nil, malformed("%d columns, want %d", n, len(columns))
	}
	rows := binary.LittleEndian.Uint32(msg[4:])
	rest := msg[headerSize:]
	if uint64(rows)*4 > uint64(len(rest)) {
		return nil, malformed("%d rows in %d bytes", rows, len(rest))
	}
	least := fixedSize(columns)
	all := make([][]any, 0, rows)
	for i := range rows {
		if len(rest) < 4 {
			return nil, malformed("row %d: no size", i)
		}
		size := binary.LittleEndian.Uint32(rest)
		if uint64(size) > uint64(len(rest)-4) {
			return nil, malformed("row %d: %d bytes, %d are left", i, size, len(rest)-4)
		}
		d := decoder{visits: maxDepth * max(0, int64(size)-int64(least))}
		row, err := d.row(columns, rest[4:4+size])
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		all, rest = append(all, row), rest[4+size:]
	}
	if len(rest) > 0 {
		return nil, malformed("%d bytes after the last row", len(rest))
	}
	return all, nil
}

// decoder reads one row.
type decoder struct {
	// visits is how many bytes of values may still be read. In an honest row a byte is in at most maxDepth values, one within
	// the other; values that overlap could make any amount out of a small row.
	visits int64
}

func (d *decoder) row(columns []*Type, row []byte) ([]any, error) {
	bitmap, fixed := bitmapSize(len(columns)), fixedSize(columns)
	if len(row) < fixed {
		return nil, malformed("a row of %d bytes, its fixed part has %d", len(row), fixed)
	}
	for i := len(columns); i < 8*bitmap; i++ {
		if row[i/8]>>(i%8)&1 != 0 {
			return nil, malformed("null bit %d of %d columns", i, len(columns))
		}
	}
	values := make([]any, len(columns))
	at := bitmap
	for i, c := range columns {
		if row[i/8]>>(i%8)&1 == 0 {
			v, err := d.value(c, row, fixed, at)
			if err != nil {
				return nil, fmt.Errorf("column %d: %w", i, err)
			}
			values[i] = v
		} else if !c.Nullable {
			return nil, fmt.Errorf("column %d: %w", i, malformed("NULL in a column that is NOT NULL"))
		}
		at += c.slot()
	}
	return values, nil
}

// value reads the value of the 8 or 16 byte slot at at. The variable part of the container begins at fixed.
func (d *decoder) value(t *Type, container []byte, fixed, at int) (any, error) {
	if !t.variable() {
		lo, hi := binary.LittleEndian.Uint64(container[at:]), uint64(0)
		if t.wide() {
			hi = binary.LittleEndian.Uint64(container[at+8:])
		}
		return unscalar(t, lo, hi)
	}
	offset, length := uint64(binary.LittleEndian.Uint32(container[at:])), uint64(binary.LittleEndian.Uint32(container[at+4:]))
	if offset < uint64(fixed) || offset+length > uint64(len(container)) {
		return nil, malformed("%d bytes at %d lie outside of the variable part, %d to %d", length, offset, fixed, len(container))
	}
	if d.visits -= int64(length); d.visits < 0 {
		return nil, malformed("values overlap, and come to more than %d times the row", maxDepth)
	}
	part := container[offset : offset+length]
	switch t.Root {
	case Char, VarChar:
		return text(part), nil
	case Binary, VarBinary:
		return Hex(append([]byte{}, part...)), nil
	case Row:
		return orError(d.row(t.Fields, part))
	case Array:
		return orError(d.array(t.Element, part))
	default:
		return orError(d.entries(t, part))
	}
}

// orError keeps a nil slice from becoming a value that is not nil.
func orError(values []any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return values, nil
}

func (d *decoder) entries(t *Type, part []byte) ([]any, error) {
	if len(part) < 4 {
		return nil, malformed("a map of %d bytes", len(part))
	}
	size := binary.LittleEndian.Uint32(part)
	if uint64(size) > uint64(len(part)-4) {
		return nil, malformed("keys of %d bytes in a map of %d", size, len(part))
	}
	key := *t.Key
	key.Nullable = false
	keys, err := d.array(&key, part[4:4+size])
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	values, err := d.array(t.value(), part[4+size:])
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	if len(keys) != len(values) {
		return nil, malformed("%d keys and %d values", len(keys), len(values))
	}
	entries := make([]any, len(keys))
	for i := range keys {
		entries[i] = []any{keys[i], values[i]}
	}
	return entries, nil
}

func (d *decoder) array(t *Type, part []byte) ([]any, error) {
	if len(part) < 4 {
		return nil, malformed("an array of %d bytes", len(part))
	}
	n, size := uint64(binary.LittleEndian.Uint32(part)), t.packed()
	bitmap := (n + 7) / 8
	if 4+bitmap+n*uint64(size) > uint64(len(part)) {
		return nil, malformed("%d elements of %d bytes in an array of %d", n, size, len(part))
	}
	fixed := int(4 + bitmap + n*uint64(size))
	if last := n % 8; last != 0 && part[4+bitmap-1]>>last != 0 {
		return nil, malformed("null bits beyond the %d elements", n)
	}
	values := make([]any, n)
	for i := range int(n) {
		if part[4+i/8]>>(i%8)&1 != 0 {
			if !t.Nullable {
				return nil, fmt.Errorf("element %d: %w", i, malformed("NULL where none may be"))
			}
			continue
		}
		at := 4 + int(bitmap) + i*size
		var err error
		if size >= 8 {
			values[i], err = d.value(t, part, fixed, at)
		} else {
			values[i], err = unscalar(t, narrow(t, part[at:at+size]), 0)
		}
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return values, nil
}

// narrow widens a packed element to what a slot would hold.
func narrow(t *Type, b []byte) uint64 {
	switch {
	case len(b) == 1 && t.Root == Boolean:
		return uint64(b[0])
	case len(b) == 1:
		return uint64(int8(b[0]))
	case len(b) == 2:
		return uint64(int16(binary.LittleEndian.Uint16(b)))
	case t.Root == Float:
		return uint64(binary.LittleEndian.Uint32(b))
	default:
		return uint64(int32(binary.LittleEndian.Uint32(b)))
	}
}
