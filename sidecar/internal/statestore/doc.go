// Package statestore keeps the state of Go functions in memory, cut as Flink cuts keyed state: by key group, so that a
// rescaled job moves key groups and not keys. It knows nothing of Flink, of networks or of files; what it offers is what a
// checkpoint needs of it:
//
//   - [Partitions.Freeze] fixes the present state in a time that depends on the number of key groups alone. Writers go on;
//     the first change of a key after it keeps the old version for as long as somebody holds the [Frozen] state.
//   - [Frozen.Changed] gives what changed since the state that was last said to be durable, [Frozen.All] gives everything.
//   - [Tx] changes several keys of one key group together with the stored answer to the request that did so: a request that
//     comes twice is answered from there ([Partitions.Answer]) and changes nothing.
//
// # Versions
//
// Each key group counts its changes. A value's version is the number of the change that wrote it: it grows from change to
// change, and does not come back when a key is deleted and written again. A checkpoint holds the counter, so that the same
// requests in the same order give the same versions after a restore. Versions of different key groups say nothing about
// each other.
//
// # Time
//
// A value may expire at an event time. It is gone as soon as the watermark has reached that time, as a timer of Flink would
// fire then; when its memory is given back is another matter ([Partitions.Sweep]). Processing time plays no part, so that a
// replay sees what the job saw.
//
// # Memory
//
// Values are immutable: those who hand one in do not touch it again, those who are given one only read it. That is what
// makes freezing free of copies.
package statestore
