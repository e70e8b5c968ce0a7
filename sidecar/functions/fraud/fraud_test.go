package fraud

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

const noon = int64(1_700_000_000_000)

// after returns a transaction that follows one of the amount previous by gap milliseconds.
func after(previous float64, gap int64, amount float64) Transaction {
	return Transaction{
		AccountID: 3, Timestamp: noon, Amount: amount,
		PreviousAmount: new(previous), PreviousTimestamp: new(noon - gap),
	}
}

func TestDecisions(t *testing.T) {
	for _, c := range []struct {
		name     string
		event    Transaction
		decision string
		reasons  []string
	}{
		{"everyday payment", Transaction{Amount: 42.50}, Pass, nil},
		{"zero amount", Transaction{Amount: 0}, Pass, nil},
		{"large alone", Transaction{Amount: 900}, Pass, []string{"large amount 900.00"}},
		{
			"walkthrough's rule alone", after(0.43, 41_300, 612.10), Alert,
			[]string{"small amount 0.43 followed by 612.10 within 41 s", "large amount 612.10"},
		},
		{
			"walkthrough's rule at its edges", after(0.99, 60_000, 500.01), Alert,
			[]string{"small amount 0.99 followed by 500.01 within 60 s", "large amount 500.01"},
		},
		{
			"slower than a minute", after(0.80, 30*60_000, 871.15), Review,
			[]string{"small amount 0.80 followed by 871.15 after 30 min", "large amount 871.15"},
		},
		{"slower than an hour", after(0.80, 61*60_000, 871.15), Pass, []string{"large amount 871.15"}},
		{"not small", after(1.00, 1000, 871.15), Pass, []string{"large amount 871.15"}},
		{"not large", after(0.10, 1000, 500.00), Pass, nil},
		{"out of order", after(0.10, -1000, 871.15), Pass, []string{"large amount 871.15"}},
		{
			"previous time unknown", Transaction{Amount: 871.15, Timestamp: noon, PreviousAmount: new(0.1)}, Pass,
			[]string{"large amount 871.15"},
		},
		{"new phone", Transaction{Amount: 80, NewDevice: new(true), NewRegion: new(false)}, Pass, []string{"new device"}},
		{"journey", Transaction{Amount: 80, NewRegion: new(true), Region: new("PT-11")}, Pass, []string{"new region PT-11"}},
		{
			"new phone on a journey", Transaction{Amount: 80, NewDevice: new(true), NewRegion: new(true)}, Review,
			[]string{"new device in a new region"},
		},
		{
			"stolen card abroad", Transaction{Amount: 740, NewDevice: new(true), NewRegion: new(true), Region: new("PT-11")}, Alert,
			[]string{"new device in a new region PT-11", "large amount 740.00"},
		},
		{"family tablet", Transaction{Amount: 120, AccountsOnDevice: new(int64(3))}, Pass, nil},
		{
			"ring", Transaction{Amount: 120, AccountsOnDevice: new(int64(24)), NewDevice: new(true)}, Alert,
			[]string{"new device", "24 accounts on this device"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := score(context.Background(), c.event)
			if err != nil {
				t.Fatal(err)
			}
			if got.Decision != c.decision {
				t.Errorf("decision %s (score %.3f), want %s", got.Decision, got.Score, c.decision)
			}
			if diff := cmp.Diff(c.reasons, got.Reasons); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusesWhatIsNoTransaction(t *testing.T) {
	for field, event := range map[string]Transaction{
		"timestamp":         {Timestamp: -1},
		"amount":            {Amount: -0.01},
		"amount NaN":        {Amount: math.NaN()},
		"amount +Inf":       {Amount: math.Inf(1)},
		"previousAmount":    {PreviousAmount: new(-3.0)},
		"previousTimestamp": {PreviousTimestamp: new(int64(-5))},
		"accountsOnDevice":  {AccountsOnDevice: new(int64(-2))},
	} {
		_, err := score(context.Background(), event)
		if err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%s: error %v does not begin with the field", field, err)
		}
	}
}

// TestThroughTheSDK checks the names on the wire, which jobs depend on.
func TestThroughTheSDK(t *testing.T) {
	r := udf.NewRegistry()
	Register(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	f, ok := r.Lookup("fraud")
	if !ok {
		t.Fatal("fraud is not registered")
	}
	var args []string
	for _, a := range f.Describe().Arguments {
		args = append(args, a.Name)
	}
	want := strings.Fields("accountId timestamp amount device ip region previousAmount previousTimestamp newDevice newRegion accountsOnDevice")
	if diff := cmp.Diff(want, args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	got, err := f.CallJSON(context.Background(), []byte(`{"accountId":3,"timestamp":1700000000000,"amount":612.1,
		"previousAmount":0.43,"previousTimestamp":1699999959000,"device":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"score":0.9`, `"decision":"alert"`, `"reasons":["small amount 0.43 followed by 612.10 within 41 s"`} {
		if !strings.Contains(string(got), part) {
			t.Errorf("%s lacks %s", got, part)
		}
	}
	plain, err := f.CallJSON(context.Background(), []byte(`{"accountId":1,"timestamp":0,"amount":10}`))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(plain), `"decision":"pass","reasons":[]`) {
		t.Errorf("a quiet transaction answers %s, want an empty list of reasons", plain)
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	event := after(0.43, 41_000, 612.10)
	want, err := score(context.Background(), event)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if got, err := score(context.Background(), event); err != nil || !cmp.Equal(want, got) {
					t.Errorf("got %v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzScore holds the score between 0 and 1, and monotone: no signal that points at fraud may lower it.
func FuzzScore(f *testing.F) {
	f.Add(noon, 612.10, 0.43, noon-41_000, int64(1), false, false)
	f.Add(noon, 80.0, 80.0, noon, int64(40), true, true)
	f.Add(int64(0), 0.0, 0.0, int64(math.MaxInt64), int64(math.MaxInt64), false, true)
	f.Add(int64(math.MaxInt64), math.MaxFloat64, 0.5, int64(0), int64(0), true, false)
	f.Fuzz(func(t *testing.T, ts int64, amount, previous float64, previousTS, accounts int64, device, region bool) {
		event := Transaction{
			Timestamp: ts, Amount: amount, PreviousAmount: &previous, PreviousTimestamp: &previousTS,
			NewDevice: &device, NewRegion: &region, AccountsOnDevice: &accounts,
		}
		base, err := score(context.Background(), event)
		if err != nil {
			if event.validate() == nil {
				t.Fatalf("%+v is valid but gave %v", event, err)
			}
			return
		}
		if !(base.Score >= 0 && base.Score <= 1) {
			t.Fatalf("score %v", base.Score)
		}
		for _, r := range base.Reasons {
			if len(r) > 120 {
				t.Fatalf("reason of %d bytes: %q", len(r), r)
			}
		}
		for name, raise := range map[string]func(*Transaction){
			"new device":       func(e *Transaction) { e.NewDevice = new(true) },
			"new region":       func(e *Transaction) { e.NewRegion = new(true) },
			"another account":  func(e *Transaction) { e.AccountsOnDevice = new(max(accounts, accounts+1)) },
			"larger amount":    func(e *Transaction) { e.Amount = min(amount*2+1, math.MaxFloat64) },
			"smaller previous": func(e *Transaction) { e.PreviousAmount = new(previous / 2) },
		} {
			raised := event
			raise(&raised)
			got, err := score(context.Background(), raised)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.Score < base.Score {
				t.Errorf("%s lowers the score of %+v from %v to %v", name, event, base.Score, got.Score)
			}
		}
	})
}

func BenchmarkScore(b *testing.B) {
	for name, event := range map[string]Transaction{"pass": {Amount: 42}, "alert": after(0.43, 41_000, 612.10)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := score(context.Background(), event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
