package udf_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// evalRow calls an identity function with the row codec and as JSON.
func evalRow[T any](t *testing.T, value T) (byRow, byJSON error) {
	t.Helper()
	r := udf.NewRegistry()
	udf.Scalar(r, "f", func(context.Context, int64) (T, error) { return value, nil })
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	in, err := udf.EncodeRows(int64(1))
	if err != nil {
		t.Fatal(err)
	}
	f := r.Functions()[0]
	_, byRow = open(t, f).Call(context.Background(), udf.OpEval, in, nil)
	_, byJSON = f.CallJSON(context.Background(), []byte("1"))
	return byRow, byJSON
}

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// TestResultsThatDoNotFit: a result is never rounded, cut or replaced; the error names the field and says what would do.
func TestResultsThatDoNotFit(t *testing.T) {
	check := func(name, want string, byRow, byJSON error) {
		t.Helper()
		var result *udf.ResultError
		if !errors.As(byRow, &result) || !strings.Contains(byRow.Error(), want) {
			t.Errorf("%s: got %v, want ...%s...", name, byRow, want)
		}
		for _, where := range []string{"the result ", "amount ", "code ", "note ", "key ", "at "} {
			want = strings.TrimPrefix(want, where) // JSON has a colon behind it
		}
		if byJSON == nil || !strings.Contains(byJSON.Error(), want) {
			t.Errorf("%s as JSON: got %v, want ...%s...", name, byJSON, want)
		}
	}
	type money struct {
		Amount decimal.Decimal `udf:",DECIMAL(5, 2)"`
	}
	for text, want := range map[string]string{
		"1000": "amount 1000 has more than the 3 digits before the point that DECIMAL(5, 2) has; give the field's tag a larger precision", "-1000": "more than the 3 digits before",
		"1.005": "amount 1.005 has more than the 2 digits behind the point that DECIMAL(5, 2) has; round it (Round(2))", "0.001": "more than the 2 digits behind",
		"1e30": "more than the 3 digits before", "1e10000": "more than the 3 digits before", "1e-10000": "more than the 2 digits behind", "123456789012345678901234567890": "more than the 3 digits before",
		"9999999999999999999999999999.999": "more than the 2 digits behind",
	} {
		byRow, byJSON := evalRow(t, money{dec(text)})
		check(text, want, byRow, byJSON)
	}
	byRow, byJSON := evalRow(t, money{decimal.New(1, math.MaxInt32)})
	check("huge exponent", "amount 1e2147483647 has more than the 3 digits before", byRow, byJSON)
	byRow, byJSON = evalRow(t, money{decimal.New(-1, math.MinInt32)})
	check("tiny exponent", "amount -1e-2147483648 has more than the 2 digits behind", byRow, byJSON)
	for _, fits := range []string{"999.99", "-999.99", "0", "0e9999", "1.500", "1e2", "0.10000000000000000000000000000000000", "10.00e1"} {
		if byRow, byJSON := evalRow(t, money{dec(fits)}); byRow != nil || byJSON != nil {
			t.Errorf("%s: %v, %v", fits, byRow, byJSON)
		}
	}
	byRow, byJSON = evalRow(t, dec("100000000000000000000"))
	check("default", "the result 100000000000000000000 has more than the 20 digits before the point that DECIMAL(38, 18) has", byRow, byJSON)

	byRow, byJSON = evalRow(t, struct {
		Code string `udf:",CHAR(3)"`
	}{"DE"})
	check("char", "code has 2 characters, which CHAR(3) does not hold; pad or cut it, or give the field's tag another length", byRow, byJSON)
	byRow, byJSON = evalRow(t, struct {
		Note udf.Null[string] `udf:",VARCHAR(3)"`
	}{udf.NullOf("größe")})
	check("varchar", "note has 5 characters, which VARCHAR(3) does not hold; cut it", byRow, byJSON)
	byRow, byJSON = evalRow(t, struct {
		Key []byte `udf:",BINARY(2)"`
	}{nil})
	check("binary", "key has 0 bytes, which BINARY(2) does not hold; pad or cut it", byRow, byJSON)
	byRow, byJSON = evalRow(t, struct {
		At udf.Timestamp `udf:",TIMESTAMP(3)"`
	}{udf.TimestampOf(time.Unix(0, 1))})
	check("timestamp", "at 1970-01-01T00:00:00.000000001Z has more than the 3 digits of a second that TIMESTAMP(3) has; truncate it", byRow, byJSON)
	byRow, byJSON = evalRow(t, time.Unix(math.MaxInt64/100, 0))
	check("year", "is beyond what TIMESTAMP_LTZ(9) can hold", byRow, byJSON)
	byRow, byJSON = evalRow(t, time.Microsecond)
	check("duration", "1µs is not a whole number of milliseconds, and INTERVAL DAY(6) TO SECOND(3) keeps no more; truncate or round it", byRow, byJSON)
	byRow, byJSON = evalRow(t, udf.TimeOfDay(86_400_000))
	check("time of day", "86400000 ms is no time of a day; it must be 0 to 86399999", byRow, byJSON)
	type texts struct{ Text map[string][]string }
	for want, value := range map[string]struct{ Rows []texts }{
		"the result's rows[1].text[k][0] is not valid UTF-8, which STRING must be; return []byte for BYTES":  {[]texts{{}, {map[string][]string{"k": {"\xff"}}}}},
		"the result's rows[0].text[a key] is not valid UTF-8, which STRING must be; return []byte for BYTES": {[]texts{{map[string][]string{"\xff": {}}}}},
	} {
		byRow, byJSON := evalRow(t, value)
		if byRow == nil || byRow.Error() != want || byJSON == nil || !strings.Contains(byJSON.Error(), "is not valid UTF-8") {
			t.Errorf("got %v, %v", byRow, byJSON)
		}
	}
}

