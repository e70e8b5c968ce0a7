package dev.drey.flink.udf;

import dev.drey.flink.udf.library.GoCall;

/**
 * An opened Go function of one subtask: the call into Go and what is counted about it. For one
 * thread.
 */
abstract class Invocation implements AutoCloseable {
    final GoCall go;
    private final CallMetrics metrics;

    Invocation(GoCall go, CallMetrics metrics) {
        this.go = go;
        this.metrics = metrics;
    }

    /** Calls with what is in {@code go.input()}; returns the length of what is in its output. */
    final int call(int op, int length) {
        long start = metrics.begin();
        try {
            return go.call(op, length);
        } catch (RuntimeException e) {
            metrics.error();
            throw e;
        } finally {
            metrics.end(start);
        }
    }

    /** Calls with numbers alone; {@code go.wasNull()} says whether the result is NULL. */
    final long fixed(long nulls, long a, long b, long c, long d) {
        long start = metrics.begin();
        try {
            return go.fixed(nulls, a, b, c, d);
        } catch (RuntimeException e) {
            metrics.error();
            throw e;
        } finally {
            metrics.end(start);
        }
    }

    @Override
    public final void close() {
        go.close();
    }
}
