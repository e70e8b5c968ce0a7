package udf

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/shopspring/decimal"
)

// decimalKind is DECIMAL(precision, scale). Its values are handled as Flink does: the unscaled number, exact.
type decimalKind struct {
	precision, scale int
}

const (
	maxPrecision     = 38
	compactPrecision = 18 // the most digits that always fit 64 bits
)

func decimalPlan(sql string) (*plan, error) {
	r, err := refine("decimal.Decimal", sql, "DECIMAL(p)", "DECIMAL(p, s)")
	if err != nil {
		return nil, err
	}
	d := decimalKind{precision: maxPrecision, scale: 18}
	if sql != "" {
		d = decimalKind{precision: r.first, scale: max(r.second, 0)}
		if r.second < -1 {
			d.scale = maxPrecision + 1
		}
		if err := r.within("decimal.Decimal", "precision", d.precision, 1, maxPrecision); err != nil {
			return nil, err
		}
		if err := r.within("decimal.Decimal", "scale", d.scale, 0, d.precision); err != nil {
			return nil, err
		}
	}
	c := cell{shape: wide, size: 16, loadWide: d.loadWide, storeWide: d.storeWide}
	if d.precision <= compactPrecision {
		c = cell{shape: fixed, size: 8, loadFixed: d.load, storeFixed: d.store}
	}
	return &plan{typ: Type{Root: d.root()}, decode: d.decode, encode: d.encode, cell: c}, nil
}

func (d decimalKind) root() Root {
	return Root("DECIMAL(" + strconv.Itoa(d.precision) + ", " + strconv.Itoa(d.scale) + ")")
}

func (d decimalKind) misfit(v decimal.Decimal, why string) error {
	return fmt.Errorf("%s %s", decimalText(v), why)
}

// decimalText is short whatever the exponent is.
func decimalText(v decimal.Decimal) string {
	if e := v.Exponent(); e > 50 || e < -50 {
		return clip(v.Coefficient().String()) + "e" + strconv.Itoa(int(e))
	}
	return clip(v.String())
}

// unscaled returns v times 10^scale as a number of at most precision digits. Nothing is rounded: a value that does not
// fit exactly is an error that says what would do. small is the number if it is surely within 18 digits, else big is set.
func (d decimalKind) unscaled(v decimal.Decimal) (small int64, large *big.Int, err error) {
	if v.IsZero() {
		return 0, nil, nil
	}
	// The number of digits only keeps numbers small here (it was wrong by one in versions of that library); what fits is
	// decided by comparing.
	digits, shift := v.NumDigits(), d.scale+int(v.Exponent())
	if digits < compactPrecision-1 && shift >= 0 && shift <= compactPrecision {
		if n := v.CoefficientInt64(); uint64(max(n, -n)) < pow10[compactPrecision-shift] {
			return n * int64(pow10[shift]), nil, nil
		}
	}
	n := v.Coefficient()
	switch {
	case shift > maxPrecision || shift >= 0 && digits+shift > maxPrecision+1:
		return 0, nil, d.tooLarge(v)
	case shift >= 0:
		n.Mul(n, bigPow10(shift))
	case -shift > digits+1:
		return 0, nil, d.tooFine(v)
	default:
		var rest big.Int
		n.QuoRem(n, bigPow10(-shift), &rest)
		if rest.Sign() != 0 {
			return 0, nil, d.tooFine(v)
		}
	}
	if n.CmpAbs(bigPow10(d.precision)) >= 0 {
		return 0, nil, d.tooLarge(v)
	}
	if d.precision <= compactPrecision {
		return n.Int64(), nil, nil
	}
	return 0, n, nil
}

func (d decimalKind) tooLarge(v decimal.Decimal) error {
	return d.misfit(v, fmt.Sprintf("has more than the %d digits before the point that %s has; give the field's tag a larger precision, or return an error", d.precision-d.scale, d.root()))
}