// TestEveryTypeThroughRows sends one row of every type, with everything set and with nothing.
func TestEveryTypeThroughRows(t *testing.T) {
	type all struct {
		everything
		Day     udf.Date
		Clock   udf.Null[udf.TimeOfDay]
		Local   *udf.Timestamp
		Months  udf.Months
		Took    time.Duration
		Money   decimal.Decimal `udf:",DECIMAL(10, 2)"`
		Exact   *decimal.Decimal
		Bag     udf.Multiset[string]
		Ints    map[int8]udf.Null[udf.Date]
		Named   map[label][]label
		Skipped int `udf:"-"`
	}
	r := udf.NewRegistry()
	udf.Scalar(r, "f", func(_ context.Context, in all) (all, error) { return in, nil })
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, in all) (all, error) { return in, nil })
	}))
	text, count := "x", int32(3)
	local, exact := udf.NewTimestamp(2026, 11, 23, 14, 5, 0, 1), dec("-12345678901234567890.123456789012345678")
	full := all{
		everything: everything{
			Flag: true, Tiny: math.MinInt8, Small: math.MaxInt16, Whole: math.MinInt32, Big: math.MaxInt64, Single: math.SmallestNonzeroFloat32, Double: math.Inf(-1),
			Text: "grüße\x00", Blob: []byte{0, 255}, At: time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC), List: []string{"", "a"}, Table: map[string]int64{"": -1, "k": 2},
			Nested: inner{"n", &count}, Rows: []inner{{"", nil}, {"r", &count}}, MaybeText: &text, MaybeBig: udf.NullOf[int64](0), Tagged: -42,
		},
		Day: udf.NewDate(1582, 10, 4), Clock: udf.NullOf(udf.TimeOfDay(86_399_999)), Local: &local, Months: -14, Took: -time.Hour, Money: dec("-99999999.99"), Exact: &exact,
		Bag: udf.Multiset[string]{"a": 1, "": 2}, Ints: map[int8]udf.Null[udf.Date]{-1: {}, 1: udf.NullOf(udf.Date(-1))}, Named: map[label][]label{"a": {"b"}},
	}
	empty := all{everything: everything{At: time.Unix(0, 0).UTC(), Blob: []byte{}, List: []string{}, Table: map[string]int64{}, Rows: []inner{}}, Money: dec("0.00"),
		Bag: udf.Multiset[string]{}, Ints: map[int8]udf.Null[udf.Date]{}, Named: map[label][]label{}}
	nils := all{everything: everything{At: time.Unix(0, 0)}}
	in, err := udf.EncodeRows(full, empty, nils)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Call(context.Background(), udf.OpEval, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := udf.DecodeRows[all](out)
	if err != nil {
		t.Fatal(err)
	}
	// Slices and maps that are nil come back empty: NULL is a nil pointer.
	for i, want := range []all{full, empty, empty} {
		if !got[i].Money.Equal(want.Money) || got[i].Exact != want.Exact && !got[i].Exact.Equal(*want.Exact) {
			t.Errorf("row %d: decimals %v, %v", i, got[i].Money, got[i].Exact)
		}
		got[i].Money, got[i].Exact, want.Money, want.Exact = decimal.Decimal{}, nil, decimal.Decimal{}, nil
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("row %d:\ngot  %+v\nwant %+v", i, got[i], want)
		}
	}
}

