package dev.drey.flink.jobs;

import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiter;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Generated streams: record N is a function of N, so a restored source goes on exactly where it
 * was.
 */
final class Sources {
    private Sources() {}

    /**
     * A generated stream.
     *
     * @param time watermarks and timestamps
     */
    static <T> DataStream<T> generated(
            StreamExecutionEnvironment env,
            JobArguments arguments,
            GeneratorFunction<Long, T> generator,
            Class<T> type,
            WatermarkStrategy<T> time) {
        long events = arguments.events() == 0 ? Long.MAX_VALUE : arguments.events();
        RateLimiterStrategy<?> rate =
                arguments.rate() == 0
                        ? RateLimiterStrategy.noOp()
                        : RateLimiterStrategy.perSecond(arguments.rate());
        TypeInformation<T> information = TypeInformation.of(type);
        DataStream<T> stream =
                env.fromSource(
                                new DataGeneratorSource<>(generator, events, rate, information),
                                time,
                                "generated")
                        .uid("generated")
                        // Several would each begin somewhere else in time.
                        .setParallelism(1);
        return arguments.follow() ? open(env, stream, generator, information) : stream;
    }

    /**
     * The same stream, but it never ends: a second source that never has a record keeps the job
     * running.
     */
    private static <T> DataStream<T> open(
            StreamExecutionEnvironment env,
            DataStream<T> stream,
            GeneratorFunction<Long, T> generator,
            TypeInformation<T> type) {
        RateLimiterStrategy<?> never = parallelism -> new Never<>();
        DataStream<T> silent =
                env.fromSource(
                                new DataGeneratorSource<>(generator, Long.MAX_VALUE, never, type),
                                WatermarkStrategy.forGenerator(context -> new EndOfTime<>()),
                                "keep-open")
                        .uid("keep-open")
                        .setParallelism(1)
                        // A rate limiter is asked only after the first record.
                        .filter(record -> false)
                        .name("keep-open-filter")
                        .uid("keep-open-filter")
                        .setParallelism(1);
        return stream.union(silent);
    }

    private static final class Never<S extends SourceSplit> implements RateLimiter<S> {
        @Override
        public CompletableFuture<Void> acquire(int permits) {
            return new CompletableFuture<>();
        }
    }

    /** Does not hold back the watermarks of the stream it is joined to. */
    private static final class EndOfTime<T> implements WatermarkGenerator<T> {
        @Override
        public void onEvent(T event, long timestamp, WatermarkOutput output) {}

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {
            output.emitWatermark(Watermark.MAX_WATERMARK);
        }
    }
}
