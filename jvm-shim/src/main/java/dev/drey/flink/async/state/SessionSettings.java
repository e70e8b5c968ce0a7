package dev.drey.flink.async.state;

import dev.drey.flink.async.client.RetryPolicy;
import java.io.Serializable;
import java.net.URI;
import org.apache.flink.streaming.api.datastream.AsyncDataStream.OutputMode;
import org.apache.flink.util.function.SerializableFunction;

/** What an operator with state runs with. Immutable; travels to the TaskManagers. */
public final class SessionSettings implements Serializable {
    private static final long serialVersionUID = 1L;

    final String operator;
    final SerializableFunction<Integer, URI> url;
    final int maxAnswerBytes;
    final RetryPolicy policy;
    final RetryPolicy restorePolicy;
    final int capacity;
    final long timeout;
    final OutputMode mode;

    /**
     * @param operator uid of the operator
     * @param url of the sidecar, by the index of the subtask
     * @param timeout Flink's, in ms
     */
    public SessionSettings(
            String operator,
            SerializableFunction<Integer, URI> url,
            int maxAnswerBytes,
            RetryPolicy policy,
            RetryPolicy restorePolicy,
            int capacity,
            long timeout,
            OutputMode mode) {
        this.operator = operator;
        this.url = url;
        this.maxAnswerBytes = maxAnswerBytes;
        this.policy = policy;
        this.restorePolicy = restorePolicy;
        this.capacity = capacity;
        this.timeout = timeout;
        this.mode = mode;
    }
}
