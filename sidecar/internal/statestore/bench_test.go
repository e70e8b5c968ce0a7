package statestore

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func BenchmarkFreeze(b *testing.B) {
	for _, groups := range []int{128, 4096, MaxParallelism} {
		for _, keys := range []int{1000, 1_000_000} {
			b.Run(fmt.Sprintf("groups=%d/keys=%d", groups, keys), func(b *testing.B) {
				p := filled(b, groups, keys)
				for b.Loop() {
					f := p.Freeze()
					b.StopTimer()
					f.Durable()
					f.Release()
					b.StartTimer()
				}
			})
		}
	}
}

func filled(tb testing.TB, groups, keys int) *Partitions {
	p := New(Range{0, uint16(groups - 1)}, Limits{}, Hooks{})
	value := make([]byte, 64)
	for i := range keys {
		if _, err := p.Update(uint16(i%groups), fmt.Sprint("key", i), func(Value) (Change, error) { return Set(value, 0), nil }); err != nil {
			tb.Fatal(err)
		}
	}
	return p
}

func BenchmarkUpdate(b *testing.B) {
	const keys = 100_000
	p := filled(b, 128, keys)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprint("key", i)
	}
	value := make([]byte, 64)
	for _, every := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("freeze_every=%d", every), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			var before *Frozen
			for b.Loop() {
				if every > 0 && i%every == 0 {
					f := p.Freeze()
					if before != nil {
						before.Durable()
						before.Release()
					}
					before = f
				}
				if _, err := p.Update(uint16(i%keys%128), names[i%keys], func(Value) (Change, error) { return Set(value, 0), nil }); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkUpdateParallel: many writers, whose key groups rarely meet, beside a state that is held.
func BenchmarkUpdateParallel(b *testing.B) {
	const keys = 100_000
	p := filled(b, 128, keys)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprint("key", i)
	}
	value := make([]byte, 64)
	f := p.Freeze()
	defer f.Release()
	var writers atomic.Uint32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(writers.Add(1)) * 7919; pb.Next(); i++ {
			if _, err := p.Update(uint16(i%keys%128), names[i%keys], func(Value) (Change, error) { return Set(value, 0), nil }); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkTransaction(b *testing.B) {
	const keys = 100_000
	p := filled(b, 128, keys)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprint("key", i)
	}
	value := make([]byte, 64)
	b.ReportAllocs()
	var tx Tx
	i := 0
	for b.Loop() {
		kg := uint16(i % keys % 128)
		if err := p.Begin(kg, &tx); err != nil {
			b.Fatal(err)
		}
		tx.Get(names[i%keys])
		tx.Change(names[i%keys], Set(value, 0))
		r := Request{KeyGroup: kg, ID: names[i%keys], Epoch: uint64(i / keys), Seq: uint64(i + 1), Low: uint64(max(1, i-100))}
		if _, _, err := tx.Commit(r, value, nil); err != nil {
			b.Fatal(err)
		}
		if i++; i%keys == 0 {
			b.StopTimer()
			if err := p.Mark(nil, uint64(i/keys), nil); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
}
