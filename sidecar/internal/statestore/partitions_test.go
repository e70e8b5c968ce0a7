package statestore

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

func set(t *testing.T, p *Partitions, kg uint16, key, value string, expires int64) Value {
	t.Helper()
	v, err := p.Update(kg, key, func(Value) (Change, error) { return Set([]byte(value), expires), nil })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCompareAndSet(t *testing.T) {
	p := New(Range{3, 4}, Limits{}, Hooks{})
	first, err := p.CompareAndSet(3, "a", 0, Set([]byte("1"), 0))
	if err != nil || first.Version != 1 {
		t.Fatalf("first: %+v %v", first, err)
	}
	if now, err := p.CompareAndSet(3, "a", 0, Set([]byte("2"), 0)); !errors.Is(err, ErrVersion) || now.Version != 1 {
		t.Errorf("set of a new key that is there: %+v %v", now, err)
	}
	if _, err := p.CompareAndSet(3, "a", 1, Delete()); err != nil {
		t.Error(err)
	}
	// The version does not come back: who read version 1 must not succeed now.
	again, err := p.CompareAndSet(3, "a", 0, Set([]byte("3"), 0))
	if err != nil || again.Version <= first.Version+1 {
		t.Errorf("again: %+v %v", again, err)
	}
	if _, err := p.CompareAndSet(5, "a", 0, Delete()); !errors.Is(err, ErrKeyGroup) {
		t.Errorf("key group 5: %v", err)
	}
}

func TestLimits(t *testing.T) {
	p := New(Range{0, 0}, Limits{Bytes: 10, ValueBytes: 6, KeyBytes: 3, AnswerBytes: 8}, Hooks{})
	set(t, p, 0, "a", "12345", 0)
	for _, tt := range []struct{ key, value string }{{"b", "1234567"}, {"long", ""}, {"b", "1234"}, {"a", "12345678901"}} {
		if _, err := p.Update(0, tt.key, func(Value) (Change, error) { return Set([]byte(tt.value), 0), nil }); !errors.Is(err, ErrLimit) {
			t.Errorf("%s = %s: %v", tt.key, tt.value, err)
		}
	}
	set(t, p, 0, "b", "123", 0)
	var tx Tx
	if err := p.Begin(0, &tx); err != nil {
		t.Fatal(err)
	}
	tx.Change("a", Delete())
	tx.Change("c", Set([]byte("12345"), 0))
	if _, _, err := tx.Commit(Request{ID: "id"}, []byte("1234567"), nil); !errors.Is(err, ErrAnswers) || !strings.Contains(err.Error(), "answers") {
		t.Errorf("an answer too many: %v", err)
	}
	if _, _, err := tx.Commit(Request{ID: "id"}, []byte("123456"), nil); err != nil {
		t.Errorf("a transaction that does not grow: %v", err)
	}
	if s := p.Stats(); s.Keys != 2 || s.Bytes != 10 || s.Answers != 1 || s.AnswerBytes != 8 {
		t.Errorf("sizes %+v", s)
	}
	// What has expired makes room.
	set(t, p, 0, "b", "1", 7)
	set(t, p, 0, "c", "12", 7)
	p.Advance(7)
	if v, err := p.Get(0, "b"); err != nil || v.Version != 0 {
		t.Errorf("b at its time: %+v %v", v, err)
	}
	set(t, p, 0, "d", "123", 0)
	set(t, p, 0, "e", "123", 0)
}

// TestExpiredValuesMakeRoom in key groups to which nobody writes any more, too.
func TestExpiredValuesMakeRoom(t *testing.T) {
	p := New(Range{0, 9}, Limits{Bytes: 100}, Hooks{})
	for kg := range uint16(10) {
		set(t, p, kg, "k", "123456789", int64(kg)+1)
	}
	grow := func() error {
		_, err := p.Update(0, "new", func(Value) (Change, error) { return Set(make([]byte, 27), 0), nil })
		return err
	}
	p.Advance(2)
	if err := grow(); !errors.Is(err, ErrLimit) {
		t.Errorf("30 bytes where 20 have expired: %v", err)
	}
	if s := p.Stats(); s.Keys != 8 || s.Bytes != 80 {
		t.Errorf("what has expired still counts: %+v", s)
	}
	p.Advance(3)
	if err := grow(); err != nil {
		t.Errorf("30 bytes where 30 have expired: %v", err)
	}
	var tx Tx
	if err := p.Begin(5, &tx); err != nil {
		t.Fatal(err)
	}
	p.Advance(5)
	tx.Change("other", Set(make([]byte, 15), 0))
	if _, _, err := tx.Commit(Request{ID: "id"}, nil, nil); err != nil {
		t.Errorf("20 bytes where 20 have expired: %v", err)
	}
	if s := p.Stats(); s.Keys != 7 || s.Bytes != 100 {
		t.Errorf("sizes %+v", s)
	}
}

func TestHooks(t *testing.T) {
	var heard []string
	p := New(Range{1, 1}, Limits{}, Hooks{Changed: func(kg uint16, key string, old, now Value) {
		heard = append(heard, fmt.Sprintf("%d %s %s.%d %s.%d", kg, key, old.Data, old.Version, now.Data, now.Version))
	}})
	set(t, p, 1, "a", "x", 0)
	set(t, p, 1, "a", "y", 5)
	p.Advance(5)
	p.Sweep(1)
	set(t, p, 1, "b", "z", 0)
	if _, err := p.Update(1, "b", func(Value) (Change, error) { return Delete(), nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Update(1, "b", func(Value) (Change, error) { return Delete(), nil }); err != nil {
		t.Fatal(err)
	}
	want := "1 a .0 x.1|1 a x.1 y.2|1 a y.2 .0|1 b .0 z.3|1 b z.3 .0"
	if got := strings.Join(heard, "|"); got != want {
		t.Errorf("heard %s\nwant  %s", got, want)
	}
}

// TestLow: what has left the operator is forgotten, but not while a barrier's mark may still ask for it.
func TestLow(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	send := func(id string, epoch, seq, low uint64) (string, error) {
		var tx Tx
		if err := p.Begin(0, &tx); err != nil {
			t.Fatal(err)
		}
		data, repeated, err := tx.Commit(Request{ID: id, Epoch: epoch, Seq: seq, Low: low}, []byte("answer of "+id), nil)
		if repeated {
			return "again", err
		}
		return string(data), err
	}
	expect := func(id string, epoch, seq, low uint64, want string) {
		t.Helper()
		if got, err := send(id, epoch, seq, low); err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", id, got, err, want)
		}
	}
	expect("a", 0, 1, 1, "answer of a")
	expect("b", 0, 2, 1, "answer of b")
	expect("a", 0, 1, 1, "again")
	expect("c", 0, 3, 2, "answer of c") // a has left
	if _, err := send("a", 0, 1, 1); !errors.Is(err, ErrStale) {
		t.Errorf("a late copy of a: %v", err)
	}
	// b is in flight at barrier 7 and leaves after it; the mark is late.
	f := p.Freeze()
	expect("d", 7, 4, 4, "answer of d")
	if err := p.Mark(f, 7, []InFlight{{0, "b"}, {0, "c"}}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.Answers(0)); !strings.Contains(got, "{b ") || !strings.Contains(got, "{c ") {
		t.Errorf("the frozen answers are %s", got)
	}
	expect("e", 7, 5, 5, "answer of e")
	if s := p.Stats(); s.Answers != 1 {
		t.Errorf("%d answers are stored, only that to e is in flight", s.Answers)
	}
	if _, err := send("b", 0, 2, 1); !errors.Is(err, ErrStale) {
		t.Errorf("a late copy of b: %v", err)
	}
}

// TestNothingGrowsWithoutLow: a sender that counts its requests, but never says which have left, costs no more than one that
// does not count.
func TestNothingGrowsWithoutLow(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	seq := uint64(0)
	for epoch := range uint64(100) {
		for range 100 {
			var tx Tx
			if err := p.Begin(0, &tx); err != nil {
				t.Fatal(err)
			}
			seq++
			if _, _, err := tx.Commit(Request{ID: fmt.Sprint(seq), Epoch: epoch, Seq: seq}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Mark(nil, epoch+1, []InFlight{{0, fmt.Sprint(seq)}}); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s.Answers != 1 {
		t.Errorf("%d answers are stored, one is in flight", s.Answers)
	}
	if n := len(p.groups[0].answers.leaving); n > 200 {
		t.Errorf("%d requests wait to leave", n)
	}
}

// TestAnswersAreCountedOnce also if a segment or a log has one twice.
func TestAnswersAreCountedOnce(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	l, err := p.Load(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.Answer(Answer{ID: "id", Data: []byte("long answer")})
	l.Answer(Answer{ID: "id", Data: []byte("short")})
	for range 2 {
		if err := p.Redo(&Committed{Request: Request{ID: "other"}, Answer: []byte("1234")}); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s.Answers != 2 || s.AnswerBytes != int64(len("idshortother1234")) {
		t.Errorf("sizes %+v", s)
	}
	if data, repeated, err := p.Answer(Request{ID: "id"}); err != nil || !repeated || string(data) != "short" {
		t.Errorf("%q %v %v", data, repeated, err)
	}
	if err := p.Mark(nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Answers != 0 || s.AnswerBytes != 0 {
		t.Errorf("after a mark: %+v", s)
	}
}

// TestReleasedStateIsHarmless: who reads on while another one releases gets nonsense, and no panic.
func TestReleasedStateIsHarmless(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	p.Loaded()
	for i := range 3 * batch {
		set(t, p, 0, fmt.Sprint(i), "x", 0)
	}
	f := p.Freeze()
	n := 0
	for range f.Changed(0) {
		if n++; n == 10 {
			f.Release()
			later := p.Freeze()
			later.Durable()
			later.Release()
		}
	}
	if n < 10 || n > 3*batch {
		t.Errorf("%d keys", n)
	}
	f.Release()
	if s := p.Stats(); s.Frozen != 0 || s.Keys != 3*batch {
		t.Errorf("afterwards %+v", s)
	}
}

// TestOnlyNeededVersionsAreKept: although some state is held at any time, no version stays that none of them sees.
func TestOnlyNeededVersionsAreKept(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	set(t, p, 0, "never changed", "x", 0)
	first := p.Freeze()
	before := first
	for i := range 1000 {
		set(t, p, 0, "key", fmt.Sprint(i), 0)
		f := p.Freeze()
		if i%2 == 0 {
			f.Durable()
		}
		if before != first {
			before.Release()
		}
		before = f
	}
	for key, most := range map[string]int{"key": 2, "never changed": 1} {
		n := 0
		for o := &p.groups[0].entries[key].older; o != nil; o = o.next {
			n++
		}
		if n > most {
			t.Errorf("%d versions of %q are kept, two states are held", n, key)
		}
	}
	if v, err := first.Get(0, "key"); err != nil || v.Version != 0 {
		t.Errorf("the first state has %+v, %v", v, err)
	}
	if v, err := before.Get(0, "key"); err != nil || string(v.Data) != "999" {
		t.Errorf("the last state has %+v, %v", v, err)
	}
}

func TestMarkOfAForeignKeyGroup(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	if err := p.Mark(nil, 1, []InFlight{{9, "x"}}); !errors.Is(err, ErrKeyGroup) {
		t.Errorf("key group 9: %v", err)
	}
}

func TestExpiryQueueStaysSmall(t *testing.T) {
	p := New(Range{0, 0}, Limits{}, Hooks{})
	for i := range 100_000 {
		set(t, p, 0, fmt.Sprint(i%10), "x", int64(1_000_000-i%2*500)) // now later, now earlier
	}
	if n := len(p.groups[0].expiry); n > 200 {
		t.Errorf("10 keys take %d places in the queue", n)
	}
	p.Advance(math.MaxInt64)
	if n := p.Sweep(1000); n != 10 {
		t.Errorf("%d keys were swept", n)
	}
}

// TestUpdateAllocatesNothing but what the caller allocates, also in the first update after a freeze.
func TestUpdateAllocatesNothing(t *testing.T) {
	p := New(Range{0, 127}, Limits{}, Hooks{})
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
		set(t, p, uint16(i%128), keys[i], "x", 0)
	}
	value := []byte("value")
	var held []*Frozen
	i := 0
	per := testing.AllocsPerRun(10_000, func() {
		if i%1000 == 0 && i < 5000 { // allocations of these are counted in, and vanish in the average
			held = append(held, p.Freeze())
			if len(held) > 1 {
				held[0].Durable()
				held[0].Release()
				held = held[1:]
			}
		}
		if _, err := p.Update(uint16(i%1000%128), keys[i%1000], func(Value) (Change, error) { return Set(value, 0), nil }); err != nil {
			t.Fatal(err)
		}
		i++
	})
	if per > 0 {
		t.Errorf("%v allocations per update", per)
	}
}

func TestTransactionAllocatesLittle(t *testing.T) {
	p := New(Range{0, 127}, Limits{}, Hooks{})
	var tx Tx
	value := []byte("value")
	per := testing.AllocsPerRun(10_000, func() {
		if err := p.Begin(5, &tx); err != nil {
			t.Fatal(err)
		}
		tx.Get("key")
		tx.Change("key", Set(value, 0))
		if _, _, err := tx.Commit(Request{}, value, nil); err != nil {
			t.Fatal(err)
		}
	})
	if per > 0 {
		t.Errorf("%v allocations per transaction", per)
	}
}
