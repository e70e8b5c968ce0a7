package dev.drey.flink.async.client;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;

/** A clock that a test moves. Tasks run on the test's thread. */
final class ManualTimer implements Timer {
    private static final class Task {
        final long at;
        final Runnable work;

        Task(long at, Runnable work) {
            this.at = at;
            this.work = work;
        }
    }

    private final List<Task> tasks = new ArrayList<>();
    private long now = 1_000_000_007L; // a clock's zero means nothing
    private boolean closed;

    @Override
    public long nanoTime() {
        return now;
    }

    @Override
    public Runnable schedule(Runnable task, long delayNanos) {
        if (closed) {
            throw new RejectedExecutionException("closed");
        }
        Task entry = new Task(now + delayNanos, task);
        tasks.add(entry);
        return () -> tasks.remove(entry);
    }

    @Override
    public void close() {
        closed = true;
        tasks.clear();
    }

    int waiting() {
        return tasks.size();
    }

    /** Moves to the next task and runs it; says how far that was, or -1 if nothing waits. */
    long runNext() {
        Task next = tasks.stream().min(Comparator.comparingLong(t -> t.at)).orElse(null);
        if (next == null) {
            return -1;
        }
        long moved = next.at - now;
        tasks.remove(next);
        now = Math.max(now, next.at);
        next.work.run();
        return moved;
    }

    void advance(long nanos) {
        now += nanos;
    }
}
