package statetest

import (
	"fmt"
	"testing"

	"github.com/drey-flink/drey/udf-bridge/udf"
)

// Check sends the requests to functions that are opened anew, in order, and fails the test if one of them is answered
// otherwise when
//
//   - it comes twice;
//   - the first call of it is thrown away, and made again;
//   - the job is restored between any two of them, from a checkpoint with the one before in flight, after a later one was
//     answered that has then never been.
//
// A function that keeps something outside of its state fails it. An error is an answer too. Requests without an id get one;
// no two may have the same.
func Check(t testing.TB, register func(*udf.Registry), name string, requests []Request, options ...Option) {
	t.Helper()
	requests = withIDs(t, requests)
	c := check{t: t, requests: requests, open: func() *Function { t.Helper(); return Open(t, register, name, options...) }}
	if len(requests) == 0 {
		t.Fatal("there are no requests to check with")
	}
	f := c.open()
	for _, r := range requests {
		c.want = append(c.want, outcome(f.send(r, nil)))
	}
	c.twice()
	c.again()
	c.restored()
}

type check struct {
	t        testing.TB
	requests []Request
	want     []string // the outcome of each
	open     func() *Function
}

func withIDs(t testing.TB, requests []Request) []Request {
	t.Helper()
	named, known := make([]Request, len(requests)), map[string]bool{}
	for i, r := range requests {
		if r.ID == "" {
			r.ID = fmt.Sprintf("request-%d", i)
		}
		if known[r.ID] {
			t.Fatalf("two requests have the id %q: the second one would be answered with what is stored for the first", r.ID)
		}
		known[r.ID] = true
		named[i] = r
	}
	return named
}

func outcome(answer string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return answer
}

// expect says in which circumstances a request was answered otherwise; hint says what that may come from.
func (c *check) expect(f *Function, i int, when, hint string) {
	c.t.Helper()
	c.compare(i, outcome(f.send(c.requests[i], nil)), when, hint)
}

func (c *check) compare(i int, got, when, hint string) {
	c.t.Helper()
	if got != c.want[i] {
		c.t.Errorf("request %d (id %q, key %q) %s: %.300s, was %.300s: %s", i, c.requests[i].ID, c.requests[i].Key, when, got, c.want[i], hint)
	}
}

const outside = "the answer depends on something that is not in the state, such as a variable of the function's own, a clock or a random number"

func (c *check) twice() {
	c.t.Helper()
	f := c.open()
	for i := range c.requests {
		c.expect(f, i, "in another run", outside)
		c.expect(f, i, "when it came for the second time", "an error is not stored with the state, so that the function was called again; it should fail as it did")
	}
}

func (c *check) again() {
	c.t.Helper()
	f := c.open()
	for i, r := range c.requests {
		c.compare(i, outcome(f.send(r, again)), "when its first call was thrown away", outside)
	}
}

func (c *check) restored() {
	c.t.Helper()
	f := c.open()
	for i, r := range c.requests {
		c.expect(f, i, "between restores", outside)
		checkpoint := f.Checkpoint(r)
		if i+1 < len(c.requests) {
			c.expect(f, i+1, "after a checkpoint", outside)
		}
		f.Restore(checkpoint)
		for range 2 {
			c.expect(f, i, "when it was in flight and came again after a restore", outside)
		}
	}
}
