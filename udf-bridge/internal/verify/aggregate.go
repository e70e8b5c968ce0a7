package verify

import (
	"encoding/binary"

	"github.com/drey-flink/drey/udf-bridge/internal/console"
)

// aggregate tries an AGGREGATE: the result of no rows; each case alone; all of them one after the other, then taken back
// in reverse if it can; and the sum of both halves if it can merge.
func (t *trial) aggregate() (died bool) {
	in, out, err := console.Codecs(t.of)
	if err != nil {
		return t.problem("types", err.Error(), err)
	}
	a := &accumulation{trial: t, out: out}
	a.result("no rows", nil)
	var rows [][]byte
	for _, c := range Cases(t.of.Arguments) {
		row, err := in.Encode([][]any{c.Arguments})
		if err != nil {
			t.problem(c.Name, "the case cannot be encoded: "+err.Error(), nil)
			continue
		}
		if acc, ok := a.step(c.Name, console.Accumulate, nil, row); ok {
			a.result(c.Name, acc)
			rows = append(rows, row)
		}
	}
	acc := a.all("all rows", rows)
	if t.of.Merge && len(rows) > 1 {
		half := len(rows) / 2
		a.merge(a.all("the first half", rows[:half]), a.all("the second half", rows[half:]), nil)
	}
	if t.of.Retract {
		for i := len(rows) - 1; i >= 0; i-- {
			if next, ok := a.step("row taken back", console.Retract, acc, rows[i]); ok {
				acc = next
			}
		}
		a.result("all rows taken back", acc)
	}
	return a.died
}

// accumulation is an aggregate that is tried. When the JVM has died, nothing more is asked.
type accumulation struct {
	*trial
	out  console.Values
	died bool
}

func (a *accumulation) ask(name string, op int, input []byte) (result []byte, ok bool) {
	if a.died {
		return nil, false
	}
	result, ok, a.died = a.call(name, op, input)
	return result, ok
}

// step adds a row to an accumulator, or takes it back.
func (a *accumulation) step(name string, op int, acc, row []byte) ([]byte, bool) {
	return a.ask(name, op, append(appendSized(nil, acc), row...))
}

// all adds rows one after the other. A row that is refused leaves the accumulator as it was.
func (a *accumulation) all(name string, rows [][]byte) []byte {
	var acc []byte
	for _, row := range rows {
		if next, ok := a.step(name, console.Accumulate, acc, row); ok {
			acc = next
		}
	}
	a.result(name, acc)
	return acc
}

// merge adds up accumulators.
func (a *accumulation) merge(accs ...[]byte) {
	input := binary.LittleEndian.AppendUint32(nil, uint32(len(accs)))
	for _, acc := range accs {
		input = appendSized(input, acc)
	}
	if acc, ok := a.ask("both halves merged", console.Merge, input); ok {
		a.result("both halves merged", acc)
	}
}

// result asks for the result of an accumulator and decodes it.
func (a *accumulation) result(name string, acc []byte) {
	result, ok := a.ask("result of "+name, console.Result, acc)
	if !ok {
		return
	}
	if _, err := a.out.Decode(result); err != nil {
		a.problem("result of "+name, "the result cannot be decoded: "+err.Error(), nil)
	}
}

func appendSized(b, part []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(part))), part...)
}
