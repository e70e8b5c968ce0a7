package udf_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// jsonTypes has the types whose form in JSON is ours to choose.
type jsonTypes struct {
	Money  decimal.Decimal `udf:",DECIMAL(10, 2)"`
	Exact  *decimal.Decimal
	Day    udf.Date
	Clock  udf.TimeOfDay
	Local  udf.Timestamp `udf:",TIMESTAMP(6)"`
	At     time.Time     `udf:",TIMESTAMP_LTZ(3)"`
	Months udf.Months
	Took   time.Duration
	Bag    udf.Multiset[string]
	Ints   map[int64]string
	Days   map[udf.Date]udf.Null[bool]
	Flags  map[bool]float64
	Code   string `udf:",CHAR(3)"`
	Note   string `udf:",VARCHAR(5)"`
	Key    []byte `udf:",BINARY(2)"`
}

const jsonTypesText = `{"money":-12345678.91,"exact":0.123456789012345678,"day":"0001-02-28","clock":"23:59:59.999","local":"2026-11-23T14:05:00.123456",` +
	`"at":"2026-11-23T14:05:00.5Z","months":-14,"took":90061001,"bag":[["",2],["a",1]],"ints":{"-1":"m","10":"c","2":"b"},"days":{"2026-11-23":null,"2026-11-24":true},` +
	`"flags":{"false":0,"true":0.5},"code":"äöü","note":"größe","key":"AP8="}`

func jsonEcho(t *testing.T) *udf.Function {
	return one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, in jsonTypes) (jsonTypes, error) { return in, nil })
	})
}

