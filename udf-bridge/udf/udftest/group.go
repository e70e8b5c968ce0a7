package udftest

import (
	"encoding/binary"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Group is a group of rows that an aggregate works on: the bytes of its accumulator, as Flink keeps them.
type Group struct {
	f   *Function
	acc []byte
}

// Group returns a group of no rows.
func (f *Function) Group() *Group {
	f.t.Helper()
	if f.Describe().Kind != udf.KindAggregate {
		f.t.Fatalf("%s is no aggregate but of kind %s", f.Describe().Name, f.Describe().Kind)
	}
	return &Group{f: f}
}

// Add adds rows, each a value of the function's input type. An error fails the test.
func (g *Group) Add(rows ...any) {
	g.f.t.Helper()
	g.updateAll(udf.OpAccumulate, rows)
}

// Retract takes rows out again. An error fails the test.
func (g *Group) Retract(rows ...any) {
	g.f.t.Helper()
	g.updateAll(udf.OpRetract, rows)
}

// AddError adds a row and returns the error; the group stays as it was. No error fails the test.
func (g *Group) AddError(row any) error {
	g.f.t.Helper()
	err := g.update(udf.OpAccumulate, row)
	if err == nil {
		g.f.t.Fatalf("%s(%v): want an error", g.f.Describe().Name, row)
	}
	return err
}

// Merge adds what other groups hold; they stay as they are.
func (g *Group) Merge(others ...*Group) {
	g.f.t.Helper()
	in := binary.LittleEndian.AppendUint32(nil, uint32(len(others)+1))
	in = appendSized(in, g.acc)
	for _, other := range others {
		in = appendSized(in, other.acc)
	}
	acc, err := g.f.call(udf.OpMerge, in)
	if err != nil {
		g.f.t.Fatalf("merge of %s: %v", g.f.Describe().Name, err)
	}
	g.acc = acc
}

// Restart is a restart of the job from a checkpoint: the function is closed and opened again, and of the group only the
// bytes of its accumulator are left.
func (g *Group) Restart() {
	g.f.t.Helper()
	g.f.close()
	g.f.job.Attempt++
	g.f.open()
}

// Accumulator returns the bytes in Flink's state, nil if the group never had a row.
func (g *Group) Accumulator() []byte { return g.acc }

// From takes the bytes of an accumulator that Flink's state holds, of an older build say.
func (g *Group) From(accumulator []byte) { g.acc = append([]byte(nil), accumulator...) }

// Result returns the value of the group. An error fails the test.
func Result[Out any](g *Group) Out {
	g.f.t.Helper()
	msg, err := g.f.call(udf.OpResult, g.acc)
	if err != nil {
		g.f.t.Fatalf("result of %s: %v", g.f.Describe().Name, err)
	}
	rows, err := g.f.fn.DecodeResults(msg)
	if err != nil || len(rows) != 1 {
		g.f.t.Fatalf("%s: its result cannot be read: %v", g.f.Describe().Name, err)
	}
	return as[Out](g.f, rows)[0]
}

func (g *Group) updateAll(op udf.Op, rows []any) {
	g.f.t.Helper()
	for _, row := range rows {
		if err := g.update(op, row); err != nil {
			g.f.t.Fatalf("%s(%v): %v", g.f.Describe().Name, row, err)
		}
	}
}

func (g *Group) update(op udf.Op, row any) error {
	g.f.t.Helper()
	msg, err := g.f.fn.EncodeArguments(row)
	if err != nil {
		g.f.t.Fatal(err)
	}
	return g.updateRow(op, msg)
}

// updateRow takes a message of one row.
func (g *Group) updateRow(op udf.Op, msg []byte) error {
	acc, err := g.f.call(op, append(appendSized(nil, g.acc), msg...))
	if err == nil {
		g.acc = acc
	}
	return err
}

func appendSized(b, part []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(part))), part...)
}
