/**
 * Calls Go functions from a DataStream job, through the sidecar, without blocking the task thread.
 *
 * <pre>{@code
 * Configuration config = GoAsync.configuration(env, args); // drey.sidecar.url and the rest
 * GoAsyncFunction<Payment, Verdict> fraud =
 *         GoAsyncFunction.<Payment, Verdict>builder("fraud", Verdict.class)
 *                 .id(payment -> payment.id)
 *                 .onError(OnError.SIDE_OUTPUT)
 *                 .build(config);
 * GoAsync.Streams<Payment, Verdict> decided = GoAsync.wait(payments, fraud);
 * decided.results(); // each input with its result
 * decided.errors(); // each input that failed, with the reason
 * }</pre>
 *
 * <p>Guarantees. Each record leaves the operator once: as a result, as a failure beside the stream,
 * or by failing the job, which restores it from the checkpoint. Flink keeps the records in flight
 * in its checkpoints and sends them again after a restore, so the Go function may see a record more
 * than once: give it an {@code id}.
 *
 * <p>Three times fit into one another, and this is checked when the function is built: {@code
 * attempt-timeout} (one request) is shorter than {@code retry-budget} (all attempts and the waiting
 * between them), which is shorter than {@code timeout} (Flink's own, which never fires unless the
 * client is at fault).
 */
package dev.drey.flink.async;
