package dev.drey.flink.jobs.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.flink.streaming.api.functions.sink.legacy.SinkFunction;
import org.apache.flink.table.data.RowData;

/**
 * A sink that drops what it gets, and counts it: after a warm-up, over a given time. It is of the
 * same old kind as the connector {@code blackhole}, and as with that the whole query is one chain
 * of operators: Flink chains no newer sink to the connector {@code datagen}. It shares the JVM with
 * the program that waits for {@link #reading()}: one a JVM.
 */
@SuppressWarnings("deprecation") // as blackhole's
final class Meter implements SinkFunction<RowData> {
    private static final long serialVersionUID = 1L;

    /** Rows between two looks at the clock. */
    private static final int STRIDE = 64;

    private static final CompletableFuture<Reading> READING = new CompletableFuture<>();

    private final long warmupNanos;
    private final long nanos;

    // Of the one copy that runs.
    private long rows;
    private long firstAt;
    private long beganAt;
    private long rowsBefore;
    private double cpuBefore;
    private boolean done;

    /**
     * @param warmupSeconds from the first row on
     * @param seconds measured after that
     */
    Meter(double warmupSeconds, double seconds) {
        this.warmupNanos = (long) (warmupSeconds * TimeUnit.SECONDS.toNanos(1));
        this.nanos = (long) (seconds * TimeUnit.SECONDS.toNanos(1));
    }

    /** A sink that measures nothing. */
    static Meter none() {
        return new Meter(Integer.MAX_VALUE, 0);
    }

    /** What was measured, when it is. */
    static CompletableFuture<Reading> reading() {
        return READING;
    }

    @Override
    public void invoke(RowData row, Context context) throws IOException {
        if (++rows % STRIDE == 1 && !done) {
            look();
        }
    }

    private void look() throws IOException {
        long now = System.nanoTime();
        if (firstAt == 0) {
            firstAt = now;
        } else if (beganAt == 0 && now - firstAt >= warmupNanos) {
            rowsBefore = rows;
            cpuBefore = cpuSeconds();
            beganAt = System.nanoTime();
        } else if (beganAt != 0 && now - beganAt >= nanos) {
            done = true;
            READING.complete(
                    new Reading(
                            rows - rowsBefore, (now - beganAt) / 1e9, cpuSeconds() - cpuBefore));
        }
    }

    /** Rows over a time, and the processor time of this JVM and its children meanwhile. */
    static final class Reading {
        final long rows;
        final double seconds;
        final double cpuSeconds;

        Reading(long rows, double seconds, double cpuSeconds) {
            this.rows = rows;
            this.seconds = seconds;
            this.cpuSeconds = cpuSeconds;
        }
    }

    /** Of this process and those below it (Python's workers), all threads; from Linux's /proc. */
    static double cpuSeconds() throws IOException {
        double sum = cpuSeconds(ProcessHandle.current());
        for (Object child : ProcessHandle.current().descendants().toArray()) {
            sum += cpuSeconds((ProcessHandle) child);
        }
        return sum;
    }

    private static double cpuSeconds(ProcessHandle process) throws IOException {
        Path stat = Path.of("/proc", Long.toString(process.pid()), "stat");
        if (!Files.exists(stat)) {
            return 0; // it has just ended
        }
        String text = Files.readString(stat);
        String[] fields = text.substring(text.lastIndexOf(')') + 2).split(" ");
        double ticks = Double.parseDouble(fields[11]) + Double.parseDouble(fields[12]);
        return ticks / 100; // of 10 ms
    }
}
