package dev.drey.flink.async;

import java.util.Objects;
import javax.annotation.Nullable;

/**
 * A record and what became of its call. A Flink POJO with nullable fields; not changed after it was
 * emitted.
 *
 * @param <IN> the record
 * @param <OUT> the result of the Go function
 */
public final class GoResult<IN, OUT> {
    private IN input;
    @Nullable private OUT value;
    @Nullable private String id;
    private int attempts;
    private long latencyMicros;
    @Nullable private GoError error;

    /** For Flink's serializer. */
    public GoResult() {}

    GoResult(
            IN input,
            @Nullable OUT value,
            @Nullable String id,
            int attempts,
            long latencyMicros,
            @Nullable GoError error) {
        this.input = input;
        this.value = value;
        this.id = id;
        this.attempts = attempts;
        this.latencyMicros = latencyMicros;
        this.error = error;
    }

    /** The record that was sent. */
    public IN input() {
        return input;
    }

    /** What the function returned; null when the call failed. */
    @Nullable
    public OUT value() {
        return value;
    }

    /** The id that was sent with the event; null when the function was built without one. */
    @Nullable
    public String id() {
        return id;
    }

    /** Requests that were sent for the record; 0 when it could not even be encoded. */
    public int attempts() {
        return attempts;
    }

    /** From the arrival of the record to the end of its call, retries included; microseconds. */
    public long latencyMicros() {
        return latencyMicros;
    }

    /** Why there is no value; null when there is one. */
    @Nullable
    public GoError error() {
        return error;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof GoResult)) {
            return false;
        }
        GoResult<?, ?> that = (GoResult<?, ?>) other;
        return Objects.equals(input, that.input)
                && Objects.equals(value, that.value)
                && Objects.equals(id, that.id)
                && attempts == that.attempts
                && latencyMicros == that.latencyMicros
                && Objects.equals(error, that.error);
    }

    @Override
    public int hashCode() {
        return Objects.hash(input, value, id, error);
    }

    @Override
    public String toString() {
        return "GoResult{input="
                + input
                + (error == null ? ", value=" + value : ", error=" + error)
                + '}';
    }
}
