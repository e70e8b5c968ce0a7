package rowcodec

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Hex is bytes in their JSON form, {"hex": "00ff"}: all BYTES, and a STRING that is not UTF-8.
type Hex []byte

// MarshalJSON writes {"hex": "..."}.
func (h Hex) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"hex": hex.EncodeToString(h)})
}

// dateTime is how a timestamp is written, without its fraction and zone.
const dateTime = "2006-01-02T15:04:05"

func text(b []byte) any {
	if utf8.Valid(b) {
		return string(b)
	}
	return Hex(append([]byte{}, b...))
}

func octets(t *Type, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		if t.Root == Char || t.Root == VarChar {
			return []byte(v), nil
		}
	case Hex:
		return v, nil
	case map[string]any:
		if digits, ok := v["hex"].(string); ok && len(v) == 1 {
			return hex.DecodeString(digits)
		}
	}
	return nil, mismatch(t, value)
}

func list(t *Type, value any) ([]any, error) {
	if v, ok := value.([]any); ok {
		return v, nil
	}
	return nil, mismatch(t, value)
}

func mismatch(t *Type, value any) error { return fmt.Errorf("%v (%T) is no %s", value, value, t.Root) }

// bounds are the least and the largest value of a type whose slot holds an integer.
func (t *Type) bounds() (low, high int64) {
	switch t.Root {
	case TinyInt:
		return math.MinInt8, math.MaxInt8
	case SmallInt:
		return math.MinInt16, math.MaxInt16
	case Int, Date, Months:
		return math.MinInt32, math.MaxInt32
	case Time:
		return 0, 24*60*60*1000 - 1
	}
	return math.MinInt64, math.MaxInt64
}

// scalar is what a slot holds of a value.
func scalar(t *Type, value any) (lo, hi uint64, err error) {
	switch t.Root {
	case Boolean:
		if v, ok := value.(bool); ok {
			if v {
				return 1, 0, nil
			}
			return 0, 0, nil
		}
		return 0, 0, mismatch(t, value)
	case Float:
		f, err := number(t, value, 32)
		if math.IsNaN(f) {
			return 0x7fc00000, 0, err
		}
		if err == nil && math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
			err = fmt.Errorf("%v is out of the range of FLOAT", f)
		}
		return uint64(math.Float32bits(float32(f))), 0, err
	case Double:
		f, err := number(t, value, 64)
		if math.IsNaN(f) {
			return 0x7ff8000000000000, 0, err
		}
		return math.Float64bits(f), 0, err
	case Decimal:
		return decimal(t, value)
	case Date, Time, Timestamp, TimestampLTZ:
		return moment(t, value)
	}
	n, err := integer(t, value)
	if low, high := t.bounds(); err == nil && (n < low || n > high) {
		err = fmt.Errorf("%d is out of the range of %s", n, t.Root)
	}
	return uint64(n), 0, err
}

func integer(t *Type, value any) (int64, error) {
	switch v := value.(type) {
	case int64:
		return v, nil
	case int:
		return int64(v), nil
	case json.Number:
		return strconv.ParseInt(v.String(), 10, 64)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
	}
	return 0, mismatch(t, value)
}

func number(t *Type, value any, bits int) (float64, error) {
	switch v := value.(type) {
	case float64:
		return v, nil
	case float32:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case int:
		return float64(v), nil
	case json.Number:
		return strconv.ParseFloat(v.String(), bits)
	case string:
		switch v {
		case "NaN":
			return math.NaN(), nil
		case "Infinity":
			return math.Inf(1), nil
		case "-Infinity":
			return math.Inf(-1), nil
		case "-0":
			return math.Copysign(0, -1), nil
		}
	}
	return 0, mismatch(t, value)
}

// special is the JSON form of a number: that of a string where JSON has no number for it, or one that readers take for 0.
func special(f float64, plain any) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0 && math.Signbit(f):
		return "-0"
	}
	return plain
}

var ten = big.NewInt(10)

// limit is 10^precision, which the absolute unscaled value stays below.
func limit(t *Type) *big.Int { return new(big.Int).Exp(ten, big.NewInt(int64(t.Precision)), nil) }

