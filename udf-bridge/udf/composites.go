package udf

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unsafe"
)

// rowCell is a ROW within a row: a struct.
func rowCell(fields []rowField) cell {
	r := newRowPlanner(fieldColumns(fields))
	return cell{
		op: opRow, shape: variable, size: 8, row: r,
		loadVar:  func(s *source, p unsafe.Pointer, b []byte) error { return r.load(s, b, p) },
		storeVar: func(w *sink, p unsafe.Pointer) error { return r.store(w, p) },
	}
}

// sliceHeader is a slice in memory.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

// elements are the packed elements of an array, of a map's keys or of its values.
type elements struct {
	plan   *plan
	stride uintptr // of a Go slice of them
	make   func(n int) unsafe.Pointer
}

func elementsOf(p *plan) *elements {
	e := &elements{plan: p, stride: p.goType.Size()}
	if p.null.kind == notNullable {
		switch p.cell.op {
		case opInt64, opFloat64:
			e.make = func(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]uint64, n))) }
		case opInt32, opFloat32:
			e.make = func(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]uint32, n))) }
		case opString:
			e.make = func(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]string, n))) }
		}
	}
	if e.make == nil {
		slice := reflect.SliceOf(p.goType)
		e.make = func(n int) unsafe.Pointer { return reflect.MakeSlice(slice, n, n).UnsafePointer() }
	}
	return e
}

// array is a view of an array's bytes whose size has been checked.
type array struct {
	b     []byte
	count int
	fixed int // bytes of count, bitmap and elements
}

