package udf

import (
	"context"
	"unsafe"
)

// FixedCall is a call of a function whose description is Fixed. Values are as in the slots of the row codec: integers with
// their sign extended, booleans 0 or 1, FLOAT and DOUBLE their bits, DATE days, TIME milliseconds, intervals months or
// milliseconds.
type FixedCall struct {
	Nulls uint64 // bit i: argument i is NULL, and its value is not looked at
	Args  [MaxFixed]int64
	Value int64 // the result
	Null  int64 // 1: the result is NULL, and Value is 0
}

// fixedPlan is what a call of fixed width needs, in one piece: inside a TaskManager the memory of a call is seldom in the
// nearest cache, and each line of it costs as much as all that is done with it.
type fixedPlan struct {
	call   func(ctx context.Context, in, out unsafe.Pointer) error
	in     unsafe.Pointer // where args stand together; nil: they are in memory what they are in a FixedCall
	n      uint32         // arguments
	strict uint32         // bit i: argument i cannot be NULL
	out    fixedCell
	args   [MaxFixed]fixedCell
}

// fixedCell is where an argument, or the result, stands.
type fixedCell struct {
	at     unsafe.Pointer
	column *column // nil: the bits are the value, and it cannot be NULL
}

func newFixedPlan(d *Description, args []column, out *column, b *body) fixedPlan {
	p := fixedPlan{call: b.call, n: uint32(len(args))}
	if !isWord(out) {
		p.out = fixedCell{at: b.out, column: out}
	}
	const word = 8
	words := b.inSize == uintptr(len(args))*word // it holds nothing but them
	for i := range args {
		p.args[i] = fixedCell{at: unsafe.Add(b.in, args[i].offset)}
		if !isWord(&args[i]) {
			p.args[i].column = &args[i]
		}
		words = words && isWord(&args[i]) && args[i].offset == uintptr(i)*word
		if !d.Arguments[i].Nullable {
			p.strict |= 1 << i
		}
	}
	if !words {
		p.in = b.in
	}
	return p
}

// isWord says whether the bits of a slot are the value, which cannot be NULL.
func isWord(c *column) bool { return c.null.kind == notNullable && c.cell.op == opInt64 }

// Fixed calls a function whose description is Fixed, without a buffer and without allocating, and sets its result.
//
// Whoever recovers from a panic of the function calls [Caller.Abandon].
func (c *Caller) Fixed(ctx context.Context, call *FixedCall) error {
	if c.broken.Load() != nil {
		return c.instance.err()
	}
	p := &c.fixed
	call.Null = 0
	if call.Nulls&uint64(p.strict) != 0 {
		if c.fn.desc.NullOnNull {
			call.Value, call.Null = 0, 1
			return nil
		}
		return c.notNull(call.Nulls)
	}
	in, out := unsafe.Pointer(&call.Args), unsafe.Pointer(&call.Value)
	if p.in != nil {
		in = p.in
		if err := p.load(call); err != nil {
			return err
		}
	}
	if p.out.column != nil {
		out = p.out.at
	}
	c.begin(ctx)
	err := p.call(c.ctx, in, out)
	if c.ctx.asked.Load() != nil {
		err = c.end(err)
	}
	if err != nil || p.out.column == nil {
		return err
	}
	return p.store(call)
}

// load sets the arguments.
func (p *fixedPlan) load(call *FixedCall) error {
	for i := range p.args[:p.n] {
		cell := &p.args[i]
		if cell.column == nil {
			*(*int64)(cell.at) = call.Args[i]
		} else if err := cell.load(call.Args[i], call.Nulls>>i&1 != 0); err != nil {
			return inputError(atField(cell.column.name, err))
		}
	}
	return nil
}

// store takes the result.
func (p *fixedPlan) store(call *FixedCall) error {
	value, null, err := p.out.store()
	if err != nil {
		return resultError(err)
	}
	if call.Value = value; null {
		call.Null = 1
	}
	return nil
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
