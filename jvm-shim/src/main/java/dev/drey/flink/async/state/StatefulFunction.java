package dev.drey.flink.async.state;

import org.apache.flink.streaming.api.functions.async.AsyncFunction;

/**
 * A function whose requests are for state under a session. Everything is called by the task thread,
 * but {@link #durable}.
 *
 * @param <IN> the record
 * @param <OUT> what comes out
 */
public interface StatefulFunction<IN, OUT> extends AsyncFunction<Identified<IN>, OUT> {
    /** The session to use from now on; before the first record, and before the function's open. */
    void use(GoSession session);

    /** A barrier has held the task thread for so long. */
    void marked(long nanos);

    /** The snapshot of a barrier was in the store so long after it. On any thread. */
    void durable(long nanos);
}
