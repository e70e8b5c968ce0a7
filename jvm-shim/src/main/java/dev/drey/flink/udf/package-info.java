/**
 * Go functions in Flink SQL and DataStream jobs, inside the TaskManager. {@code go-udf-builder}
 * makes a jar out of a Go package; its generated classes extend the base classes here.
 *
 * <pre>{@code
 * LOAD MODULE go;
 * SELECT risk_score(amount, country) FROM payments;
 * }</pre>
 *
 * <p>Threads. A function belongs to one subtask and is called by its task's thread only. Memory:
 * the bytes that cross to Go and back are in buffers that Java owns, one pair a function; Go keeps
 * nothing after a call, and what a call returns is of Java's own heap.
 *
 * <p>Errors. What Go returns or panics with is a {@link dev.drey.flink.udf.GoException} of the
 * call, and fails the task as any exception of a user's function does.
 */
package dev.drey.flink.udf;
