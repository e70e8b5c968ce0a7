package udf

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// timeKind is TIMESTAMP_LTZ(digits), or TIMESTAMP(digits) of a clock without a zone. Both Go types are a time.Time in
// memory.
type timeKind struct {
	root   Root
	digits int
	unit   int // nanoseconds that values are multiples of
	parse  func(text string) (time.Time, error)
	layout string
	want   string
}

const maxDigits = 9

func zonedPlan(sql string) (*plan, error) {
	return timePlan("time.Time", "TIMESTAMP_LTZ", sql, timeKind{
		layout: time.RFC3339Nano, want: "is not a time, want RFC 3339 such as 2026-11-23T14:05:00.5Z",
		parse: func(text string) (time.Time, error) { return time.Parse(time.RFC3339Nano, text) },
	})
}

func timestampPlan(sql string) (*plan, error) {
	return timePlan("udf.Timestamp", "TIMESTAMP", sql, timeKind{
		layout: timestampLayout, want: "is not a date and time without a zone, want one such as 2026-11-23T14:05:00.5",
		parse: func(text string) (time.Time, error) {
			t, err := ParseTimestamp(text)
			return t.Time, err
		},
	})
}

func timePlan(goType, name, sql string, k timeKind) (*plan, error) {
	r, err := refine(goType, sql, name+"(p)")
	if err != nil {
		return nil, err
	}
	k.digits = maxDigits
	if sql != "" {
		k.digits = r.first
		if err := r.within(goType, "precision", k.digits, 0, maxDigits); err != nil {
			return nil, err
		}
	}
	k.root = Root(name + "(" + strconv.Itoa(k.digits) + ")")
	k.unit = int(math.Pow10(maxDigits - k.digits))
	c := cell{shape: wide, size: 16, loadWide: k.loadWide, storeWide: k.storeWide}
	if k.digits <= 3 {
		c = cell{shape: fixed, size: 8, loadFixed: loadMillis, storeFixed: k.store}
	}
	return &plan{typ: Type{Root: k.root}, decode: k.decode, encode: k.encode, cell: c}, nil
}

// check refuses what Flink cannot hold: finer digits than the precision, and years beyond 292 million.
func (k timeKind) check(t time.Time) error {
	if t.Nanosecond()%k.unit != 0 {
		return fmt.Errorf("%s has more than the %d digits of a second that %s has; truncate it, or give the field's tag a higher precision",
			t.UTC().Format(time.RFC3339Nano), k.digits, k.root)
	}
	if s := t.Unix(); s > math.MaxInt64/1000-1 || s < math.MinInt64/1000+1 {
		return fmt.Errorf("the year %d is beyond what %s can hold", t.Year(), k.root)
	}
	return nil
}

func loadMillis(p unsafe.Pointer, raw uint64) error {
	*(*time.Time)(p) = time.UnixMilli(int64(raw)).UTC()
	return nil
}

func (k timeKind) store(p unsafe.Pointer) (uint64, error) {
	t := *(*time.Time)(p)
	return uint64(t.UnixMilli()), k.check(t)
}

func (k timeKind) loadWide(p unsafe.Pointer, lo, hi uint64) error {
	if hi > 999_999 {
		return fmt.Errorf("has %d nanoseconds of a millisecond", hi)
	}
	ms := int64(lo)
	seconds := ms / 1000
	ms -= seconds * 1000
	*(*time.Time)(p) = time.Unix(seconds, ms*1e6+int64(hi)).UTC()
	return nil
}

func (k timeKind) storeWide(p unsafe.Pointer) (lo, hi uint64, err error) {
	t := *(*time.Time)(p)
	return uint64(t.UnixMilli()), uint64(t.Nanosecond() % 1e6), k.check(t)
}

func (k timeKind) decode(s *decodeState, v reflect.Value) error {
	text, ok, err := s.text(k.root)
	if !ok {
		return err
	}
	t, err := k.parse(text)
	if err != nil {
		s.violate("%s %s", clip(text), k.want)
		return nil
	}
	if err := k.check(t); err != nil {
		s.violate("%v", err)
		return nil
	}
	*(*time.Time)(v.Addr().UnsafePointer()) = t
	return nil
}

func (k timeKind) encode(dst []byte, v reflect.Value) ([]byte, error) {
	t := v.Interface()
	at, ok := t.(time.Time)
	if !ok {
		at = t.(Timestamp).Time
	}
	if err := k.check(at); err != nil {
		return nil, err
	}
	dst = append(dst, '"')
	return append(at.UTC().AppendFormat(dst, k.layout), '"'), nil
}