// open checks that all elements are there. The count is checked against the bytes before anything is allocated for it.
func (e *elements) open(b []byte) (array, error) {
	if len(b) < 4 {
		return array{}, fmt.Errorf("an array in %d bytes", len(b))
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	size := 4 + (n+7)/8 + n*uint64(e.plan.cell.size)
	if size > uint64(len(b)) {
		return array{}, fmt.Errorf("an array of %d elements in %d bytes", n, len(b))
	}
	if last := n % 8; last != 0 && b[4+n/8]>>last != 0 {
		return array{}, errNullBits
	}
	return array{b: b, count: int(n), fixed: int(size)}, nil
}

func (a array) null(i int) bool { return a.b[4+i>>3]>>(i&7)&1 != 0 }

// load reads all elements to where data points.
func (e *elements) load(s *source, a array, data unsafe.Pointer) error {
	for i := range a.count {
		if err := e.loadOne(s, a, i, unsafe.Add(data, uintptr(i)*e.stride)); err != nil {
			return atField("["+strconv.Itoa(i)+"]", err)
		}
	}
	return nil
}

func (e *elements) loadOne(s *source, a array, i int, p unsafe.Pointer) error {
	null, c := &e.plan.null, &e.plan.cell
	if a.null(i) {
		if !null.setNull(p) {
			return errNotNull
		}
		return nil
	}
	p = null.enter(p)
	at := 4 + (a.count+7)/8 + i*c.size
	switch c.size {
	case 1:
		raw := uint64(int8(a.b[at]))
		if c.op == opBool {
			raw = uint64(a.b[at])
		}
		return c.load(p, raw)
	case 2:
		return c.load(p, uint64(int16(binary.LittleEndian.Uint16(a.b[at:]))))
	case 4:
		raw := binary.LittleEndian.Uint32(a.b[at:])
		if c.op == opFloat32 {
			return c.load(p, uint64(raw))
		}
		return c.load(p, uint64(int32(raw)))
	case 8:
		raw := binary.LittleEndian.Uint64(a.b[at:])
		if c.shape == variable {
			return c.loadSlot(s, p, a.b, a.fixed, raw)
		}
		return c.load(p, raw)
	default:
		return c.loadWide(p, binary.LittleEndian.Uint64(a.b[at:]), binary.LittleEndian.Uint64(a.b[at+8:]))
	}
}

// begin writes the fixed part of an array of n elements and returns where the array begins.
func (e *elements) begin(w *sink, n int) int {
	start := w.grow(4 + (n+7)/8 + n*e.plan.cell.size)
	binary.LittleEndian.PutUint32(w.Buf[start:], uint32(n))
	return start
}

// store writes element i of an array of n that begins at start.
func (e *elements) store(w *sink, start, n, i int, p unsafe.Pointer) error {
	c := &e.plan.cell
	if p = e.plan.null.value(p); p == nil {
		w.Buf[start+4+i>>3] |= 1 << (i & 7)
		return nil
	}
	at := start + 4 + (n+7)/8 + i*c.size
	switch c.shape {
	case variable:
		return c.storeSlot(w, p, start, at)
	case wide:
		lo, hi, err := c.storeWide(p)
		binary.LittleEndian.PutUint64(w.Buf[at:], lo)
		binary.LittleEndian.PutUint64(w.Buf[at+8:], hi)
		return err
	}
	raw, err := c.store(p)
	switch c.size {
	case 1:
		w.Buf[at] = byte(raw)
	case 2:
		binary.LittleEndian.PutUint16(w.Buf[at:], uint16(raw))
	case 4:
		binary.LittleEndian.PutUint32(w.Buf[at:], uint32(raw))
	default:
		binary.LittleEndian.PutUint64(w.Buf[at:], raw)
	}
	return err
}

// arrayCell is an ARRAY: a slice.
func arrayCell(element *plan) cell {
	e := elementsOf(element)
	return cell{
		shape: variable, size: 8,
		loadVar: func(s *source, p unsafe.Pointer, b []byte) error {
			a, err := e.open(b)
			if err != nil {
				return err
			}
			data := e.make(a.count)
			*(*sliceHeader)(p) = sliceHeader{data, a.count, a.count}
			return e.load(s, a, data)
		},
		storeVar: func(w *sink, p unsafe.Pointer) error {
			slice := *(*sliceHeader)(p)
			start := e.begin(w, slice.len)
			for i := range slice.len {
				if err := e.store(w, start, slice.len, i, unsafe.Add(slice.data, uintptr(i)*e.stride)); err != nil {
					return atField("["+strconv.Itoa(i)+"]", err)
				}
			}
			return nil
		},
	}
}

// mapCell is a MAP or a MULTISET: a map. Its keys and its values are an array each.
func mapCell(t reflect.Type, key, value *plan) cell {
	keys, values := elementsOf(key), elementsOf(value)
	return cell{
		shape: variable, size: 8,
		loadVar: func(s *source, p unsafe.Pointer, b []byte) error {
			k, v, err := openMap(keys, values, b)
			if err != nil {
				return err
			}
			m := reflect.MakeMapWithSize(t, k.count)
			reflect.NewAt(t, p).Elem().Set(m)
			name, element := reflect.New(t.Key()), reflect.New(t.Elem())
			for i := range k.count {
				if err := keys.loadOne(s, k, i, name.UnsafePointer()); err != nil {
					return atField("[key "+strconv.Itoa(i)+"]", err)
				}
				if err := values.loadOne(s, v, i, element.UnsafePointer()); err != nil {
					return atField("[value "+strconv.Itoa(i)+"]", err)
				}
				m.SetMapIndex(name.Elem(), element.Elem())
			}
			return nil
		},
		storeVar: func(w *sink, p unsafe.Pointer) error {
			m := reflect.NewAt(t, p).Elem()
			return storeMap(w, m, keys, values)
		},
	}
}

func openMap(keys, values *elements, b []byte) (k, v array, err error) {
	if len(b) < 4 {
		return k, v, fmt.Errorf("a map in %d bytes", len(b))
	}
	length := uint64(binary.LittleEndian.Uint32(b))
	if length > uint64(len(b)-4) {
		return k, v, fmt.Errorf("the keys of a map: %w", errOutside)
	}
	if k, err = keys.open(b[4 : 4+length]); err != nil {
		return k, v, err
	}
	if v, err = values.open(b[4+length:]); err != nil {
		return k, v, err
	}
	if k.count != v.count {
		err = fmt.Errorf("a map of %d keys and %d values", k.count, v.count)
	}
	return k, v, err
}

// storeMap writes the entries in the order of their keys, so that equal maps are equal bytes: Flink compares rows by them
// where it takes one back.
func storeMap(w *sink, m reflect.Value, keys, values *elements) error {
	n := m.Len()
	t := m.Type()
	names, elems := reflect.MakeSlice(reflect.SliceOf(t.Key()), n, n), reflect.MakeSlice(reflect.SliceOf(t.Elem()), n, n)
	i := 0
	for iter := m.MapRange(); iter.Next() && i < n; i++ {
		names.Index(i).SetIterKey(iter)
		elems.Index(i).SetIterValue(iter)
	}
	order, err := keys.order(names.UnsafePointer(), i)
	if err != nil {
		return atField("[a key]", err)
	}
	mark := w.grow(4)
	data, start := names.UnsafePointer(), keys.begin(w, i)
	for j, from := range order {
		if err := keys.store(w, start, i, j, unsafe.Add(data, uintptr(from)*keys.stride)); err != nil {
			return atField("[a key]", err)
		}
	}
	binary.LittleEndian.PutUint32(w.Buf[mark:], uint32(len(w.Buf)-mark-4))
	data, start = elems.UnsafePointer(), values.begin(w, i)
	for j, from := range order {
		if err := values.store(w, start, i, j, unsafe.Add(data, uintptr(from)*values.stride)); err != nil {
			return atField("["+clip(fmt.Sprint(names.Index(from)))+"]", err)
		}
	}
	return nil
}

// order sorts n map keys, and returns the index of each.
func (e *elements) order(data unsafe.Pointer, n int) ([]int, error) {
	type sortable struct {
		text  string
		major uint64
		minor uint64
		index int
	}
	all := make([]sortable, n)
	for i := range all {
		p, c := unsafe.Add(data, uintptr(i)*e.stride), &e.plan.cell
		all[i].index = i
		var err error
		switch c.shape {
		case variable:
			all[i].text = *(*string)(p) // a key that can be compared and is no number is a string
		case wide:
			all[i].major, all[i].minor, err = c.storeWide(p)
			all[i].major ^= 1 << 63
		default:
			all[i].major, err = c.store(p)
			all[i].major ^= 1 << 63 // negative numbers first
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b sortable) int {
		return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.major, b.major), cmp.Compare(a.minor, b.minor))
	})
	order := make([]int, n)
	for i, s := range all {
		order[i] = s.index
	}
	return order, nil
}