func TestJSONForms(t *testing.T) {
	f := jsonEcho(t)
	got, err := f.CallJSON(context.Background(), []byte(jsonTypesText))
	if err != nil || string(got) != jsonTypesText {
		t.Errorf("got  %s, %v\nwant %s", got, err, jsonTypesText)
	}
	// Other texts of the same values: decimals as strings, zones, a space for the T, keys in any order.
	other := strings.NewReplacer(`-12345678.91`, `"-1234567891e-2"`, `0.123456789012345678,`, `null,`, `14:05:00.5Z`, `15:05:00.500+01:00`, `23T14:05:00.123456`, `23 14:05:00.123456`,
		`[["",2],["a",1]]`, `[["a",1],["",2]]`, `"clock":"23:59:59.999"`, `"clock":"23:59:59.9990"`).Replace(jsonTypesText)
	want := strings.Replace(jsonTypesText, `"exact":0.123456789012345678`, `"exact":null`, 1)
	if got, err := f.CallJSON(context.Background(), []byte(other)); err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestJSONThatDoesNotFit(t *testing.T) {
	f := jsonEcho(t)
	for _, tc := range []struct{ was, is, want string }{
		{`-12345678.91`, `"x"`, `money: x is not a number, the function takes DECIMAL(10, 2)`},
		{`-12345678.91`, `true`, `money: is a boolean, the function takes DECIMAL(10, 2)`},
		{`-12345678.91`, `0.005`, `money: 0.005 has more than the 2 digits behind the point that DECIMAL(10, 2) has`},
		{`-12345678.91`, `1e8`, `money: 100000000 has more than the 8 digits before the point`},
		{`-12345678.91`, `1e999999999`, `is not a number`},
		{`-12345678.91`, strings.Repeat("1", 5000), `is not a number`},
		{`0.123456789012345678`, `1e20`, `exact: 100000000000000000000 has more than the 20 digits before the point that DECIMAL(38, 18) has`},
		{`"0001-02-28"`, `"2026-02-30"`, `day: "2026-02-30" is not a date, want one such as 2026-11-23`},
		{`"0001-02-28"`, `20260228`, `day: is a number, the function takes DATE`},
		{`"23:59:59.999"`, `"24:00:00"`, `clock: "24:00:00" is not a time of day in milliseconds`},
		{`"23:59:59.999"`, `"23:59:59.9999"`, `clock: "23:59:59.9999" is not a time of day in milliseconds`},
		{`00.123456"`, `00.1234567"`, `local: 2026-11-23T14:05:00.1234567Z has more than the 6 digits of a second that TIMESTAMP(6) has`},
		{`00.123456"`, `00Z"`, `local: 2026-11-23T14:05:00Z is not a date and time without a zone`},
		{`00.5Z`, `00.5`, `at: 2026-11-23T14:05:00.5 is not a time, want RFC 3339`},
		{`00.5Z`, `00.5001Z`, `at: 2026-11-23T14:05:00.5001Z has more than the 3 digits`},
		{`-14`, `2147483648`, `months: 2147483648 is out of range for INTERVAL YEAR(4) TO MONTH`},
		{`90061001`, `0.5`, `took: 0.5 is not a whole number`},
		{`90061001`, `9223372036854775807`, `took: 9223372036854775807 ms is longer than a time.Duration can be (292 years)`},
		{`[["",2],["a",1]]`, `{"a":1}`, `bag: is an object, the function takes MULTISET`},
		{`[["",2],["a",1]]`, `["a"]`, `bag.0: is a string, the function takes pair of an element and its count`},
		{`[["",2],["a",1]]`, `[["a"]]`, `has 1 values, an entry of a MULTISET is a pair`},
		{`[["",2],["a",1]]`, `[["a",1,2]]`, `has 3 values`},
		{`[["",2],["a",1]]`, `[["a",null]]`, `bag.0.1: is null, the function takes INT NOT NULL`},
		{`{"-1":"m","10":"c","2":"b"}`, `{"x":"m"}`, `ints.x: its key does not fit, the function takes BIGINT`},
		{`{"-1":"m","10":"c","2":"b"}`, `{"1.5":"m"}`, `its key does not fit`},
		{`{"-1":"m","10":"c","2":"b"}`, `{"1 2":"m"}`, `its key does not fit`},
		{`{"-1":"m","10":"c","2":"b"}`, `{" 1":"m"}`, `its key does not fit`},
		{`{"2026-11-23":null,"2026-11-24":true}`, `{"":null}`, `its key does not fit, the function takes DATE`},
		{`"äöü"`, `"ab"`, `code: has 2 characters, which CHAR(3) does not hold`},
		{`"größe"`, `"größer"`, `note: has 6 characters, which VARCHAR(5) does not hold`},
		{`"AP8="`, `"AA=="`, `key: has 1 bytes, which BINARY(2) does not hold`},
	} {
		event := strings.Replace(jsonTypesText, tc.was, tc.is, 1)
		var input *udf.InputError
		if _, err := f.CallJSON(context.Background(), []byte(event)); !errors.As(err, &input) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.40s: got %v, want ...%s...", tc.is, err, tc.want)
		}
	}
}

// FuzzJSONTypes asserts that hostile events never panic, and that what is accepted comes back as the same text.
func FuzzJSONTypes(f *testing.F) {
	f.Add([]byte(jsonTypesText))
	f.Add([]byte(`{"money":1e-2,"bag":[[[],{}],[1,2,3]],"ints":{"\u0000":0}}`))
	r := udf.NewRegistry()
	udf.Scalar(r, "f", func(_ context.Context, in jsonTypes) (jsonTypes, error) { return in, nil })
	fn := r.Functions()[0]
	f.Fuzz(func(t *testing.T, event []byte) {
		got, err := fn.CallJSON(context.Background(), event)
		if err != nil {
			return
		}
		again, err := fn.CallJSON(context.Background(), got)
		if err != nil || string(again) != string(got) || !json.Valid(got) {
			t.Errorf("event %q: %q, and of that %q, %v", event, got, again, err)
		}
	})
}

