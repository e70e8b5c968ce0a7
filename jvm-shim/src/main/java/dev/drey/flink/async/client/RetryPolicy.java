package dev.drey.flink.async.client;

import java.io.Serializable;

/**
 * When to try again: exponential backoff with full jitter (Brooker, "Exponential Backoff And
 * Jitter", 2015), never before the sidecar asks for, never past the budget. Immutable.
 */
public final class RetryPolicy implements Serializable {
    private static final long serialVersionUID = 1L;

    /** No further attempt. */
    static final long GIVE_UP = -1;

    private final long attemptTimeoutNanos;
    private final long budgetNanos;
    private final long backoffInitialNanos;
    private final long backoffMaxNanos;

    /**
     * All in nanoseconds and positive.
     *
     * @param attemptTimeoutNanos how long one request may take
     * @param budgetNanos how long all requests and the waits between them may take
     * @param backoffInitialNanos upper bound of the first wait
     * @param backoffMaxNanos upper bound of every wait
     */
    public RetryPolicy(
            long attemptTimeoutNanos,
            long budgetNanos,
            long backoffInitialNanos,
            long backoffMaxNanos) {
        this.attemptTimeoutNanos = attemptTimeoutNanos;
        this.budgetNanos = budgetNanos;
        this.backoffInitialNanos = backoffInitialNanos;
        this.backoffMaxNanos = backoffMaxNanos;
    }

    /**
     * How long to wait before the next attempt.
     *
     * @param attempts how many were made, at least 1
     * @param elapsedNanos since the call began
     * @param askedNanos what the sidecar asked for; 0 for nothing
     * @param random uniform in [0, 1)
     * @return nanoseconds, or {@link #GIVE_UP} when the budget would end before or with the wait
     */
    long delayNanos(int attempts, long elapsedNanos, long askedNanos, double random) {
        // The bound doubles with each attempt; 62 doublings of anything are beyond every maximum.
        int doublings =
                Math.min(attempts - 1, 62 - (64 - Long.numberOfLeadingZeros(backoffInitialNanos)));
        long bound = Math.min(backoffMaxNanos, backoffInitialNanos << Math.max(0, doublings));
        // After what was asked for, still a drawn wait: everybody was asked for the same.
        long delay = askedNanos + (long) (random * bound);
        return delay < 0 || delay >= budgetNanos - elapsedNanos ? GIVE_UP : delay;
    }

    /** How long the next attempt may take: never past the end of the budget. */
    long attemptNanos(long elapsedNanos) {
        return Math.max(0, Math.min(attemptTimeoutNanos, budgetNanos - elapsedNanos));
    }

    /** Whether an attempt of this length was shortened by the end of the budget. */
    boolean isCut(long attemptNanos) {
        return attemptNanos < attemptTimeoutNanos;
    }
}
