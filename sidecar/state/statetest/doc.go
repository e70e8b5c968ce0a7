// Package statetest runs a function with state as a session of Flink runs it: by key, each request with an id, committed
// together with its answer, under barriers, and restored from a checkpoint.
//
//	func TestVelocity(t *testing.T) {
//		f := statetest.Open(t, Register, "velocity")
//		f.Call(statetest.Request{Key: "alice", ID: "1", Event: `{"amount":10,"at":0}`})
//		checkpoint := f.Checkpoint()
//		f.Call(statetest.Request{Key: "alice", ID: "2", Event: `{"amount":10,"at":1}`})
//		f.Restore(checkpoint) // request 2 has never been
//		...
//	}
//
// Events and answers are JSON, as over HTTP. What is not HTTP is the same code as in a sidecar: sessions, transactions, ids,
// snapshots and their files. The snapshot store is in memory.
//
// [Check] takes a list of requests through what a job may do to them, and finds functions whose answers depend on more than
// their state: requests that come twice, calls that are thrown away and made again, a restore after each request.
package statetest