func TestTemporalTypes(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	at := time.Date(2026, 11, 23, 0, 30, 15, 123_456_789, berlin)
	if got := udf.DateOf(at); got.String() != "2026-11-23" || got != udf.NewDate(2026, 11, 23) || !got.Time().Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("date %s", got)
	}
	if got := udf.NewDate(1969, 12, 31); got != -1 || udf.NewDate(2026, 1, 32) != udf.NewDate(2026, 2, 1) {
		t.Errorf("the day before the epoch is %d", int(got))
	}
	if got := udf.TimestampOf(at); got.String() != "2026-11-23T00:30:15.123456789" {
		t.Errorf("timestamp %s", got)
	}
	if got := udf.TimeOfDayOf(at); got.String() != "00:30:15.123" || got.Duration() != 30*time.Minute+15123*time.Millisecond {
		t.Errorf("time of day %s", got)
	}
	if got := udf.Months(14).String(); got != "1 years 2 months" {
		t.Errorf("months %s", got)
	}
	// In the JSON of package encoding/json, which JSON functions use, a Timestamp has no zone either.
	text, err := json.Marshal(map[string]udf.Timestamp{"at": udf.TimestampOf(at)})
	if err != nil || string(text) != `{"at":"2026-11-23T00:30:15.123456789"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back map[string]udf.Timestamp
	if err := json.Unmarshal(text, &back); err != nil || back["at"] != udf.TimestampOf(at) {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{`{"at":1}`, `{"at":"2026"}`, `{"at":"2026-11-23T00:00:00Z"}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// TestTypesInJSONFunctions: by the rules of encoding/json the types read and write themselves as everywhere else.
func TestTypesInJSONFunctions(t *testing.T) {
	type document struct {
		Day   udf.Date                    `json:"day"`
		Clock udf.TimeOfDay               `json:"clock"`
		Local *udf.Timestamp              `json:"local"`
		Some  udf.Null[udf.Date]          `json:"some"`
		None  udf.Null[int64]             `json:"none"`
		Days  map[udf.Date]udf.Null[bool] `json:"days"`
	}
	f := one(t, func(r *udf.Registry) {
		udf.JSON(r, "f", func(_ context.Context, d document) (document, error) { return d, nil })
	})
	text := `{"day":"2026-11-23","clock":"14:05:00.5","local":"2026-11-23T14:05:00","some":"1969-12-31","none":null,"days":{"2026-11-23":true,"2026-11-24":null}}`
	if got, err := f.CallJSON(context.Background(), []byte(text)); err != nil || string(got) != text {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []string{`{"day":1}`, `{"clock":"25:00:00"}`, `{"none":"x"}`, `{"days":{"x":null}}`} {
		var input *udf.InputError
		if _, err := f.CallJSON(context.Background(), []byte(bad)); !errors.As(err, &input) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestFieldsInJSON(t *testing.T) {
	d := one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(context.Context, struct {
			A decimal.Decimal `udf:",DECIMAL(10, 2)"`
			B []*point2
		}) (udf.Null[udf.Multiset[int32]], error) {
			return udf.Null[udf.Multiset[int32]]{}, nil
		}, udf.NullOnNull(), udf.Parameter("p", "1", "what for"))
	}).Describe()
	text, err := json.Marshal(d)
	want := `{"name":"f","kind":"SCALAR","deterministic":true,"null_on_null":true,"parameters":[{"name":"p","default":"1","doc":"what for"}],"arguments":[` +
		`{"name":"a","type":{"root":"DECIMAL(10, 2)"},"nullable":false,"sql":"DECIMAL(10, 2) NOT NULL"},` +
		`{"name":"b","type":{"root":"ARRAY","element":{"type":{"root":"ROW","fields":[{"name":"x","type":{"root":"BIGINT"},"nullable":false,"sql":"BIGINT NOT NULL"}]},"nullable":true,"sql":"ROW\u003c` + "`x`" + ` BIGINT NOT NULL\u003e"}},"nullable":false,"sql":"ARRAY\u003cROW\u003c` + "`x`" + ` BIGINT NOT NULL\u003e\u003e NOT NULL"}],` +
		`"result":{"name":"result","type":{"root":"MULTISET","element":{"type":{"root":"INT"},"nullable":false,"sql":"INT NOT NULL"}},"nullable":true,"sql":"MULTISET\u003cINT NOT NULL\u003e"}}`
	if err != nil || string(text) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, text, want)
	}
	var back udf.Description
	if err := json.Unmarshal(text, &back); err != nil || back.Signature() != d.Signature() {
		t.Errorf("read back: %s, %v", back.Signature(), err)
	}
}

type point2 struct{ X int64 }
