/**
 * The non-blocking client of the sidecar: retries, deadlines, and one HTTP client per TaskManager
 * and URL. It knows nothing of Flink's operators, so that it can be measured and tested without
 * them.
 *
 * <p>A {@link dev.drey.flink.async.client.Call} is a chain of attempts. Threads: the caller's only
 * starts it; answers are read on the transport's threads; waits and deadlines are the timer's.
 * Attempts of one call never overlap, and the call's future completes exactly once, whatever the
 * sidecar does and whenever the client is closed.
 */
package dev.drey.flink.async.client;
