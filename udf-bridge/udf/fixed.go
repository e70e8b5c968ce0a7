package udf

import (
	"context"
	"unsafe"
)

// fixedPlan is what a call of fixed width needs, in one piece: inside a TaskManager the memory of a call is seldom in the
// nearest cache, and each line of it costs as much as all that is done with it.
type fixedPlan struct {
	args   [MaxFixed]fixedCell
	n      int
	strict uint64 // arguments that cannot be NULL
	out    fixedCell
}

// fixedCell is where an argument, or the result, stands.
type fixedCell struct {
	at     unsafe.Pointer
	word   bool // the bits are the value, and it cannot be NULL
	column *column
}

func newFixedPlan(d *Description, args []column, in unsafe.Pointer, out *column, result unsafe.Pointer) fixedPlan {
	p := fixedPlan{n: len(args), out: newFixedCell(out, result)}
	for i := range args {
		p.args[i] = newFixedCell(&args[i], unsafe.Add(in, args[i].offset))
		if !d.Arguments[i].Nullable {
			p.strict |= 1 << i
		}
	}
	return p
}

func newFixedCell(c *column, at unsafe.Pointer) fixedCell {
	return fixedCell{at: at, word: c.null.kind == notNullable && c.cell.op == opInt64, column: c}
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
	if nulls&c.fixed.strict != 0 {
		if c.fn.desc.NullOnNull {
			return 0, true, nil
		}
		return 0, false, c.notNull(nulls)
	}
	for i := range c.fixed.args[:c.fixed.n] {
		cell := &c.fixed.args[i]
		if cell.word {
			*(*int64)(cell.at) = args[i]
		} else if err := cell.load(args[i], nulls>>i&1 != 0); err != nil {
			return 0, false, inputError(atField(cell.column.name, err))
		}
	}
	c.begin(ctx)
	err = c.body.call(c.ctx)
	if c.ctx.asked.Load() != nil {
		err = c.end(err)
	}
	if err != nil {
		return 0, false, err
	}
	if c.fixed.out.word {
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
