package udftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/rowcodec"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// CheckAll opens every function that register registers, with the same options, and does [Check] with it in a subtest. A
// parameter must be declared by one of them.
func CheckAll(t *testing.T, register func(*udf.Registry), options ...Option) {
	all := registry(t, register).Functions()
	for _, fn := range all {
		t.Run(fn.Describe().Name, func(t *testing.T) { Check(opened(t, fn, parametersOf(all...), options)) })
	}
}

// Check calls the function with ordinary values, with NULL in each position that may have it and with the extremes of each
// type, and fails the test for
//
//   - a panic, or a result that is no value of its SQL type; an error of the function's own is its good right;
//   - a function that is declared deterministic and gives another result for the same row: a second time, in another
//     order, in a batch, or by several goroutines at once;
//   - a result that holds memory which the function may not keep;
//   - an aggregate whose result depends on the way rows came together: a restart, a row that was added and taken out
//     again, a merge.
func Check(f *Function) {
	f.t.Helper()
	switch f.Describe().Kind {
	case udf.KindRaw, udf.KindJSON:
		f.checkBytes()
	case udf.KindAggregate:
		f.checkAggregate()
	default:
		f.checkRows()
	}
}

// row is a row of arguments and what came of it.
type row struct {
	values  []any
	message []byte
	result  string // the rows of the result, in their canonical text
	failed  bool   // the function returned an error
}

func (r row) String() string {
	text, err := json.Marshal(r.values)
	if err != nil {
		return err.Error()
	}
	if len(text) > 300 {
		text = append(text[:300], "..."...)
	}
	return string(text)
}

