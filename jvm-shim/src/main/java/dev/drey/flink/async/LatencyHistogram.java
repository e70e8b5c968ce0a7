package dev.drey.flink.async;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.HistogramStatistics;

/**
 * A histogram with logarithmic buckets, 16 for each doubling: values are right to 1/16, memory is
 * constant, an update is one addition. Safe for use by several threads.
 *
 * <p>Statistics are of the last one to two windows, so that they show the present and not the hour
 * before; the count is of all. (Flink's DescriptiveStatisticsHistogram keeps single values and is
 * internal.)
 */
final class LatencyHistogram implements Histogram {
    private static final int SUB_BITS = 4;
    private static final int SUB = 1 << SUB_BITS;
    private static final int BUCKETS = (63 - SUB_BITS) * SUB + SUB;

    private final long windowNanos;
    private final LongSupplier clock;
    private final LongAdder count = new LongAdder();
    private final AtomicLong windowStart;
    private volatile AtomicLongArray present = new AtomicLongArray(BUCKETS);
    private volatile AtomicLongArray past = new AtomicLongArray(BUCKETS);

    LatencyHistogram(long windowNanos, LongSupplier clock) {
        this.windowNanos = windowNanos;
        this.clock = clock;
        this.windowStart = new AtomicLong(clock.getAsLong());
    }

    @Override
    public void update(long value) {
        rotate();
        count.increment();
        present.getAndIncrement(bucket(Math.max(0, value)));
    }

    // An update that meets a rotation may land in the window before: it is counted all the same.
    private void rotate() {
        long start = windowStart.get();
        long now = clock.getAsLong();
        if (now - start >= windowNanos && windowStart.compareAndSet(start, now)) {
            past = now - start >= 2 * windowNanos ? new AtomicLongArray(BUCKETS) : present;
            present = new AtomicLongArray(BUCKETS);
        }
    }

    @Override
    public long getCount() {
        return count.sum();
    }

    @Override
    public HistogramStatistics getStatistics() {
        rotate();
        long[] counts = new long[BUCKETS];
        AtomicLongArray before = past;
        AtomicLongArray now = present;
        for (int i = 0; i < BUCKETS; i++) {
            counts[i] = before.get(i) + (now == before ? 0 : now.get(i));
        }
        return new Statistics(counts);
    }

    /** Values below 16 have a bucket each; above, the four bits after the leading one choose. */
    static int bucket(long value) {
        if (value < SUB) {
            return (int) value;
        }
        int shift = 63 - Long.numberOfLeadingZeros(value) - SUB_BITS;
        return (shift + 1) * SUB + (int) (value >>> shift) - SUB;
    }

    /** The middle of a bucket. */
    static long middle(int bucket) {
        if (bucket < SUB) {
            return bucket;
        }
        int shift = bucket / SUB - 1;
        long lowest = (long) (SUB + bucket % SUB) << shift;
        return lowest + ((1L << shift) - 1) / 2;
    }

    private static final class Statistics extends HistogramStatistics {
        private final long[] counts;
        private final long total;

        Statistics(long[] counts) {
            this.counts = counts;
            long sum = 0;
            for (long n : counts) {
                sum += n;
            }
            total = sum;
        }

        @Override
        public double getQuantile(double quantile) {
            if (total == 0) {
                return Double.NaN;
            }
            long rank = Math.max(1, (long) Math.ceil(Math.min(1, Math.max(0, quantile)) * total));
            long seen = 0;
            for (int i = 0; i < counts.length; i++) {
                seen += counts[i];
                if (seen >= rank) {
                    return middle(i);
                }
            }
            return Double.NaN;
        }

        /** One value for each bucket in use: the single values are not kept. */
        @Override
        public long[] getValues() {
            int used = 0;
            for (long n : counts) {
                used += n > 0 ? 1 : 0;
            }
            long[] values = new long[used];
            for (int i = 0, next = 0; i < counts.length; i++) {
                if (counts[i] > 0) {
                    values[next++] = middle(i);
                }
            }
            return values;
        }

        @Override
        public int size() {
            return (int) Math.min(Integer.MAX_VALUE, total);
        }

        @Override
        public double getMean() {
            double sum = 0;
            for (int i = 0; i < counts.length; i++) {
                sum += (double) counts[i] * middle(i);
            }
            return total == 0 ? Double.NaN : sum / total;
        }

        @Override
        public double getStdDev() {
            double mean = getMean();
            double squares = 0;
            for (int i = 0; i < counts.length; i++) {
                double distance = middle(i) - mean;
                squares += counts[i] * distance * distance;
            }
            return total == 0 ? Double.NaN : Math.sqrt(squares / total);
        }

        @Override
        public long getMax() {
            return total == 0 ? 0 : (long) getQuantile(1);
        }

        @Override
        public long getMin() {
            return total == 0 ? 0 : (long) getQuantile(0);
        }
    }
}
