package dev.drey.flink.udf;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.junit.jupiter.api.Test;

class CallMetricsTest {
    /** A group that keeps its metrics by their full names. */
    private static final class Group extends UnregisteredMetricsGroup {
        private final String path;
        private final Map<String, Metric> metrics;

        Group(String path, Map<String, Metric> metrics) {
            this.path = path;
            this.metrics = metrics;
        }

        @Override
        public MetricGroup addGroup(String name) {
            return new Group(path + name + ".", metrics);
        }

        @Override
        public MetricGroup addGroup(String key, String value) {
            return addGroup(key).addGroup(value);
        }

        @Override
        public <C extends Counter> C counter(String name, C counter) {
            metrics.put(path + name, counter);
            return counter;
        }

        @Override
        public <T, G extends Gauge<T>> G gauge(String name, G gauge) {
            metrics.put(path + name, gauge);
            return gauge;
        }
    }

    private final Map<String, Metric> registered = new HashMap<>();
    private final CallMetrics metrics =
            new CallMetrics(new Group("", registered), "score", () -> 2);

    @Test
    void callsAndErrorsAreCountedPerFunction() {
        for (int i = 0; i < 1000; i++) {
            long begin = metrics.begin();
            if (i % 100 == 7) {
                metrics.error();
            }
            metrics.end(begin);
        }

        assertThat(counter("calls")).isEqualTo(1000);
        assertThat(counter("errors")).isEqualTo(10);
        assertThat(gauge("runtimes")).isEqualTo(2);
    }

    @Test
    void someCallsAreTimed() {
        assertThat(nanos()).isZero();
        int timed = 0;
        for (int i = 0; i < 1280; i++) {
            long begin = metrics.begin();
            timed += begin == 0 ? 0 : 1;
            metrics.end(begin);
        }

        assertThat(timed).isEqualTo(10);
        assertThat(nanos()).isPositive();
    }

    private long counter(String name) {
        return ((Counter) registered.get("drey.function.score." + name)).getCount();
    }

    private double nanos() {
        return (Double) gauge("callNanos");
    }

    private Object gauge(String name) {
        return ((Gauge<?>) registered.get("drey.function.score." + name)).getValue();
    }
}
