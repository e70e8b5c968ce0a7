/**
 * State of Go functions that is exactly as old as the checkpoint Flink restores. The sidecar keeps
 * the state; here is the subtask's side of the protocol: a session, marks at barriers, references
 * in Flink's own state. {@link dev.drey.flink.async.GoAsync#keyed} puts it together.
 *
 * <p>What happens at barrier N, in the task thread unless said otherwise:
 *
 * <ol>
 *   <li>{@link dev.drey.flink.async.state.GoStateOperator} writes the records in flight into union
 *       list state, and a promise of a reference.
 *   <li>Requests sent from now on carry N as their epoch.
 *   <li>In Flink's asynchronous part, on a thread of the checkpoint, it sends the mark with the ids
 *       of these records, and waits until the sidecar has the snapshot in its store and answers
 *       with the reference; then the state is written. Flink completes N only if all of that went
 *       well.
 * </ol>
 *
 * <p>A request carries the watermark that was there when its record came, and the lowest one of all
 * that wait: what has expired by then, the sidecar forgets. Records in flight are in the checkpoint
 * with theirs.
 *
 * <p>At a restore each subtask opens a session, gives it all references of the checkpoint, and
 * sends again those of the records in flight that have one of its key groups.
 *
 * <p>This is the only package that touches classes of Flink that are not public API.
 */
package dev.drey.flink.async.state;
