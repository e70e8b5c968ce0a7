// Package session is the protocol by which the state of Go functions is exactly as old as the checkpoint of Flink that it comes
// back with. It knows no transport: those who carry it over a network translate calls and [Code]s.
//
// # Who is who
//
// A session is one attempt of one subtask of one operator. [Manager.Open] begins it and answers with a [Token]; whoever opens
// a session for key groups of the same job and operator takes them over: older sessions of this sidecar are fenced, their
// requests are refused, their state is gone. A session begins with nothing, or with what [Manager.Restore] loads: state goes
// from one session to the next by references alone, which Flink keeps in its checkpoints.
//
// # One checkpoint, in numbered steps
//
//  1. Each request ([Manager.Apply]) carries its epoch: the number of the last barrier that its subtask had seen.
//  2. At barrier N the subtask sends a mark ([Manager.Mark]) with the ids that are in flight. It does not wait for it.
//  3. Whatever comes first, the mark or a request of epoch N, freezes the state; so the order on the network does not matter.
//     A request of an older epoch that comes later changes the live state only: it was in flight at the barrier, Flink has it
//     in its checkpoint, and sends it again after a restore.
//  4. Snapshot N is the frozen state, and the answers to those requests in flight that had been applied when it was frozen: sent
//     again after a restore, they are answered from there.
//  5. It is written to the snapshot store, as what changed since the last one or as a whole. Then [Manager.Durable] answers
//     with the [segment.Reference] that goes into Flink's checkpoint: Flink completes N only if the snapshot is there.
//  6. If checkpoint N fails elsewhere, [Manager.Abort] says so. What later snapshots build on stays: see below.
//
// Ids that are neither in flight at a mark nor newer are forgotten, and a copy of such a request that comes late is refused
// ([CodeStale]): its answer has been used, it must not count again.
//
// # After a fault
//
// A sidecar that was killed comes back from its folder with sessions, epochs, stored answers, frozen states and tokens: clients
// go on as if it had been slow. It does not believe the folder after the machine was started anew, since then the end of a log
// may be missing. A sidecar without its folder knows no sessions ([CodeUnknownSession]): the task fails, Flink restarts it from
// its checkpoint, and both sides are as old as that.
//
// # What garbage collection must keep
//
// Everything that a manifest of a retained checkpoint lists; and of each session every manifest, with what it lists, whose
// checkpoint is not older than the oldest one that is retained or may still complete. A snapshot may list segments of older
// snapshots whose checkpoints were aborted, and of other sessions, whose state it went on with.
package session
