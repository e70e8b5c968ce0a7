package dev.drey.flink.async;

import dev.drey.flink.async.client.CallObserver;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntSupplier;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What an operator counts, in its metric group {@code drey}: {@code requests, retries, shed,
 * errors} (records that failed for good), {@code inFlight} and the histogram {@code latencyMicros}
 * (a record's whole call); with state {@code markMicros} (how long a barrier held the task thread)
 * and {@code durableMillis} (from a barrier to its snapshot in the store). Updated by the client's
 * threads.
 */
final class GoMetrics implements CallObserver {
    private static final long WINDOW_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final AdderCounter requests = new AdderCounter();
    private final AdderCounter retries = new AdderCounter();
    private final AdderCounter shed = new AdderCounter();
    private final AdderCounter errors = new AdderCounter();
    private final LatencyHistogram latencyMicros =
            new LatencyHistogram(WINDOW_NANOS, System::nanoTime);

    private final LatencyHistogram markMicros =
            new LatencyHistogram(WINDOW_NANOS, System::nanoTime);
    private final LatencyHistogram durableMillis =
            new LatencyHistogram(WINDOW_NANOS, System::nanoTime);

    GoMetrics(MetricGroup operator, IntSupplier inFlight) {
        MetricGroup group = operator.addGroup("drey");
        group.counter("requests", requests);
        group.counter("retries", retries);
        group.counter("shed", shed);
        group.counter("errors", errors);
        group.gauge("inFlight", (Gauge<Integer>) inFlight::getAsInt);
        group.histogram("latencyMicros", latencyMicros);
        group.histogram("markMicros", markMicros);
        group.histogram("durableMillis", durableMillis);
    }

    @Override
    public void request() {
        requests.inc();
    }

    @Override
    public void retry() {
        retries.inc();
    }

    @Override
    public void shed() {
        shed.inc();
    }

    void error() {
        errors.inc();
    }

    void latency(long micros) {
        latencyMicros.update(micros);
    }

    void marked(long micros) {
        markMicros.update(micros);
    }

    void durable(long millis) {
        durableMillis.update(millis);
    }

    /** Flink's own counter is for one thread only. */
    private static final class AdderCounter implements Counter {
        private final LongAdder adder = new LongAdder();

        @Override
        public void inc() {
            adder.increment();
        }

        @Override
        public void inc(long n) {
            adder.add(n);
        }

        @Override
        public void dec() {
            adder.decrement();
        }

        @Override
        public void dec(long n) {
            adder.add(-n);
        }

        @Override
        public long getCount() {
            return adder.sum();
        }
    }
}
