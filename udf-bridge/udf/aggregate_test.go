package udf_test

import (
	"context"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// sumAcc has a map, so that a new accumulator must have it made.
type sumAcc struct {
	Sum    int64
	Counts map[string]int64
	Inner  struct{ Seen map[int64]bool }
}

type sumIn struct {
	Key string
	N   int64
}

type sumOut struct {
	Sum  int64
	Keys []string
}

var sums = udf.Aggregation[sumIn, sumAcc, *sumOut]{
	Accumulate: func(_ context.Context, acc *sumAcc, in sumIn) error {
		if in.Key == "bad" {
			return errors.New("told to fail")
		}
		acc.Sum += in.N
		acc.Counts[in.Key]++
		acc.Inner.Seen[in.N] = true
		return nil
	},
	Retract: func(_ context.Context, acc *sumAcc, in sumIn) error {
		acc.Sum -= in.N
		if acc.Counts[in.Key]--; acc.Counts[in.Key] == 0 {
			delete(acc.Counts, in.Key)
		}
		return nil
	},
	Merge: func(_ context.Context, acc *sumAcc, other sumAcc) error {
		acc.Sum += other.Sum
		for key, n := range other.Counts {
			acc.Counts[key] += n
		}
		return nil
	},
	Result: func(_ context.Context, acc sumAcc) (*sumOut, error) {
		if len(acc.Counts) == 0 {
			return nil, nil
		}
		out := &sumOut{Sum: acc.Sum}
		for key := range acc.Counts {
			out.Keys = append(out.Keys, key)
		}
		slices.Sort(out.Keys)
		return out, nil
	},
}

func sized(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(binary.LittleEndian.AppendUint32(all, uint32(len(p))), p...)
	}
	return all
}

// group is an accumulator as Flink keeps it, with the calls that change it.
type group struct {
	t   testing.TB
	c   *udf.Caller
	acc []byte
}

func (g *group) update(op udf.Op, in sumIn) error {
	row, err := udf.EncodeRows(in)
	if err != nil {
		g.t.Fatal(err)
	}
	acc, err := g.c.Call(context.Background(), op, append(sized(g.acc), row...), nil)
	if err == nil {
		g.acc = acc
	}
	return err
}

func (g *group) merge(others ...[]byte) error {
	acc, err := g.c.Call(context.Background(), udf.OpMerge, append(binary.LittleEndian.AppendUint32(nil, uint32(len(others)+1)), sized(append([][]byte{g.acc}, others...)...)...), nil)
	if err == nil {
		g.acc = acc
	}
	return err
}

