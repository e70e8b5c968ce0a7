package dev.drey.flink.async.client;

/** Time and delayed work, so that tests can move the clock. */
interface Timer {
    /** A clock that only goes forward, in nanoseconds. */
    long nanoTime();

    /**
     * Runs a task later, on a thread of the timer; the task must not block.
     *
     * @return takes the task back, if it did not run yet
     * @throws java.util.concurrent.RejectedExecutionException after {@link #close()}
     */
    Runnable schedule(Runnable task, long delayNanos);

    /** Drops what was not run. */
    void close();
}