func columnTypes(t testing.TB, fields []udf.Field) []*rowcodec.Type {
	t.Helper()
	types := make([]*rowcodec.Type, len(fields))
	for i, f := range fields {
		var err error
		if types[i], err = rowcodec.ParseType(f.SQL()); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

// columnsOf are those of a result: the fields of a row that cannot be NULL, else the value itself.
func columnsOf(result udf.Field) []udf.Field {
	if result.Type.Root == udf.RootRow && !result.Nullable {
		return result.Type.Fields
	}
	return []udf.Field{result}
}

// rows are the usual row and its variations.
func (f *Function) rows() []row {
	f.t.Helper()
	arguments := f.Describe().Arguments
	usual := usualRow(arguments)
	var all []row
	for _, values := range append([][]any{usual}, variations(arguments, usual)...) {
		all = append(all, f.row(values))
	}
	return all
}

func (f *Function) row(values ...[]any) row {
	f.t.Helper()
	message, err := rowcodec.Encode(columnTypes(f.t, f.Describe().Arguments), values)
	if err != nil {
		f.t.Fatalf("%s: %v", f.Describe().Name, err)
	}
	return row{values: values[0], message: message}
}

func (f *Function) checkRows() {
	f.t.Helper()
	rows := f.rows()
	for i := range rows {
		rows[i].result, rows[i].failed = f.checkRow(rows[i])
	}
	if !f.Describe().Deterministic || f.t.Failed() {
		return
	}
	for _, r := range slices.Backward(rows) {
		f.again(r, "in another order")
	}
	f.checkBatch(rows)
	var others sync.WaitGroup
	for range 4 {
		other := *f
		other.caller, other.buffer = f.instance.Caller(), make([]byte, 0, 64)
		others.Go(func() {
			for _, r := range rows {
				other.again(r, "by several goroutines at once")
			}
		})
	}
	others.Wait()
}

func (f *Function) again(r row, when string) {
	f.t.Helper()
	if result, failed := f.checkRow(r); failed != r.failed || result != r.result {
		f.t.Errorf("%s%v gives another result %s: %.300s, not %.300s; if that is meant, register it with udf.Deterministic(false)",
			f.Describe().Name, r, when, outcome(result, failed), outcome(r.result, r.failed))
	}
}

func outcome(result string, failed bool) string {
	if failed {
		return "an error"
	}
	return result
}

// checkRow calls the function with one row, also by its fixed form if it has one.
func (f *Function) checkRow(r row) (result string, failed bool) {
	f.t.Helper()
	msg, err := f.call(udf.OpEval, r.message)
	if f.bad(r, err) {
		return "", true
	}
	return f.canonical(r, msg), false
}

// bad says whether there is an error, and fails the test unless it is one of the function's own.
func (f *Function) bad(r row, err error) bool {
	f.t.Helper()
	var panicked *udf.PanicError
	var result *udf.ResultError
	var input *udf.InputError
	switch {
	case errors.As(err, &panicked):
		f.t.Errorf("%s%v: %v\n%s", f.Describe().Name, r, err, panicked.Stack)
	case errors.As(err, &result), errors.As(err, &input):
		f.t.Errorf("%s%v: %v", f.Describe().Name, r, err)
	}
	return err != nil
}

// canonical is a message of results as text, in which maps are sorted.
func (f *Function) canonical(r row, msg []byte) string {
	f.t.Helper()
	types := columnTypes(f.t, columnsOf(f.Describe().Result))
	rows, err := rowcodec.Decode(types, msg)
	if err != nil {
		f.t.Errorf("%s%v: its result cannot be read: %v", f.Describe().Name, r, err)
		return ""
	}
	for _, values := range rows {
		for i, t := range types {
			sortMaps(t, values[i])
		}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		f.t.Errorf("%s%v: %v", f.Describe().Name, r, err)
	}
	return string(text)
}

func sortMaps(t *rowcodec.Type, value any) {
	list, _ := value.([]any)
	for i, element := range list {
		switch t.Root {
		case rowcodec.Array:
			sortMaps(t.Element, element)
		case rowcodec.Row:
			sortMaps(t.Fields[i], element)
		case rowcodec.Map:
			sortMaps(t.Element, element.([]any)[1])
		}
	}
	if t.Root == rowcodec.Map || t.Root == rowcodec.Multiset {
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
}

// checkBatch sends all rows that were answered in one call.
func (f *Function) checkBatch(rows []row) {
	f.t.Helper()
	var values [][]any
	var want strings.Builder
	for _, r := range rows {
		if !r.failed {
			values = append(values, r.values)
			want.WriteString(strings.TrimSuffix(strings.TrimPrefix(r.result, "["), "]"))
		}
	}
	if len(values) == 0 {
		return
	}
	batch := f.row(values...)
	msg, err := f.call(udf.OpEval, batch.message)
	if err != nil {
		f.t.Errorf("%s in a batch of rows, each of which is answered alone: %v", f.Describe().Name, err)
		return
	}
	got := strings.TrimSuffix(strings.TrimPrefix(f.canonical(batch, msg), "["), "]")
	if strings.ReplaceAll(got, "],[", "][") != strings.ReplaceAll(want.String(), "],[", "][") {
		f.t.Errorf("%s gives other results in a batch: %.300s, not %.300s", f.Describe().Name, got, want.String())
	}
}

// checkAggregate adds every row alone to a group, and then ordinary rows in different ways.
func (f *Function) checkAggregate() {
	f.t.Helper()
	d := f.Describe()
	f.groupResult(f.Group())
	for _, r := range f.rows() {
		g := f.Group()
		if f.bad(r, g.updateRow(udf.OpAccumulate, r.message)) {
			continue
		}
		f.groupResult(g)
	}
	usual := f.row(usualRow(d.Arguments))
	if !d.Deterministic || f.t.Failed() || f.Group().updateRow(udf.OpAccumulate, usual.message) != nil {
		return
	}
	add := func(g *Group, n int) *Group {
		for range n {
			if err := g.updateRow(udf.OpAccumulate, usual.message); err != nil {
				f.t.Errorf("%s%v: %v", d.Name, usual, err)
			}
		}
		return g
	}
	want := f.groupResult(add(f.Group(), 3))
	same := func(g *Group, how string) {
		f.t.Helper()
		if got := f.groupResult(g); got != want {
			f.t.Errorf("%s gives another result %s: %s, not %s", d.Name, how, got, want)
		}
	}
	restarted := add(f.Group(), 1)
	restarted.Restart()
	same(add(restarted, 2), "after a restart")
	if d.Retract {
		g := add(f.Group(), 4)
		if err := g.updateRow(udf.OpRetract, usual.message); err != nil {
			f.t.Errorf("%s: retract of a row that was added: %v", d.Name, err)
		}
		same(g, "after a row was added and taken out again")
	}
	if d.Merge {
		g := add(f.Group(), 1)
		g.Merge(f.Group(), add(f.Group(), 2))
		same(g, "by a merge")
		empty := f.Group()
		empty.Merge(add(f.Group(), 3))
		same(empty, "merged into a group of no rows")
	}
}

func (f *Function) groupResult(g *Group) string {
	f.t.Helper()
	none := row{values: []any{"result"}}
	msg, err := f.call(udf.OpResult, g.acc)
	if f.bad(none, err) {
		return "an error"
	}
	return f.canonical(none, msg)
}

// checkBytes calls a function of bytes with what nobody should send it.
func (f *Function) checkBytes() {
	f.t.Helper()
	for _, text := range []string{
		`{}`, `[]`, `null`, `0`, `""`, `true`, `{"a":1}`, `[1,"a",null,{"b":[]}]`, ``, `{`, `[1,`, `"\u0041`, "\xff", strings.Repeat("[", 5000), `{"a":1,"a":2}`, `1e999`,
		`"` + longText + `"`,
	} {
		one := row{values: []any{text}}
		first, err := f.call(udf.OpEval, []byte(text))
		var input *udf.InputError
		if errors.As(err, &input) || f.bad(one, err) {
			continue // text that is no JSON, or not what the function takes
		}
		second, err := f.call(udf.OpEval, []byte(text))
		if f.Describe().Deterministic && (err != nil || !reflect.DeepEqual(first, second)) {
			f.t.Errorf("%s%v gives another result the second time: %q, %v, not %q; if that is meant, register it with udf.Deterministic(false)", f.Describe().Name, one, second, err, first)
		}
	}
}
