package dev.drey.flink.udf;

import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What a subtask counts about a Go function, in the group {@code drey.function.<name>} of its
 * operator: {@code calls}, {@code errors}, {@code callNanos}, the mean duration of a call, and
 * {@code runtimes}, how many Go runtimes the process holds (GoUdfOptions.MAX_RUNTIMES). Only each
 * {@value #EVERY}th call is timed: reading the clock twice costs as much as a short call. Updated
 * by the task's thread, read by others, which may see values of a moment ago.
 */
final class CallMetrics {
    /** A power of two. */
    private static final int EVERY = 128;

    /** Weight of a new sample in the mean. */
    private static final double WEIGHT = 1 / 16.0;

    private long calls;
    private long errors;
    private double meanNanos;

    CallMetrics(MetricGroup operator, String function, Gauge<Integer> runtimes) {
        MetricGroup group = operator.addGroup("drey").addGroup("function", function);
        group.counter("calls", (Total) () -> calls);
        group.counter("errors", (Total) () -> errors);
        group.gauge("runtimes", runtimes);
        group.gauge("callNanos", (Gauge<Double>) () -> meanNanos);
    }

    /** Counts a call; the result is for {@link #end}. */
    long begin() {
        // Zero is "not timed"; the clock is never there in practice, and one sample less if it is.
        return (++calls & EVERY - 1) == 0 ? System.nanoTime() : 0;
    }

    /** Ends the call that began with this. */
    void end(long begin) {
        if (begin != 0) {
            double nanos = System.nanoTime() - begin;
            meanNanos = meanNanos == 0 ? nanos : meanNanos + (nanos - meanNanos) * WEIGHT;
        }
    }

    /** Counts a call that failed. */
    void error() {
        errors++;
    }

    /** A counter that is counted elsewhere. */
    private interface Total extends Counter {
        @Override
        default void inc() {
            throw new UnsupportedOperationException("counted by the calls themselves");
        }

        @Override
        default void inc(long n) {
            inc();
        }

        @Override
        default void dec() {
            inc();
        }

        @Override
        default void dec(long n) {
            inc();
        }
    }
}