// text reads a string. It is false if there is none, and nothing is left to be done.
func (s *decodeState) text(root Root) (string, bool, error) {
	if ok, err := s.skipUnless('"', root); !ok {
		return "", false, err
	}
	tok, err := s.dec.ReadToken()
	if err != nil {
		return "", false, err
	}
	return tok.String(), true, nil
}

func datePlan() *plan {
	return &plan{
		typ: Type{Root: RootDate}, cell: cell{op: opInt32, size: 4}, encode: encodeText(func(v int64) (string, error) { return Date(v).String(), nil }),
		decode: decodeText(RootDate, func(text string) (int64, error) {
			d, err := ParseDate(text)
			return int64(d), err
		}),
	}
}

func timeOfDayPlan() *plan {
	check := func(v int64) error {
		if v < 0 || v >= msADay {
			return fmt.Errorf("%d ms is no time of a day; it must be 0 to 86399999", v)
		}
		return nil
	}
	return &plan{
		typ: Type{Root: RootTime},
		cell: cell{
			shape: fixed, size: 4,
			loadFixed: func(p unsafe.Pointer, raw uint64) error {
				if err := check(int64(raw)); err != nil {
					return err
				}
				*(*TimeOfDay)(p) = TimeOfDay(raw)
				return nil
			},
			storeFixed: func(p unsafe.Pointer) (uint64, error) {
				v := *(*TimeOfDay)(p)
				return uint64(v), check(int64(v))
			},
		},
		encode: encodeText(func(v int64) (string, error) { return TimeOfDay(v).String(), check(v) }),
		decode: decodeText(RootTime, func(text string) (int64, error) {
			t, err := ParseTimeOfDay(text)
			return int64(t), err
		}),
	}
}

func encodeText(format func(v int64) (string, error)) encodeFunc {
	return func(dst []byte, v reflect.Value) ([]byte, error) {
		text, err := format(v.Int())
		if err != nil {
			return nil, err
		}
		return jsontext.AppendQuote(dst, text)
	}
}

func decodeText(root Root, parse func(text string) (int64, error)) decodeFunc {
	return func(s *decodeState, v reflect.Value) error {
		text, ok, err := s.text(root)
		if !ok {
			return err
		}
		n, err := parse(text)
		if err != nil {
			s.violate("%v", err)
			return nil
		}
		v.SetInt(n)
		return nil
	}
}

// monthsPlan: an interval is a number in JSON, as in the row codec: months here, milliseconds of a Duration.
func monthsPlan() *plan { return intPlan(RootMonths, 32, cell{op: opInt32, size: 4}) }

func durationPlan() *plan {
	whole := intPlan(RootDuration, 64, cell{})
	return &plan{
		typ: Type{Root: RootDuration},
		cell: cell{
			shape: fixed, size: 8,
			loadFixed: func(p unsafe.Pointer, raw uint64) error {
				d, err := ofMillis(int64(raw))
				*(*time.Duration)(p) = d
				return err
			},
			storeFixed: func(p unsafe.Pointer) (uint64, error) {
				ms, err := millis(*(*time.Duration)(p))
				return uint64(ms), err
			},
		},
		decode: func(s *decodeState, v reflect.Value) error {
			before := len(s.violations)
			if err := whole.decode(s, v); err != nil || len(s.violations) > before {
				return err
			}
			d, err := ofMillis(v.Int())
			if err != nil {
				s.violate("%v", err)
			}
			v.SetInt(int64(d))
			return nil
		},
		encode: func(dst []byte, v reflect.Value) ([]byte, error) {
			ms, err := millis(time.Duration(v.Int()))
			return strconv.AppendInt(dst, ms, 10), err
		},
	}
}

// ofMillis: a time.Duration holds 292 years, an interval of Flink more.
func ofMillis(ms int64) (time.Duration, error) {
	if most := int64(math.MaxInt64 / time.Millisecond); ms > most || ms < -most {
		return 0, fmt.Errorf("%d ms is longer than a time.Duration can be (292 years); take an int64 and CAST in SQL", ms)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

func millis(d time.Duration) (int64, error) {
	if d%time.Millisecond != 0 {
		return 0, fmt.Errorf("%v is not a whole number of milliseconds, and %s keeps no more; truncate or round it", d, RootDuration)
	}
	return d.Milliseconds(), nil
}
