// Package counter is the smallest function with state: it counts the events of a key. It is the one to try checkpoints with,
// since a gap or a repetition in its counts shows at once that something was lost or counted twice.
package counter

import (
	"context"
	"encoding/json"

	"github.com/drey-flink/drey/sidecar/state"
	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Event is anything that is counted.
type Event struct {
	// ID, if there is one, is repeated in the answer.
	ID json.RawMessage `json:"id"`
}

// Answer is the number of an event among those of its key, from 1 on.
type Answer struct {
	Count int64           `json:"count"`
	ID    json.RawMessage `json:"id,omitempty"`
}

// Register adds the function count.
func Register(r *udf.Registry) {
	udf.JSON(r, "count", count, udf.Doc("the number of this event among those of its key, from 1 on; needs state"))
}

func count(ctx context.Context, in Event) (Answer, error) {
	s, ok := state.From(ctx)
	if !ok {
		return Answer{}, state.ErrNone
	}
	n, err := state.Update(s, "count", func(n int64, _ bool) (int64, error) { return n + 1, nil })
	return Answer{Count: n, ID: in.ID}, err
}