type label string

// TestNothingIsShared: what a function keeps must outlive the memory of the call, and be its own.
func TestNothingIsShared(t *testing.T) {
	type in struct {
		Text  string
		Blob  []byte
		Maybe *string
		List  []string
		Table map[string][]byte
		Long  string // has memory of its own
	}
	var kept []in
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, v in) (bool, error) {
			kept = append(kept, v)
			v.Blob[0] = 'z' // its own to change
			_ = append(v.Blob, "must not run into what lies behind"...)
			return true, nil
		})
	}))
	maybe, long := "maybe", strings.Repeat("long", 1000)
	msg, err := udf.EncodeRows(in{"text", []byte("blob"), &maybe, []string{"a", "b"}, map[string][]byte{"k": []byte("v")}, long}, in{Text: "second", Blob: []byte("2")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(context.Background(), udf.OpEval, msg, nil); err != nil {
		t.Fatal(err)
	}
	for i := range msg {
		msg[i] = 0xee
	}
	want := in{"text", []byte("zlob"), &maybe, []string{"a", "b"}, map[string][]byte{"k": []byte("v")}, long}
	if !reflect.DeepEqual(kept[0], want) || kept[1].Text != "second" || kept[1].Maybe != nil {
		t.Errorf("got %+v", kept)
	}
}

func TestRowAllocations(t *testing.T) {
	for name, tc := range map[string]struct {
		register func(*udf.Registry)
		in       func() ([]byte, error)
		want     float64
	}{
		"fixed": {func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, v struct {
				A int64
				B float64
				C udf.Null[int32]
			}) (float64, error) {
				return float64(v.A) + v.B, nil
			})
		}, func() ([]byte, error) {
			return udf.EncodeRows(struct {
				A int64
				B float64
				C udf.Null[int32]
			}{1, 2, udf.NullOf[int32](3)})
		}, 0},
		"strings": {func(r *udf.Registry) {
			udf.Scalar(r, "f", func(_ context.Context, v struct{ A, B, C string }) (string, error) { return v.B, nil })
		}, func() ([]byte, error) { return udf.EncodeRows(struct{ A, B, C string }{"one", "two", "three"}) }, 0}, // 4 KiB for many rows
	} {
		c := open(t, one(t, tc.register))
		in, err := tc.in()
		if err != nil {
			t.Fatal(err)
		}
		dst, ctx := make([]byte, 0, 256), context.Background()
		if got := testing.AllocsPerRun(200, func() {
			if _, err := c.Call(ctx, udf.OpEval, in, dst); err != nil {
				t.Fatal(err)
			}
		}); got != tc.want {
			t.Errorf("%s: %v allocations a row, want %v", name, got, tc.want)
		}
	}
}
