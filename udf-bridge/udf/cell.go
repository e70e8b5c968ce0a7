package udf

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unsafe"
)

// cell is how a Go value that is not NULL stands in the row codec: in the slot of a column, or as the element of an
// array. The functions get a pointer to the Go value. Those that load may keep nothing of the bytes they are given.
type cell struct {
	op    op
	shape shape
	size  int         // bytes of an array's element: 1, 2, 4, 8 or 16
	row   *rowPlanner // of a ROW

	loadFixed  func(p unsafe.Pointer, raw uint64) error
	storeFixed func(p unsafe.Pointer) (uint64, error)
	loadWide   func(p unsafe.Pointer, lo, hi uint64) error
	storeWide  func(p unsafe.Pointer) (lo, hi uint64, err error)
	loadVar    func(s *source, p unsafe.Pointer, b []byte) error
	storeVar   func(w *sink, p unsafe.Pointer) error // appends to w.Buf
}

// shape is what a slot holds.
type shape uint8

const (
	fixed    shape = iota // 64 bits
	wide                  // 128 bits
	variable              // where the value is
)

// op are the Go types in memory that need no function call.
type op uint8

const (
	opOther op = iota
	opBool
	opInt8
	opInt16
	opInt32
	opInt64
	opFloat32
	opFloat64
	opString
	opBytes
	opRow
)

func cellOfInt() cell {
	if strconv.IntSize == 64 {
		return cell{op: opInt64, size: 8}
	}
	return cell{
		shape: fixed, size: 8,
		loadFixed: func(p unsafe.Pointer, raw uint64) error {
			v := int(raw)
			*(*int)(p) = v
			if int64(v) != int64(raw) {
				return fmt.Errorf("%d does not fit int on this machine; use int64", int64(raw))
			}
			return nil
		},
		storeFixed: func(p unsafe.Pointer) (uint64, error) { return uint64(*(*int)(p)), nil },
	}
}

// load sets the Go value at p from the bits of a slot.
func (c *cell) load(p unsafe.Pointer, raw uint64) error {
	ok := true
	switch c.op {
	case opInt64, opFloat64:
		*(*uint64)(p) = raw
	case opInt32:
		v := int32(raw)
		*(*int32)(p), ok = v, int64(v) == int64(raw)
	case opInt16:
		v := int16(raw)
		*(*int16)(p), ok = v, int64(v) == int64(raw)
	case opInt8:
		v := int8(raw)
		*(*int8)(p), ok = v, int64(v) == int64(raw)
	case opBool:
		*(*bool)(p), ok = raw&1 != 0, raw <= 1
	case opFloat32:
		*(*uint32)(p), ok = uint32(raw), raw>>32 == 0
	default:
		return c.loadFixed(p, raw)
	}
	if !ok {
		return c.outOfRange(raw)
	}
	return nil
}

func (c *cell) outOfRange(raw uint64) error {
	if c.op == opBool {
		return fmt.Errorf("%d is no BOOLEAN", raw)
	}
	return fmt.Errorf("%#x does not fit %d bits", raw, 8*c.size)
}

// store returns the bits of the Go value at p.
func (c *cell) store(p unsafe.Pointer) (uint64, error) {
	switch c.op {
	case opInt64:
		return *(*uint64)(p), nil
	case opFloat64:
		return float64Bits(*(*float64)(p)), nil
	case opInt32:
		return uint64(*(*int32)(p)), nil
	case opInt16:
		return uint64(*(*int16)(p)), nil
	case opInt8:
		return uint64(*(*int8)(p)), nil
	case opBool:
		return uint64(*(*uint8)(p) & 1), nil
	case opFloat32:
		if f := *(*float32)(p); f != f {
			return nan32, nil
		}
		return uint64(*(*uint32)(p)), nil
	default:
		return c.storeFixed(p)
	}
}

// The one form in which NaN is written, Java's: Flink may compare and hash the bits, and Go's math.NaN has others.
const (
	nan32 = 0x7fc00000
	nan64 = 0x7ff8000000000000
)

func float64Bits(f float64) uint64 {
	if f != f {
		return nan64
	}
	return math.Float64bits(f)
}

// maker returns what makes a new value of the plan's type, for a pointer to point to.
func maker(p *plan) func() unsafe.Pointer {
	switch p.cell.op {
	case opInt64, opFloat64:
		return func() unsafe.Pointer { return unsafe.Pointer(new(int64)) }
	case opInt32, opFloat32:
		return func() unsafe.Pointer { return unsafe.Pointer(new(int32)) }
	case opString:
		return func() unsafe.Pointer { return unsafe.Pointer(new(string)) }
	default:
		t := p.goType
		return func() unsafe.Pointer { return reflect.New(t).UnsafePointer() }
	}
}

// column is a field of a struct as a column of a row.
type column struct {
	name   string
	offset uintptr // of the field
	cell   cell
	null   nullPlan
}

// columnsOf are the columns of a row that holds a plan's value alone: the fields of a struct that cannot be NULL, else
// the value itself. The slots are not laid out yet.
func columnsOf(p *plan, name string) []column {
	if p.typ.Root != RootRow || p.nullable {
		return []column{{name: name, cell: p.cell, null: p.null}}
	}
	return p.cell.row.columns
}

func fieldColumns(fields []rowField) []column {
	columns := make([]column, len(fields))
	for i, f := range fields {
		columns[i] = column{name: f.name, offset: f.offset, cell: f.plan.cell, null: f.plan.null}
	}
	return columns
}

// enter returns where to load a value that is not NULL.
func (n *nullPlan) enter(p unsafe.Pointer) unsafe.Pointer {
	switch n.kind {
	case nullPointer:
		q := n.make()
		*(*unsafe.Pointer)(p) = q
		return q
	case nullStruct:
		*(*bool)(unsafe.Add(p, n.valid)) = true
	}
	return p
}

// setNull is false if the type has no NULL.
func (n *nullPlan) setNull(p unsafe.Pointer) bool {
	switch n.kind {
	case nullPointer:
		*(*unsafe.Pointer)(p) = nil
	case nullStruct:
		n.clear(p)
	default:
		return false
	}
	return true
}

// value returns where the value that is not NULL is, or nil.
func (n *nullPlan) value(p unsafe.Pointer) unsafe.Pointer {
	switch n.kind {
	case nullPointer:
		return *(*unsafe.Pointer)(p)
	case nullStruct:
		if !*(*bool)(unsafe.Add(p, n.valid)) {
			return nil
		}
	}
	return p
}
