package udf

import (
	"context"
	"unsafe"
)

// fixedPlan is what a call of fixed width needs, in one piece: inside a TaskManager the memory of a call is seldom in the
// nearest cache, and each line of it costs as much as all that is done with it. With one argument all is in the first line
// of a Caller.
type fixedPlan struct {
	call   func(ctx context.Context) error
	n      uint32 // arguments
	strict uint32 // bit i: argument i cannot be NULL
	out    fixedCell
	args   [MaxFixed]fixedCell
}

// fixedCell is where an argument, or the result, stands.
type fixedCell struct {
	at     unsafe.Pointer
	column *column // nil: the bits are the value, and it cannot be NULL
}

func newFixedPlan(d *Description, args []column, out *column, b *body) fixedPlan {
	p := fixedPlan{call: b.call, n: uint32(len(args)), out: newFixedCell(out, b.out)}
	for i := range args {
		p.args[i] = newFixedCell(&args[i], unsafe.Add(b.in, args[i].offset))
		if !d.Arguments[i].Nullable {
			p.strict |= 1 << i
		}
	}
	return p
}

func newFixedCell(c *column, at unsafe.Pointer) fixedCell {
	if c.null.kind == notNullable && c.cell.op == opInt64 {
		return fixedCell{at: at}
	}
	return fixedCell{at: at, column: c}
}

// Fixed calls a function whose description is Fixed, without a buffer and without allocating. Bit i of nulls says that
// argument i is NULL. Values are as in the slots of the row codec: integers with their sign extended, booleans 0 or 1,
// FLOAT and DOUBLE their bits, DATE days, TIME milliseconds, intervals months or milliseconds.
//
// Whoever recovers from a panic of the function calls [Caller.Abandon].
func (c *Caller) Fixed(ctx context.Context, nulls uint64, args *[MaxFixed]int64) (value int64, null bool, err error) {
	if c.instance.broken.Load() != nil {
		return 0, false, c.instance.err()
	}
	if nulls&uint64(c.fixed.strict) != 0 {
		if c.fn.desc.NullOnNull {
			return 0, true, nil
		}
		return 0, false, c.notNull(nulls)
	}
	for i := range c.fixed.args[:c.fixed.n] {
		cell := &c.fixed.args[i]
		if cell.column == nil {
			*(*int64)(cell.at) = args[i]
		} else if err := cell.load(args[i], nulls>>i&1 != 0); err != nil {
			return 0, false, inputError(atField(cell.column.name, err))
		}
	}
	c.begin(ctx)
	err = c.fixed.call(c.ctx)
	if c.ctx.asked.Load() != nil {
		err = c.end(err)
	}
	if err != nil {
		return 0, false, err
	}
	if c.fixed.out.column == nil {
		return *(*int64)(c.fixed.out.at), false, nil
	}
	if value, null, err = c.fixed.out.store(); err != nil {
		return 0, false, resultError(err)
	}
	return value, null, nil
}

func (f *fixedCell) load(value int64, null bool) error {
	c, p := f.column, f.at
	if c.null.kind != notNullable {
		if null {
			c.null.setNull(p)
			return nil
		}
		p = c.null.enter(p)
	}
	raw := uint64(value)
	if c.cell.op == opFloat32 {
		raw = uint64(uint32(raw)) // Java extends the sign of the bits
	}
	return c.cell.load(p, raw)
}

func (f *fixedCell) store() (value int64, null bool, err error) {
	p := f.at
	if f.column.null.kind != notNullable {
		if p = f.column.null.value(p); p == nil {
			return 0, true, nil
		}
	}
	raw, err := f.column.cell.store(p)
	return int64(raw), false, err
}

// notNull names the argument that is NULL.
func (c *Caller) notNull(nulls uint64) error {
	for i, a := range c.fn.desc.Arguments {
		if !a.Nullable && nulls>>i&1 != 0 {
			return inputError(atField(a.Name, errNotNull))
		}
	}
	return nil
}
