package dev.drey.flink.async;

import dev.drey.flink.async.state.GoStateOperatorFactory;
import dev.drey.flink.async.state.Identified;
import dev.drey.flink.async.state.Keys;
import dev.drey.flink.async.state.SessionSettings;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.typeutils.TypeExtractor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.AsyncDataStream;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.apache.flink.util.ParameterTool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts a {@link GoAsyncFunction} into a job. */
public final class GoAsync {
    private static final Logger LOG = LoggerFactory.getLogger(GoAsync.class);

    private GoAsync() {}

    /**
     * Flink's configuration (of the cluster, the job, {@code -D}) and over it the {@code --drey.*}
     * arguments of the program.
     *
     * @param args {@code --key value} pairs; keys that do not begin with {@code drey.} are left to
     *     the job
     */
    public static Configuration configuration(StreamExecutionEnvironment env, String... args) {
        Configuration config = Configuration.fromMap(env.getConfiguration().toMap());
        ParameterTool.fromArgs(args)
                .toMap()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith("drey.")) {
                                config.setString(key, value);
                            }
                        });
        return config;
    }

    /**
     * Calls the function for each record; results in the order that {@code drey.async.ordered}
     * says.
     */
    public static <IN, OUT> Streams<IN, OUT> wait(
            DataStream<IN> stream, GoAsyncFunction<IN, OUT> function) {
        return wire(stream, function, function.settings().ordered());
    }

    /** Calls the function for each record; results as they come, but never across a watermark. */
    public static <IN, OUT> Streams<IN, OUT> unorderedWait(
            DataStream<IN> stream, GoAsyncFunction<IN, OUT> function) {
        return wire(stream, function, false);
    }

    /** Calls the function for each record; results in the order of the records. */
    public static <IN, OUT> Streams<IN, OUT> orderedWait(
            DataStream<IN> stream, GoAsyncFunction<IN, OUT> function) {
        return wire(stream, function, true);
    }

    /**
     * Calls a function with state: of each record the state of its key. It is exactly as old as the
     * checkpoint that the job is restored from, wherever it is restored. The sidecar needs {@code
     * state.enabled} and {@code state.store}.
     *
     * <p>Records of a key reach the function one by one, in the order of their arrival at the
     * sidecar: with several in flight that need not be the order of the stream. With {@code
     * id(...)} of the function each record must have an id of its own.
     *
     * @param key a string, a number or another basic type
     */
    public static <IN, K, OUT> Streams<IN, OUT> keyed(
            DataStream<IN> stream, KeySelector<IN, K> key, GoAsyncFunction<IN, OUT> function) {
        GoAsyncSettings settings = function.settings();
        StreamExecutionEnvironment env = stream.getExecutionEnvironment();
        TypeInformation<K> keyType = TypeExtractor.getKeySelectorTypes(key, stream.getType());
        Keys<IN> keys = new Keys<>(key, keyType);
        if (env.getCheckpointConfig().getTolerableCheckpointFailureNumber() <= 0) {
            LOG.warn(
                    "{}: when the store of Go's state is away checkpoints fail, and with"
                            + " execution.checkpointing.tolerable-failed-checkpoints at 0 the job with them;"
                            + " raise it",
                    function.name());
        }
        // Partitioned by key, and yet no keyed stream for Flink: it would set up a state backend
        // for keys that nobody uses.
        DataStream<IN> partitioned = new DataStream<>(env, stream.keyBy(key).getTransformation());
        DataStream<Identified<IN>> identified =
                partitioned
                        .map(new Identify<>(function.id()))
                        .returns(Identified.type(stream.getType()))
                        .name(function.name() + "-id")
                        .uid(function.name() + "-id");
        SessionSettings session =
                new SessionSettings(
                        function.name(),
                        settings::url,
                        settings.maxAnswerBytes(),
                        settings.retryPolicy(),
                        settings.restorePolicy(),
                        settings.capacity(),
                        settings.timeout().toMillis(),
                        settings.ordered()
                                ? AsyncDataStream.OutputMode.ORDERED
                                : AsyncDataStream.OutputMode.UNORDERED);
        SingleOutputStreamOperator<GoResult<IN, OUT>> calls =
                identified
                        .forward()
                        .transform(
                                function.name(),
                                resultType(stream.getType(), function.resultType()),
                                new GoStateOperatorFactory<>(
                                        new KeyedGoFunction<>(function, keys), session, keys));
        return split(calls, function);
    }

    private static <IN, OUT> Streams<IN, OUT> wire(
            DataStream<IN> stream, GoAsyncFunction<IN, OUT> function, boolean ordered) {
        GoAsyncSettings settings = function.settings();
        TypeInformation<GoResult<IN, OUT>> type =
                resultType(stream.getType(), function.resultType());
        long timeout = settings.timeout().toMillis();
        int capacity = settings.capacity();
        SingleOutputStreamOperator<GoResult<IN, OUT>> calls =
                ordered
                        ? AsyncDataStream.orderedWait(
                                stream, function, timeout, TimeUnit.MILLISECONDS, capacity)
                        : AsyncDataStream.unorderedWait(
                                stream, function, timeout, TimeUnit.MILLISECONDS, capacity);
        return split(calls.returns(type), function);
    }

    private static <IN, OUT> Streams<IN, OUT> split(
            SingleOutputStreamOperator<GoResult<IN, OUT>> calls,
            GoAsyncFunction<IN, OUT> function) {
        TypeInformation<GoResult<IN, OUT>> type = calls.getType();
        calls.name(function.name()).uid(function.name());
        // Always there, whatever the on-error choice: so it can be changed over a restore without
        // changing the graph.
        OutputTag<GoResult<IN, OUT>> failed = new OutputTag<>(function.name() + "-failed", type);
        boolean aside = function.settings().onError() == OnError.SIDE_OUTPUT;
        SingleOutputStreamOperator<GoResult<IN, OUT>> results =
                calls.process(new Split<>(failed, aside))
                        .returns(type)
                        .name(function.name() + "-split")
                        .uid(function.name() + "-split");
        return new Streams<>(results, results.getSideOutput(failed), function);
    }

    /**
     * Flink's type of a result: a POJO with the types of the record and the function's result in
     * it.
     */
    @SuppressWarnings({"unchecked", "rawtypes"})
    static <IN, OUT> TypeInformation<GoResult<IN, OUT>> resultType(
            TypeInformation<IN> input, TypeInformation<OUT> value) {
        Map<String, TypeInformation<?>> error = new HashMap<>();
        error.put("code", Types.STRING);
        error.put("detail", Types.STRING);
        error.put("status", Types.INT);
        error.put("retryable", Types.BOOLEAN);
        error.put("decisionId", Types.STRING);
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("input", input);
        fields.put("value", value);
        fields.put("id", Types.STRING);
        fields.put("attempts", Types.INT);
        fields.put("latencyMicros", Types.LONG);
        fields.put("error", Types.POJO(GoError.class, error));
        return (TypeInformation) Types.POJO(GoResult.class, fields);
    }

    /** Puts failed records aside. */
    private static final class Split<IN, OUT>
            extends ProcessFunction<GoResult<IN, OUT>, GoResult<IN, OUT>> {
        private static final long serialVersionUID = 1L;

        private final OutputTag<GoResult<IN, OUT>> failed;
        private final boolean aside;

        Split(OutputTag<GoResult<IN, OUT>> failed, boolean aside) {
            this.failed = failed;
            this.aside = aside;
        }

        @Override
        public void processElement(
                GoResult<IN, OUT> result, Context context, Collector<GoResult<IN, OUT>> out) {
            if (aside && result.error() != null) {
                context.output(failed, result);
            } else {
                out.collect(result);
            }
        }
    }

    /**
     * What comes out of the calls.
     *
     * @param <IN> the record
     * @param <OUT> the result
     */
    public static final class Streams<IN, OUT> {
        private final SingleOutputStreamOperator<GoResult<IN, OUT>> results;
        private final DataStream<GoResult<IN, OUT>> errors;
        private final GoAsyncFunction<IN, OUT> function;

        private Streams(
                SingleOutputStreamOperator<GoResult<IN, OUT>> results,
                DataStream<GoResult<IN, OUT>> errors,
                GoAsyncFunction<IN, OUT> function) {
            this.results = results;
            this.errors = errors;
            this.function = function;
        }

        /**
         * Each record with its result; with {@link OnError#NULL} also those that failed, without
         * one.
         */
        public DataStream<GoResult<IN, OUT>> results() {
            return results;
        }

        /** The results alone. */
        public DataStream<OUT> values() {
            return results.filter(result -> result.value() != null)
                    .name(function.name() + "-answered")
                    .uid(function.name() + "-answered")
                    .map(GoResult::value)
                    .returns(function.resultType())
                    .name(function.name() + "-values")
                    .uid(function.name() + "-values");
        }

        /**
         * The records that failed, each with its {@link GoResult#error()}; empty unless {@link
         * OnError#SIDE_OUTPUT}.
         */
        public DataStream<GoResult<IN, OUT>> errors() {
            return errors;
        }
    }
}
