package dev.drey.flink.async;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.metrics.HistogramStatistics;
import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
    private final AtomicLong clock = new AtomicLong(-5_000_000_000L);
    private final LatencyHistogram histogram = new LatencyHistogram(1000, clock::get);

    @Test
    void bucketsAreInOrderAndNarrow() {
        int before = -1;
        for (long value = 0; value < 1 << 20; value++) {
            int bucket = LatencyHistogram.bucket(value);
            assertThat(bucket).isBetween(before, before + 1);
            assertThat(Math.abs(LatencyHistogram.middle(bucket) - value))
                    .isLessThanOrEqualTo(value / 16);
            before = bucket;
        }
        assertThat(
                        LatencyHistogram.bucket(
                                LatencyHistogram.middle(LatencyHistogram.bucket(Long.MAX_VALUE))))
                .isEqualTo(LatencyHistogram.bucket(Long.MAX_VALUE));
    }

    @Test
    void quantilesAreRightToASixteenth() {
        Random random = new Random(1);
        long[] values = new long[10_000];
        for (int i = 0; i < values.length; i++) {
            values[i] = (long) Math.exp(5 + 2 * random.nextGaussian());
            histogram.update(values[i]);
        }
        Arrays.sort(values);
        HistogramStatistics statistics = histogram.getStatistics();
        for (double q : new double[] {0.01, 0.5, 0.9, 0.99, 0.999, 1}) {
            double exact = values[(int) Math.ceil(q * values.length) - 1];
            assertThat(statistics.getQuantile(q))
                    .isBetween(exact * 15 / 16 - 1, exact * 17 / 16 + 1);
        }
        double mean = Arrays.stream(values).average().getAsDouble();
        assertThat(statistics.getMean()).isBetween(mean * 0.97, mean * 1.03);
        assertThat(statistics.getStdDev()).isPositive();
        assertThat(statistics.size()).isEqualTo(10_000);
        assertThat(statistics.getMin()).isLessThanOrEqualTo(statistics.getMax());
        assertThat(statistics.getValues()).isSorted();
    }

    @Test
    void forgetsWhatIsTwoWindowsOldButNotTheCount() {
        histogram.update(10);
        clock.addAndGet(1000);
        histogram.update(20);
        assertThat(histogram.getStatistics().size()).isEqualTo(2);
        clock.addAndGet(1000);
        assertThat(histogram.getStatistics().size()).isEqualTo(1);
        assertThat(histogram.getStatistics().getMin()).isEqualTo(20);
        clock.addAndGet(5000);
        assertThat(histogram.getStatistics().size()).isZero();
        assertThat(histogram.getCount()).isEqualTo(2);
    }

    @Test
    void anEmptyOneSaysSo() {
        HistogramStatistics statistics = histogram.getStatistics();
        assertThat(statistics.getQuantile(0.5)).isNaN();
        assertThat(statistics.getMean()).isNaN();
        assertThat(statistics.getMax()).isZero();
        assertThat(statistics.getValues()).isEmpty();
        histogram.update(-3); // a clock that went back
        assertThat(histogram.getStatistics().getMax()).isZero();
    }

    @Test
    void losesNoUpdateOfManyThreads() throws Exception {
        Thread[] threads = new Thread[4];
        for (int t = 0; t < threads.length; t++) {
            threads[t] =
                    new Thread(
                            () -> {
                                for (int i = 0; i < 20_000; i++) {
                                    histogram.update(i);
                                }
                            });
            threads[t].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(histogram.getCount()).isEqualTo(80_000);
        assertThat(histogram.getStatistics().size()).isEqualTo(80_000);
    }
}