func (g *group) result() *sumOut {
	out, err := g.c.Call(context.Background(), udf.OpResult, g.acc, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	rows, err := udf.DecodeRows[*sumOut](out)
	if err != nil || len(rows) != 1 {
		g.t.Fatal(rows, err)
	}
	return rows[0]
}

func TestAggregate(t *testing.T) {
	f := one(t, func(r *udf.Registry) { udf.Aggregate(r, "sums", sums) })
	d := f.Describe()
	if !d.Retract || !d.Merge || d.Kind != udf.KindAggregate || d.Fixed() {
		t.Errorf("%+v", d)
	}
	g := &group{t: t, c: open(t, f)}
	if got := g.result(); got != nil {
		t.Errorf("of no rows: %v", got)
	}
	for i, key := range []string{"a", "b", "a"} {
		if err := g.update(udf.OpAccumulate, sumIn{key, int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.result(); !reflect.DeepEqual(got, &sumOut{3, []string{"a", "b"}}) {
		t.Errorf("got %v", got)
	}
	if err := g.update(udf.OpRetract, sumIn{"b", 1}); err != nil {
		t.Fatal(err)
	}
	other := &group{t: t, c: g.c}
	if err := other.update(udf.OpAccumulate, sumIn{"c", 10}); err != nil {
		t.Fatal(err)
	}
	if err := g.merge(other.acc, nil, other.acc); err != nil {
		t.Fatal(err)
	}
	if got := g.result(); !reflect.DeepEqual(got, &sumOut{22, []string{"a", "c"}}) {
		t.Errorf("got %v", got)
	}
	before := string(g.acc)
	if err := g.update(udf.OpAccumulate, sumIn{"bad", 0}); err == nil || err.Error() != "told to fail" || string(g.acc) != before {
		t.Errorf("got %v", err)
	}
	if _, err := f.CallJSON(context.Background(), []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "is an AGGREGATE") {
		t.Errorf("JSON: %v", err)
	}
	if _, err := g.c.Call(context.Background(), udf.OpEval, nil, nil); err == nil {
		t.Error("an aggregate has no OpEval")
	}
}

// TestAccumulatorOfAnotherBuild: state that this build did not write is refused, never misread.
func TestAccumulatorOfAnotherBuild(t *testing.T) {
	type other struct {
		Sum    int64
		Counts map[string]int32
	}
	old := one(t, func(r *udf.Registry) {
		udf.Aggregate(r, "sums", udf.Aggregation[sumIn, other, int64]{
			Accumulate: func(_ context.Context, acc *other, in sumIn) error { acc.Sum += in.N; return nil },
			Result:     func(_ context.Context, acc other) (int64, error) { return acc.Sum, nil },
		})
	})
	was := &group{t: t, c: open(t, old)}
	if err := was.update(udf.OpAccumulate, sumIn{"a", 1}); err != nil {
		t.Fatal(err)
	}
	if err := was.update(udf.OpRetract, sumIn{"a", 1}); err == nil || err.Error() != "sums has no Retract: give its udf.Aggregation one" {
		t.Errorf("retract: %v", err)
	}
	g := &group{t: t, c: open(t, one(t, func(r *udf.Registry) { udf.Aggregate(r, "sums", sums) })), acc: was.acc}
	err := g.update(udf.OpAccumulate, sumIn{"a", 1})
	if err == nil || !strings.Contains(err.Error(), "the accumulator of sums in Flink's state is not one of this build, whose accumulator is ROW<`sum` BIGINT NOT NULL") ||
		!strings.Contains(err.Error(), "take the build that wrote it") {
		t.Errorf("got %v", err)
	}
	for cut := 1; cut < len(was.acc); cut++ {
		was2 := &group{t: t, c: was.c, acc: was.acc[:cut]}
		if err := was2.update(udf.OpAccumulate, sumIn{"a", 1}); err == nil {
			t.Errorf("an accumulator of %d of its %d bytes is accepted", cut, len(was.acc))
		}
	}
}

// TestAggregateIsConsistent: however rows are split into groups, taken out again and merged, the result is that of the
// rows that are left.
func TestAggregateIsConsistent(t *testing.T) {
	c := open(t, one(t, func(r *udf.Registry) { udf.Aggregate(r, "sums", sums) }))
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) sumIn {
			return sumIn{rapid.SampledFrom([]string{"", "a", "b", "ü"}).Draw(rt, "key"), rapid.Int64Range(-9, 9).Draw(rt, "n")}
		})).Draw(rt, "rows")
		kept := rapid.SliceOfN(rapid.Bool(), len(rows), len(rows)).Draw(rt, "kept")
		groups := make([]*group, rapid.IntRange(1, 4).Draw(rt, "groups"))
		for i := range groups {
			groups[i] = &group{t: t, c: c}
		}
		want := map[string]bool{}
		sum := int64(0)
		for i, row := range rows {
			g := groups[rapid.IntRange(0, len(groups)-1).Draw(rt, "group")]
			if err := g.update(udf.OpAccumulate, row); err != nil {
				rt.Fatal(err)
			}
			if !kept[i] {
				if err := g.update(udf.OpRetract, row); err != nil {
					rt.Fatal(err)
				}
				continue
			}
			want[row.Key] = true
			sum += row.N
		}
		var others [][]byte
		for _, g := range groups[1:] {
			others = append(others, g.acc)
		}
		if err := groups[0].merge(others...); err != nil {
			rt.Fatal(err)
		}
		got := groups[0].result()
		if len(want) == 0 {
			if got != nil {
				rt.Fatalf("got %v of no rows", got)
			}
			return
		}
		if got == nil || got.Sum != sum || len(got.Keys) != len(want) {
			rt.Fatalf("got %v, want %d of %v", got, sum, want)
		}
	})
}

// FuzzAggregate asserts that hostile bytes of state never panic.
func FuzzAggregate(f *testing.F) {
	r := udf.NewRegistry()
	udf.Aggregate(r, "sums", sums)
	instance, err := r.Functions()[0].Open(context.Background(), udf.Job{})
	if err != nil {
		f.Fatal(err)
	}
	g := &group{t: f, c: instance.Caller()}
	if err := g.update(udf.OpAccumulate, sumIn{"a", 1}); err != nil {
		f.Fatal(err)
	}
	row, err := udf.EncodeRows(sumIn{"b", 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int32(udf.OpAccumulate), append(sized(g.acc), row...))
	f.Add(int32(udf.OpRetract), append(sized(nil), row...))
	f.Add(int32(udf.OpMerge), append([]byte{2, 0, 0, 0}, sized(g.acc, g.acc)...))
	f.Add(int32(udf.OpResult), g.acc)
	f.Fuzz(func(t *testing.T, op int32, in []byte) {
		_, err := g.c.Call(context.Background(), udf.Op(op), in, nil)
		if out, again := g.c.Call(context.Background(), udf.OpResult, g.acc, nil); again != nil || len(out) == 0 {
			t.Errorf("after %v: %v", err, again)
		}
	})
}
