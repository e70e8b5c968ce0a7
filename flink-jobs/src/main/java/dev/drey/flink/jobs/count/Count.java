package dev.drey.flink.jobs.count;

/** What the Go function {@code count} answers. A Flink POJO. */
public final class Count {
    /** The number of the event among those of its key, from 1 on. */
    public long count;
}
