package dev.drey.flink.jobs.flights;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.util.Collector;

/**
 * Reads lines of the data file. The first {@code events} of them, told by their number and not by
 * counting, so that a restore changes nothing; at most {@code rate} a second.
 *
 * <p>To keep the rate it makes the source wait, for at most one record's time (1 s at the slowest),
 * so that checkpoints are not held back for longer.
 */
public final class FlightReader implements FlatMapFunction<String, Flight> {
    private static final long serialVersionUID = 1L;
    private static final ObjectReader JSON =
            new ObjectMapper()
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .readerFor(Flight.class);

    private final long events;
    private final long stepNanos;
    private transient long due;

    /**
     * @param events how many; 0 for all
     * @param rate records a second; 0 for as fast as it goes
     */
    public FlightReader(long events, long rate) {
        this.events = events;
        this.stepNanos = rate == 0 ? 0 : TimeUnit.SECONDS.toNanos(1) / rate;
    }

    @Override
    public void flatMap(String line, Collector<Flight> out) throws IOException {
        Flight flight;
        try {
            flight = JSON.readValue(line);
        } catch (JsonProcessingException e) {
            throw new IOException(
                    "a line of --input-path is no flight: "
                            + e.getOriginalMessage()
                            + "; make the file again, for example with: scripts/demo --quick",
                    e);
        }
        if (events > 0 && flight.ordinal() > events) {
            return;
        }
        if (stepNanos > 0) {
            pace();
        }
        out.collect(flight);
    }

    private void pace() {
        long now = System.nanoTime();
        if (due == 0 || now - due > TimeUnit.SECONDS.toNanos(1)) {
            due = now; // begins, or was held back: what was missed is not made up for in a burst
        }
        long wait = due - now;
        while (wait > 0 && !Thread.currentThread().isInterrupted()) {
            LockSupport.parkNanos(wait);
            wait = due - System.nanoTime();
        }
        due += stepNanos;
    }
}
