// Package replay answers what a person on call asks: from checkpoint N on, what did we decide, and what would we decide now? And it goes
// back there.
//
// A replay is a resource: asked for with [Manager.Start], which is idempotent by job, checkpoint, mode and request id; worked off by
// [Manager.Run], one at a time; kept in a file, so that it goes on after a crash. See [Request] for the modes.
//
// # An audit
//
// The state of checkpoint N is loaded aside: from the snapshots that the checkpoint refers to, into memory of its own. Then the
// decisions of the log that came after N are made again by the functions and rules of now, and compared. Which ones came after N is
// exact for calls with state under a session: each has the version of its key group, and so has the snapshot. Decisions that a
// restore of Flink took back are left out: see timeline. Calls without a session are cut by time, and the report says at-least-once.
//
// An audit changes nothing: functions are called as for a decision, but nothing is remembered, logged or counted. Interrupted, it begins
// anew: with the same log, state and functions it finds the same.
//
// It reads the decision log of its own sidecar. Where several sidecars decide, each is asked for itself.
package replay
