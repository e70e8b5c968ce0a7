package udf

import (
	"context"
	"fmt"
	"reflect"
	"unsafe"
)

// Aggregation turns many rows into one value. Acc is what it knows of the rows so far; it is kept by Flink as bytes, so
// it must be of the Go types that SQL has. Acc as its zero value has seen no rows; its maps are made.
//
// Accumulate adds a row. Retract takes one out again that was added, which Flink needs where rows change: a bounded OVER
// window, a query on a query that updates. Merge adds up two accumulators, for session windows and two-phase
// aggregation. Both are optional; SQL that needs a missing one is refused by the planner. Result returns the value. The
// same rows must give the same result whatever way they came together.
type Aggregation[In, Acc, Out any] struct {
	Accumulate func(ctx context.Context, acc *Acc, in In) error
	Retract    func(ctx context.Context, acc *Acc, in In) error
	Merge      func(ctx context.Context, acc *Acc, other Acc) error
	Result     func(ctx context.Context, acc Acc) (Out, error)
}

// Aggregate registers a function that turns many rows into one value.
func Aggregate[In, Acc, Out any](r *Registry, name string, agg Aggregation[In, Acc, Out], opts ...Option) {
	f := typed[In, Out](r, name, KindAggregate, opts)
	if f == nil {
		return
	}
	var err error
	switch f.acc, err = planFor(reflect.TypeFor[Acc]()); {
	case err != nil:
		err = fmt.Errorf("accumulator %w", err)
	case agg.Accumulate == nil:
		err = fmt.Errorf("its Aggregation has no Accumulate; give it one")
	case agg.Result == nil:
		err = fmt.Errorf("its Aggregation has no Result; give it one")
	}
	if err != nil {
		r.Fail(name, err)
		return
	}
	f.desc.Accumulator = &Field{Name: "accumulator", Type: f.acc.typ, Nullable: f.acc.nullable}
	f.accRow, f.fingerprint = newRowPlanner(columnsOf(f.acc, "")), fingerprint(*f.desc.Accumulator)
	f.desc.Retract, f.desc.Merge = agg.Retract != nil, agg.Merge != nil
	f.newBody = func() body {
		var m struct {
			in         In
			acc, other Acc
			out        Out
		}
		b := body{
			in: unsafe.Pointer(&m.in), out: unsafe.Pointer(&m.out), acc: unsafe.Pointer(&m.acc), other: unsafe.Pointer(&m.other),
			reset: func() {
				var zero struct {
					acc Acc
					out Out
				}
				m.acc, m.other, m.out = zero.acc, zero.acc, zero.out
			},
		}
		b.ops[OpAccumulate] = func(ctx context.Context) error { return agg.Accumulate(ctx, &m.acc, m.in) }
		if agg.Retract != nil {
			b.ops[OpRetract] = func(ctx context.Context) error { return agg.Retract(ctx, &m.acc, m.in) }
		}
		if agg.Merge != nil {
			b.ops[OpMerge] = func(ctx context.Context) error { return agg.Merge(ctx, &m.acc, m.other) }
		}
		b.ops[OpResult] = func(ctx context.Context) (err error) {
			m.out, err = agg.Result(ctx, m.acc)
			return err
		}
		return b
	}
	r.add(f)
}