func (d decimalKind) tooFine(v decimal.Decimal) error {
	return d.misfit(v, fmt.Sprintf("has more than the %d digits behind the point that %s has; round it (Round(%d)), or give the field's tag a larger scale", d.scale, d.root(), d.scale))
}

// pow10 are the powers of ten that fit 64 bits.
var pow10 = func() (p [compactPrecision + 1]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func bigPow10(n int) *big.Int {
	if n <= compactPrecision {
		return new(big.Int).SetUint64(pow10[n])
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func (d decimalKind) load(p unsafe.Pointer, raw uint64) error {
	n := int64(raw)
	if limit := int64(pow10[d.precision]); n >= limit || n <= -limit {
		return fmt.Errorf("its unscaled value %d has more digits than %s", n, d.root())
	}
	*(*decimal.Decimal)(p) = decimal.New(n, -int32(d.scale))
	return nil
}

func (d decimalKind) store(p unsafe.Pointer) (uint64, error) {
	small, _, err := d.unscaled(*(*decimal.Decimal)(p))
	if err == nil && uint64(max(small, -small)) >= pow10[d.precision] {
		err = d.tooLarge(*(*decimal.Decimal)(p))
	}
	return uint64(small), err
}

func (d decimalKind) loadWide(p unsafe.Pointer, lo, hi uint64) error {
	negative := int64(hi) < 0
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var n *big.Int
	if hi == 0 {
		n = new(big.Int).SetUint64(lo)
	} else {
		var text [16]byte
		binary.BigEndian.PutUint64(text[:8], hi)
		binary.BigEndian.PutUint64(text[8:], lo)
		n = new(big.Int).SetBytes(text[:])
		if n.Cmp(bigPow10(d.precision)) >= 0 {
			return fmt.Errorf("its unscaled value %s has more digits than %s", n, d.root())
		}
	}
	if negative {
		n.Neg(n)
	}
	*(*decimal.Decimal)(p) = decimal.NewFromBigInt(n, -int32(d.scale))
	return nil
}

func (d decimalKind) storeWide(p unsafe.Pointer) (lo, hi uint64, err error) {
	small, large, err := d.unscaled(*(*decimal.Decimal)(p))
	if err != nil || large == nil {
		return uint64(small), uint64(small >> 63), err
	}
	var text [16]byte
	large.FillBytes(text[:])
	hi, lo = binary.BigEndian.Uint64(text[:8]), binary.BigEndian.Uint64(text[8:])
	if large.Sign() < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return lo, hi, nil
}

// maxDecimalText is more than any DECIMAL needs; reading the digits of a longer number takes time that grows faster than
// its length.
const maxDecimalText = 1000

// decode reads a number, or a string of one, exactly.
func (d decimalKind) decode(s *decodeState, v reflect.Value) error {
	if kind := s.dec.PeekKind(); kind != '"' {
		if ok, err := s.skipUnless('0', d.root()); !ok {
			return err
		}
	}
	tok, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	text := tok.String()
	n, err := decimal.NewFromString(text)
	if err != nil || len(text) > maxDecimalText {
		s.violate("%s is not a number, the function takes %s", clip(text), d.root())
		return nil
	}
	if err := d.check(n); err != nil {
		s.violate("%v", err)
		return nil
	}
	v.Set(reflect.ValueOf(n))
	return nil
}

func (d decimalKind) check(v decimal.Decimal) error {
	if d.precision <= compactPrecision {
		_, err := d.store(unsafe.Pointer(&v))
		return err
	}
	_, _, err := d.storeWide(unsafe.Pointer(&v))
	return err
}

// encode writes the number with all its digits; JSON has no limit of them.
func (d decimalKind) encode(dst []byte, v reflect.Value) ([]byte, error) {
	n := v.Interface().(decimal.Decimal)
	if err := d.check(n); err != nil {
		return nil, err
	}
	return append(dst, n.String()...), nil
}
