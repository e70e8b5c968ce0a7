package udf_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// TestSlotsThatHoldNoValueOfTheirType: a message is not trusted, also where a slot is read without a look at its type's plan.
func TestSlotsThatHoldNoValueOfTheirType(t *testing.T) {
	c := open(t, one(t, func(r *udf.Registry) {
		udf.Scalar(r, "f", func(_ context.Context, v struct {
			Count int32
			Known bool
		}) (int32, error) {
			return v.Count, nil
		})
	}))
	for _, tc := range []struct {
		count, known uint64
		want         string
	}{
		{7, 1, ""},
		{1<<64 - 7, 0, ""}, // with its sign extended
		{1 << 31, 1, "count: 0x80000000 does not fit 32 bits"},
		{1 << 40, 1, "count: 0x10000000000 does not fit 32 bits"},
		{7, 2, "known: 2 is no BOOLEAN"},
	} {
		message := binary.LittleEndian.AppendUint64(nil, 1|2<<16|1<<32) // version, columns, rows
		message = binary.LittleEndian.AppendUint32(message, 24)
		for _, slot := range []uint64{0, tc.count, tc.known} {
			message = binary.LittleEndian.AppendUint64(message, slot)
		}
		_, err := c.Call(context.Background(), udf.OpEval, message, nil)
		var input *udf.InputError
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%#x, %d: %v", tc.count, tc.known, err)
		case tc.want != "" && (!errors.As(err, &input) || err.Error() != tc.want):
			t.Errorf("%#x, %d: got %v, want %s", tc.count, tc.known, err, tc.want)
		}
	}
}

func TestOperationsOfOtherKinds(t *testing.T) {
	scalar := one(t, func(r *udf.Registry) { udf.Scalar(r, "f", plusOne) })
	raw := one(t, func(r *udf.Registry) {
		udf.Raw(r, "f", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	})
	for _, tc := range []struct {
		f    *udf.Function
		op   udf.Op
		want string
	}{
		{scalar, udf.OpMerge, "operation 3 is none of a function of kind SCALAR"},
		{scalar, -1, "operation -1 is none of a function of kind SCALAR"},
		{scalar, 5, "operation 5 is none of a function of kind SCALAR"},
		{raw, udf.OpResult, "operation 4 is none of a function of kind RAW"},
	} {
		if _, err := open(t, tc.f).Call(context.Background(), tc.op, nil, nil); err == nil || err.Error() != tc.want {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
}
