package statetest_test

import (
	"testing"

	"github.com/drey-flink/drey/sidecar/functions/counter"
	"github.com/drey-flink/drey/sidecar/state/statetest"
)

// A test of the function count, which is given a *testing.T as any other.
func Example() {
	testCount(new(testing.T))
}

func testCount(t testing.TB) {
	f := statetest.Open(t, counter.Register, "count")
	first := statetest.Request{Key: "alice", ID: "payment-1", Event: `{"id":1}`}
	if got := f.Call(first); got != `{"count":1,"id":1}` {
		t.Errorf("got %s", got)
	}
	checkpoint := f.Checkpoint(first) // in flight: its answer is part of the checkpoint
	f.Call(statetest.Request{Key: "alice", ID: "payment-2", Event: `{"id":2}`})

	f.Restore(checkpoint) // the second one has never been
	f.Call(first)         // sent again, and not counted again
	if got := f.Call(statetest.Request{Key: "alice", ID: "payment-3", Event: `{"id":3}`}); got != `{"count":2,"id":3}` {
		t.Errorf("got %s", got)
	}

	// And what a job may do to any list of requests.
	statetest.Check(t, counter.Register, "count", []statetest.Request{first, {Key: "alice", Event: `{}`}, {Key: "bob", Event: `{}`}})
}