func decimal(t *Type, value any) (lo, hi uint64, err error) {
	var digits string
	switch v := value.(type) {
	case string:
		digits = v
	case json.Number:
		digits = v.String()
	case int64:
		digits = strconv.FormatInt(v, 10)
	case int:
		digits = strconv.Itoa(v)
	default:
		return 0, 0, mismatch(t, value)
	}
	if len(digits) > 100 { // beyond any DECIMAL
		return 0, 0, fmt.Errorf("%.20s... is longer than any DECIMAL", digits)
	}
	if !plainDecimal(digits) {
		return 0, 0, fmt.Errorf("%q is no DECIMAL: write its digits, -12.50", digits)
	}
	exact, _ := new(big.Rat).SetString(digits)
	exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(t.Scale)), nil)))
	if !exact.IsInt() || new(big.Int).Abs(exact.Num()).Cmp(limit(t)) >= 0 {
		return 0, 0, fmt.Errorf("%s does not fit DECIMAL(%d, %d)", digits, t.Precision, t.Scale)
	}
	n := new(big.Int).Set(exact.Num())
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 128)) // two's complement
	}
	mask := new(big.Int).SetUint64(math.MaxUint64)
	return new(big.Int).And(n, mask).Uint64(), new(big.Int).And(n.Rsh(n, 64), mask).Uint64(), nil
}

// plainDecimal refuses what big.Rat takes and a DECIMAL is not written as: fractions, exponents, other bases.
func plainDecimal(digits string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(digits, "-"), ".")
	return digitsOnly(whole) && (!point || digitsOnly(fraction))
}

func undecimal(t *Type, lo, hi uint64) (any, error) {
	var n *big.Int
	if t.wide() {
		n = new(big.Int).Lsh(big.NewInt(int64(hi)), 64)
		n.Add(n, new(big.Int).SetUint64(lo))
	} else {
		n = big.NewInt(int64(lo))
	}
	if new(big.Int).Abs(n).Cmp(limit(t)) >= 0 {
		return nil, malformed("%s has more than the %d digits of its DECIMAL", n, t.Precision)
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(ten, big.NewInt(int64(t.Scale)), nil)).FloatString(t.Scale), nil
}

// layouts are how a moment is written, without its fraction.
var layouts = map[Root]string{Date: time.DateOnly, Time: time.TimeOnly, Timestamp: dateTime, TimestampLTZ: dateTime}

func moment(t *Type, value any) (lo, hi uint64, err error) {
	v, ok := value.(string)
	if !ok {
		return 0, 0, mismatch(t, value)
	}
	whole, fraction, point := strings.Cut(v, ".")
	if t.Root == TimestampLTZ {
		cut := &whole
		if point {
			cut = &fraction
		}
		if *cut, ok = strings.CutSuffix(*cut, "Z"); !ok {
			return 0, 0, fmt.Errorf("%q is no %s: it ends with Z", v, t.Root)
		}
	}
	at, err := time.Parse(layouts[t.Root], whole)
	if err != nil || len(whole) != len(layouts[t.Root]) || point && !digitsOnly(fraction) || point && t.Root == Date {
		return 0, 0, fmt.Errorf("%q is no %s", v, t.Root)
	}
	keeps := t.Precision
	if t.Root == Time {
		keeps = 3 // what Flink keeps, whatever the type says
	}
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > keeps {
		return 0, 0, fmt.Errorf("%s does not fit %s(%d)", v, t.Root, keeps)
	}
	nanos, err := strconv.Atoi(fraction + "000000000"[len(fraction):])
	if err != nil {
		return 0, 0, err
	}
	switch t.Root {
	case Date:
		return uint64(at.Unix() / (24 * 60 * 60)), 0, nil
	case Time:
		return uint64((at.Hour()*60+at.Minute())*60+at.Second())*1000 + uint64(nanos/1e6), 0, nil
	}
	return uint64(at.UnixMilli() + int64(nanos/1e6)), uint64(nanos % 1e6), nil
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func unscalar(t *Type, lo, hi uint64) (any, error) {
	switch t.Root {
	case Boolean:
		if lo > 1 {
			return nil, malformed("BOOLEAN %d", lo)
		}
		return lo == 1, nil
	case Float:
		if lo > math.MaxUint32 {
			return nil, malformed("FLOAT of more than 32 bits")
		}
		f := math.Float32frombits(uint32(lo))
		return special(float64(f), f), nil
	case Double:
		f := math.Float64frombits(lo)
		return special(f, f), nil
	case Decimal:
		return undecimal(t, lo, hi)
	case Timestamp, TimestampLTZ:
		if hi > 999_999 {
			return nil, malformed("%d ns of a millisecond", hi)
		}
		at := time.UnixMilli(int64(lo)).Add(time.Duration(hi)).UTC()
		if t.Root == TimestampLTZ {
			return at.Format(dateTime+".999999999") + "Z", nil
		}
		return at.Format(dateTime + ".999999999"), nil
	}
	n := int64(lo)
	if low, high := t.bounds(); n < low || n > high {
		return nil, malformed("%d is out of the range of %s", n, t.Root)
	}
	switch t.Root {
	case Date:
		return time.Unix(n*24*60*60, 0).UTC().Format(time.DateOnly), nil
	case Time:
		return time.UnixMilli(n).UTC().Format(time.TimeOnly + ".999"), nil
	}
	return n, nil
}
