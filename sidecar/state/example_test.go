package state_test

import (
	"context"
	"time"

	"github.com/drey-flink/drey/sidecar/state"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

type payment struct {
	Amount float64
	At     int64 // event time in ms since 1970
}

type verdict struct {
	Decision string
	LastHour int64
}

// A function that remembers: it stops the fourth payment of a key within an hour, and one that is ten times the largest so far.
func Example() {
	register := func(r *udf.Registry) { udf.Scalar(r, "velocity", velocity) }
	register(udf.NewRegistry()) // drey.Main(register) makes a sidecar of it
}

func velocity(ctx context.Context, p payment) (verdict, error) {
	s, ok := state.From(ctx)
	if !ok {
		return verdict{}, state.ErrNone
	}
	counts, err := s.Count("payments", state.Tumbling(time.Hour).Lateness(time.Minute), time.UnixMilli(p.At), 1)
	if err != nil || len(counts) == 0 { // none: it came too late
		return verdict{Decision: "review"}, err
	}
	out := verdict{Decision: "pass", LastHour: counts[0].N}
	_, err = state.Update(s, "largest", func(largest float64, known bool) (float64, error) {
		if out.LastHour > 3 || known && p.Amount > 10*largest {
			out.Decision = "alert"
		}
		return max(largest, p.Amount), nil
	})
	return out, err
}
