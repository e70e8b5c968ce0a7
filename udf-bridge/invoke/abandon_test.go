package invoke

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// TestPanicStopsTheGoroutinesOfItsCall: whichever way the function is called.
func TestPanicStopsTheGoroutinesOfItsCall(t *testing.T) {
	stopped := make(chan struct{})
	fail := func(ctx context.Context) {
		udf.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			stopped <- struct{}{}
			return nil
		})
		panic("told to")
	}
	var l Library
	l.Register(func(r *udf.Registry) {
		udf.Scalar(r, "number", func(ctx context.Context, n int64) (int64, error) { fail(ctx); return n, nil })
		udf.Raw(r, "bytes", func(ctx context.Context, b []byte) ([]byte, error) { fail(ctx); return b, nil })
	})
	out := make([]byte, ErrorMax)
	if _, code := fixed(&l, open(t, &l, "number"), 1); code != FixedFailed {
		t.Errorf("as a number: code %d", code)
	}
	<-stopped
	if n := l.Call(open(t, &l, "number"), int32(udf.OpEval), longs(1), out); n != Failed {
		t.Errorf("as a row: %d", n)
	}
	<-stopped
	if n := l.Call(open(t, &l, "bytes"), int32(udf.OpEval), binary.LittleEndian.AppendUint32(nil, 1), out); n != Failed {
		t.Errorf("as bytes: %d", n)
	}
	<-stopped
	if n := l.Call(open(t, &l, "number", "encoding", "json"), int32(udf.OpEval), []byte(`1`), out); n != Failed {
		t.Errorf("as JSON: %d", n)
	}
	<-stopped
}
