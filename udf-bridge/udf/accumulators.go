package udf

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

// aggregate is every operation of an AGGREGATE.
func (c *Caller) aggregate(op Op, in, dst []byte) ([]byte, error) {
	c.sink.Buf = dst
	switch op {
	case OpMerge:
		return c.merge(in)
	case OpResult:
		if err := c.loadAccumulator(in, c.body.acc); err != nil {
			return nil, err
		}
		if err := c.body.ops[OpResult](c.ctx); err != nil {
			return nil, err
		}
		start := c.sink.startMessage(len(c.out.columns))
		if err := c.sink.row(c.out, c.body.out); err != nil {
			return nil, resultError(err)
		}
		return c.finish(&message{}, start, 1)
	}
	acc, rest, err := sized(in)
	if err != nil {
		return nil, inputError(err)
	}
	if err := c.loadAccumulator(acc, c.body.acc); err != nil {
		return nil, err
	}
	m, err := openMessage(rest, len(c.in.columns))
	if err == nil && m.rows != 1 {
		err = fmt.Errorf("%d rows, an aggregate takes one at a time", m.rows)
	}
	if err != nil {
		return nil, inputError(err)
	}
	if err := c.loadRow(&m); err != nil {
		return nil, err
	}
	if err := m.end(); err != nil {
		return nil, inputError(err)
	}
	if err := c.body.ops[op](c.ctx); err != nil {
		return nil, err
	}
	return c.storeAccumulator()
}

// merge adds up accumulators, all into the first.
func (c *Caller) merge(in []byte) ([]byte, error) {
	if len(in) < 4 {
		return nil, inputError(fmt.Errorf("accumulators in %d bytes", len(in)))
	}
	n, in := binary.LittleEndian.Uint32(in), in[4:]
	into := c.body.acc
	if n == 0 {
		if err := c.loadAccumulator(nil, into); err != nil {
			return nil, err
		}
	}
	for i := range n {
		acc, rest, err := sized(in)
		if err != nil {
			return nil, inputError(err)
		}
		if err := c.loadAccumulator(acc, into); err != nil {
			return nil, err
		}
		if i > 0 {
			c.row = int(i)
			if err := c.body.ops[OpMerge](c.ctx); err != nil {
				return nil, err
			}
		}
		in, into = rest, c.body.other
	}
	if len(in) > 0 {
		return nil, inputError(fmt.Errorf("%d bytes behind the last accumulator", len(in)))
	}
	return c.storeAccumulator()
}

// sized reads bytes behind their length.
func sized(b []byte) (part, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("the size of an accumulator: %w", errOutside)
	}
	n := uint64(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, fmt.Errorf("an accumulator of %d bytes: %w", n, errOutside)
	}
	return b[:n], b[n:], nil
}

// loadAccumulator reads an accumulator; of no bytes it makes one that has seen no rows.
func (c *Caller) loadAccumulator(b []byte, p unsafe.Pointer) error {
	if len(b) == 0 {
		zero := reflect.NewAt(c.fn.acc.goType, p).Elem()
		zero.SetZero()
		makeMaps(zero)
		return nil
	}
	if len(b) < fingerprintSize || [fingerprintSize]byte(b) != c.fingerprint {
		return fmt.Errorf("the accumulator of %s in Flink's state is not one of this build, whose accumulator is %s: "+
			"take the build that wrote it, or start the job without its state", c.fn.desc.Name, c.fn.desc.Accumulator.SQL())
	}
	m, err := openMessage(b[fingerprintSize:], len(c.acc.columns))
	if err != nil {
		return accumulatorError(err)
	}
	row, err := m.next()
	if err != nil {
		return accumulatorError(err)
	}
	c.source.start(len(row) - c.acc.fixed)
	if err := c.acc.load(&c.source, row, p); err != nil {
		return accumulatorError(err)
	}
	return nil
}

func accumulatorError(err error) error { return inputError(atField("accumulator", err)) }

func (c *Caller) storeAccumulator() ([]byte, error) {
	c.sink.Buf = append(c.sink.Buf, c.fingerprint[:]...)
	start := c.sink.startMessage(len(c.acc.columns))
	if err := c.sink.row(c.acc, c.body.acc); err != nil {
		e := resultError(err)
		e.accumulator = true
		return nil, e
	}
	return c.finish(&message{}, start, 1)
}

// makeMaps makes the maps of a new accumulator, which Go could not write to if they were nil.
func makeMaps(v reflect.Value) {
	switch {
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case v.Kind() == reflect.Struct && isRow(v.Type()):
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				makeMaps(v.Field(i))
			}
		}
	}
}
