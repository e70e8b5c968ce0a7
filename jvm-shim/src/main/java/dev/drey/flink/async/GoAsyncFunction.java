package dev.drey.flink.async;

import dev.drey.flink.async.client.Call;
import dev.drey.flink.async.client.Failure;
import dev.drey.flink.async.client.GoCallException;
import dev.drey.flink.async.client.GoClient;
import dev.drey.flink.async.state.GoSession;
import dev.drey.flink.async.state.Place;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;
import org.apache.flink.util.function.SerializableFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls a Go function for each record, without blocking: one {@code POST /evaluate}, retried within
 * its budget. Wire it with {@link GoAsync}.
 *
 * <p>The event is written in {@link #asyncInvoke}, on the task thread, so records may be reused by
 * Flink afterwards. Results arrive on the client's threads. Every {@link ResultFuture} is completed
 * exactly once: with a result, by the {@link OnError} choice, or, when the task ends, with nothing
 * (the record is in the checkpoint and is sent again).
 *
 * @param <IN> the record
 * @param <OUT> what the function's result is read into: a Flink POJO, to be cheap on the way
 *     downstream
 */
public final class GoAsyncFunction<IN, OUT> extends RichAsyncFunction<IN, GoResult<IN, OUT>> {
    private static final long serialVersionUID = 1L;
    private static final Logger LOG = LoggerFactory.getLogger(GoAsyncFunction.class);

    private final String function;
    private final String name;
    private final Class<OUT> resultClass;
    private final TypeInformation<OUT> resultType;
    @Nullable private final SerializableFunction<IN, String> id;
    @Nullable private final SerializableFunction<IN, ?> event;
    private final GoAsyncSettings settings;

    private transient GoClient client;
    private transient GoCodec<OUT> codec;
    private transient GoMetrics metrics;
    private transient Map<ResultFuture<GoResult<IN, OUT>>, Pending> pending;

    private GoAsyncFunction(Builder<IN, OUT> builder, GoAsyncSettings settings) {
        this.function = builder.function;
        this.name = builder.name;
        this.resultClass = builder.resultClass;
        this.resultType = builder.resultType;
        this.id = builder.id;
        this.event = builder.event;
        this.settings = settings;
    }

    /**
     * Begins a function.
     *
     * @param function the name under which it is registered in Go
     * @param result what its result is read into, by Jackson; unknown fields are ignored
     */
    public static <IN, OUT> Builder<IN, OUT> builder(String function, Class<OUT> result) {
        return new Builder<>(function, result);
    }

    @Override
    public void open(OpenContext context) {
        pending = new ConcurrentHashMap<>();
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        String job = getRuntimeContext().getJobInfo().getJobId().toHexString();
        codec = new GoCodec<>(function, resultClass, job, subtask);
        client = GoClient.acquire(settings.url(subtask), settings.maxAnswerBytes());
        metrics = new GoMetrics(getRuntimeContext().getMetricGroup(), pending::size);
    }

    @Override
    public void asyncInvoke(IN input, ResultFuture<GoResult<IN, OUT>> result) {
        invoke(input, null, null, result);
    }

    /**
     * Begins a call.
     *
     * @param given the id, if the record has one already
     * @param place of the state that the call is for, null for a call without state
     */
    void invoke(
            IN input,
            @Nullable String given,
            @Nullable Place place,
            ResultFuture<GoResult<IN, OUT>> result) {
        String key = given;
        byte[] request;
        try {
            if (key == null && id != null) {
                key = id.apply(input);
            }
            if (key == null && place != null) {
                throw new IllegalArgumentException(
                        "id(...) is null for a record; a call with state needs one");
            }
            request = codec.request(key, place, event == null ? input : event.apply(input));
        } catch (Exception
                | StackOverflowError
                        e) { // the user's lambdas, and Jackson on a record that holds itself
            String detail = e.getMessage() == null ? e.toString() : e.getMessage();
            Failure failure = Failure.permanent(Failure.BAD_EVENT, detail, e);
            fail(input, key, place, result, GoCallException.of(function, failure, 0), 0, 0);
            return;
        }
        Call<OUT> call =
                client.call(
                        function, request, codec.answerTo(key), settings.retryPolicy(), metrics);
        Pending entry = new Pending(input, key, place, result, call);
        pending.put(result, entry);
        call.future().whenComplete(entry);
    }

    /** A record in flight. Whoever takes it out of {@link #pending} completes its future. */
    private final class Pending implements BiConsumer<OUT, Throwable> {
        private final IN input;
        @Nullable private final String key;
        @Nullable private final Place place;
        private final ResultFuture<GoResult<IN, OUT>> result;
        private final Call<OUT> call;

        Pending(
                IN input,
                @Nullable String key,
                @Nullable Place place,
                ResultFuture<GoResult<IN, OUT>> result,
                Call<OUT> call) {
            this.input = input;
            this.key = key;
            this.place = place;
            this.result = result;
            this.call = call;
        }

        @Override
        public void accept(@Nullable OUT value, @Nullable Throwable failure) {
            if (!pending.remove(result, this)) {
                return;
            }
            long micros = call.elapsedNanos() / 1000;
            metrics.latency(micros);
            if (failure == null) {
                emit(
                        place,
                        result,
                        new GoResult<>(input, value, key, call.attempts(), micros, null));
            } else {
                fail(input, key, place, result, failure, call.attempts(), micros);
            }
        }
    }

    private void fail(
            IN input,
            @Nullable String key,
            @Nullable Place place,
            ResultFuture<GoResult<IN, OUT>> result,
            Throwable failure,
            int attempts,
            long micros) {
        metrics.error();
        // Without its session no record may go on, or the state would lack it: Flink has to
        // restore.
        if (settings.onError() == OnError.FAIL || GoSession.isFatal(failure)) {
            LOG.warn("call failed, the job is going to fail: {}", failure.getMessage());
            safely(() -> result.completeExceptionally(failure));
            return;
        }
        LOG.debug("call failed: {}", failure.getMessage());
        emit(
                place,
                result,
                new GoResult<>(input, null, key, attempts, micros, GoError.of(failure)));
    }

    private void emit(
            @Nullable Place place,
            ResultFuture<GoResult<IN, OUT>> result,
            GoResult<IN, OUT> value) {
        if (place != null) {
            place.answered();
        }
        safely(() -> result.complete(Collections.singletonList(value)));
    }

    // A task that is ending refuses what comes late; the record is in its checkpoint.
    private static void safely(Runnable completion) {
        try {
            completion.run();
        } catch (RuntimeException e) {
            LOG.debug("the task no longer takes results", e);
        }
    }

    /** The net under the client's own budget. By the on-error choice, like any other failure. */
    @Override
    public void timeout(IN input, ResultFuture<GoResult<IN, OUT>> result) {
        Pending entry = pending.remove(result);
        if (entry == null) {
            return; // its result is on the way
        }
        Call<OUT> call = entry.call;
        long micros = call.elapsedNanos() / 1000;
        String detail =
                "no answer within drey.async.timeout, " + settings.timeout().toMillis() + " ms";
        Failure failure = Failure.permanent(Failure.FLINK_TIMEOUT, detail, null);
        call.cancel(failure);
        metrics.latency(micros);
        GoCallException reason = GoCallException.of(function, failure, call.attempts());
        fail(input, entry.key, entry.place, result, reason, call.attempts(), micros);
    }

    /**
     * Ends the calls in flight. Their futures are completed with nothing: an exception would fail a
     * job that is just being stopped with a savepoint, and the records are in it.
     */
    @Override
    public void close() {
        if (client == null) {
            return;
        }
        Failure failure = Failure.permanent(Failure.CLOSED, "the task was stopped", null);
        for (Pending entry : pending.values()) {
            if (pending.remove(entry.result, entry)) {
                entry.call.cancel(failure);
                safely(() -> entry.result.complete(Collections.emptyList()));
            }
        }
        client.close();
        client = null;
    }

    /** What it runs with. */
    public GoAsyncSettings settings() {
        return settings;
    }

    GoMetrics metrics() {
        return metrics;
    }

    @Nullable
    SerializableFunction<IN, String> id() {
        return id;
    }

    /** The operator's name and uid. */
    String name() {
        return name;
    }

    TypeInformation<OUT> resultType() {
        return resultType;
    }

    /**
     * Says what to call and how.
     *
     * @param <IN> the record
     * @param <OUT> the result
     */
    public static final class Builder<IN, OUT> {
        private final String function;
        private final Class<OUT> resultClass;
        private TypeInformation<OUT> resultType;
        private String name;
        private OnError onError = GoAsyncOptions.ON_ERROR.defaultValue();
        @Nullable private SerializableFunction<IN, String> id;
        @Nullable private SerializableFunction<IN, ?> event;

        private Builder(String function, Class<OUT> resultClass) {
            if (function.trim().isEmpty()) {
                throw new IllegalArgumentException(
                        "the function has no name; list them with: drey functions");
            }
            this.function = function;
            this.resultClass = resultClass;
            this.name = "go-" + function;
        }

        /**
         * The idempotency key: the same record gives the same key after a restore, another record
         * another key. The sidecar answers a key it knows from memory. Null for a record: without.
         */
        public Builder<IN, OUT> id(SerializableFunction<IN, String> id) {
            this.id = id;
            return this;
        }

        /** What is sent, written as JSON by Flink's Jackson. Without it: the record itself. */
        public Builder<IN, OUT> event(SerializableFunction<IN, ?> event) {
            this.event = event;
            return this;
        }

        /** What becomes of failed records, unless {@code drey.async.on-error} is configured. */
        public Builder<IN, OUT> onError(OnError onError) {
            this.onError = onError;
            return this;
        }

        /** Flink's type of the result, when its class does not say enough. */
        public Builder<IN, OUT> resultType(TypeInformation<OUT> type) {
            this.resultType = type;
            return this;
        }

        /**
         * Name and uid of the operator, {@code go-<function>} by default; differs when a job calls
         * a function twice.
         */
        public Builder<IN, OUT> name(String name) {
            this.name = name;
            return this;
        }

        /**
         * The function.
         *
         * @param config Flink's configuration with the job's arguments, see {@link
         *     GoAsync#configuration}
         * @throws IllegalArgumentException an option is wrong; says which to change
         */
        public GoAsyncFunction<IN, OUT> build(ReadableConfig config) {
            if (resultType == null) {
                resultType = TypeInformation.of(resultClass);
            }
            return new GoAsyncFunction<>(this, GoAsyncSettings.from(config, onError));
        }
    }
}
