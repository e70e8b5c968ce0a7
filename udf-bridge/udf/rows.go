package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// rowPlanner reads and writes rows of a struct, or of one value.
type rowPlanner struct {
	columns []column
	steps   []step // what is looked at for each row
	bitmap  int    // bytes
	fixed   int    // bytes of bitmap and slots
}

// step is as much of a column as most columns need, so that a row's plan is in few cache lines.
type step struct {
	offset uintptr
	at     int32
	op     op // opOther if there is more to it
	column *column
}

func newRowPlanner(columns []column) *rowPlanner {
	r := &rowPlanner{columns: columns, steps: make([]step, len(columns)), bitmap: (len(columns) + 63) / 64 * 8}
	r.fixed = r.bitmap
	for i := range columns {
		c := &columns[i]
		r.steps[i] = step{offset: c.offset, at: int32(r.fixed), column: c}
		if c.null.kind == notNullable {
			r.steps[i].op = c.cell.op
		}
		r.fixed += 8
		if c.cell.shape == wide {
			r.fixed += 8
		}
	}
	return r
}

// load reads the row into the Go value at base. Every column is set, also those that are NULL.
func (r *rowPlanner) load(s *source, row []byte, base unsafe.Pointer) error {
	if len(row) < r.fixed {
		return fmt.Errorf("a row of %d columns in %d bytes", len(r.columns), len(row))
	}
	slots := unsafe.Pointer(unsafe.SliceData(row)) // r.fixed bytes of it are there
	for first := 0; first < len(r.steps); first += 64 {
		steps := r.steps[first:min(first+64, len(r.steps))]
		nulls := binary.LittleEndian.Uint64(row[first>>3:])
		if len(steps) < 64 && nulls>>len(steps) != 0 {
			return errNullBits
		}
		for i := range steps {
			st := &steps[i]
			p := unsafe.Add(base, st.offset)
			if nulls>>i&1 != 0 {
				if !st.column.null.setNull(p) {
					return atField(st.column.name, errNotNull)
				}
				continue
			}
			switch raw := word(unsafe.Add(slots, st.at)); st.op {
			case opInt64, opFloat64:
				*(*uint64)(p) = raw
				continue
			case opInt32:
				if v := int32(raw); int64(v) == int64(raw) {
					*(*int32)(p) = v
					continue
				}
			case opBool:
				if raw <= 1 {
					*(*bool)(p) = raw != 0
					continue
				}
			case opString:
				offset, length := uint32(raw), raw>>32
				if offset >= uint32(r.fixed) && uint64(offset)+length <= uint64(len(row)) && s.visit(int(length)) {
					*(*string)(p) = s.text(row[offset:][:length])
					continue
				}
			case opRow:
				offset, length := uint32(raw), raw>>32
				if offset >= uint32(r.fixed) && uint64(offset)+length <= uint64(len(row)) && s.visit(int(length)) {
					if err := st.column.cell.row.load(s, row[offset:][:length], p); err != nil {
						return atField(st.column.name, err)
					}
					continue
				}
			}
			if err := r.loadColumn(s, row, row[st.at:], st.column, p); err != nil {
				return atField(st.column.name, err)
			}
		}
	}
	return nil
}

// word is the 8 bytes at p, of which the caller knows that they are there: a check for each column would cost as much as
// the load.
func word(p unsafe.Pointer) uint64 { return binary.LittleEndian.Uint64((*[8]byte)(p)[:]) }

// loadColumn reads any column that is not NULL; at is its slot.
func (r *rowPlanner) loadColumn(s *source, row, at []byte, c *column, p unsafe.Pointer) error {
	if c.null.kind != notNullable {
		p = c.null.enter(p)
	}
	raw := binary.LittleEndian.Uint64(at)
	switch c.cell.shape {
	case fixed:
		return c.cell.load(p, raw)
	case wide:
		return c.cell.loadWide(p, raw, binary.LittleEndian.Uint64(at[8:]))
	default:
		return c.cell.loadSlot(s, p, row, r.fixed, raw)
	}
}

var (
	errOutside  = errors.New("lies outside of its container")
	errOverlap  = errors.New("its values overlap, and come to far more than the row")
	errNullBits = errors.New("null bits behind the last of its values")
)

// loadSlot reads the value that a slot says is in the variable part of its container, behind the first least bytes.
func (c *cell) loadSlot(s *source, p unsafe.Pointer, container []byte, least int, raw uint64) error {
	offset, length := uint64(uint32(raw)), raw>>32
	if offset < uint64(least) || offset+length > uint64(len(container)) {
		return errOutside
	}
	if !s.visit(int(length)) {
		return errOverlap
	}
	b := container[offset : offset+length]
	switch c.op {
	case opString:
		*(*string)(p) = s.text(b)
		return nil
	case opBytes:
		*(*[]byte)(p) = s.copy(b)
		return nil
	default:
		return c.loadVar(s, p, b)
	}
}

// store writes the Go value at base as a row, without its size.
func (r *rowPlanner) store(w *sink, base unsafe.Pointer) error {
	start := w.grow(r.fixed)
	for i := range r.steps {
		st := &r.steps[i]
		p, at := unsafe.Add(base, st.offset), start+int(st.at)
		switch st.op {
		case opInt64:
			binary.LittleEndian.PutUint64(w.Buf[at:], *(*uint64)(p))
			continue
		case opFloat64:
			binary.LittleEndian.PutUint64(w.Buf[at:], float64Bits(*(*float64)(p)))
			continue
		case opString:
			begin := len(w.Buf)
			w.Buf = append(w.Buf, *(*string)(p)...)
			binary.LittleEndian.PutUint64(w.Buf[at:], uint64(begin-start)|uint64(len(w.Buf)-begin)<<32)
			if !valid(w.Buf[begin:]) {
				return atField(st.column.name, errUTF8)
			}
			continue
		}
		c := st.column
		if c.null.kind != notNullable {
			if p = c.null.value(p); p == nil {
				w.Buf[start+i>>3] |= 1 << (i & 7)
				continue
			}
		}
		if err := c.cell.storeAt(w, p, start, at); err != nil {
			return atField(c.name, err)
		}
	}
	return nil
}

// storeAt writes a value that is not NULL to its slot.
func (c *cell) storeAt(w *sink, p unsafe.Pointer, start, at int) error {
	switch c.shape {
	case fixed:
		raw, err := c.store(p)
		binary.LittleEndian.PutUint64(w.Buf[at:], raw)
		return err
	case wide:
		lo, hi, err := c.storeWide(p)
		binary.LittleEndian.PutUint64(w.Buf[at:], lo)
		binary.LittleEndian.PutUint64(w.Buf[at+8:], hi)
		return err
	default:
		return c.storeSlot(w, p, start, at)
	}
}

// storeSlot appends a value to the container that began at start, and says at the slot where it is.
func (c *cell) storeSlot(w *sink, p unsafe.Pointer, start, slot int) (err error) {
	begin := len(w.Buf)
	switch c.op {
	case opString:
		w.Buf = append(w.Buf, *(*string)(p)...)
		if !valid(w.Buf[begin:]) {
			err = errUTF8
		}
	case opBytes:
		w.Buf = append(w.Buf, *(*[]byte)(p)...)
	default:
		err = c.storeVar(w, p)
	}
	binary.LittleEndian.PutUint64(w.Buf[slot:], uint64(begin-start)|uint64(len(w.Buf)-begin)<<32)
	return err
}
