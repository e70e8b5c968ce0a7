package dev.drey.flink.jobs;

import dev.drey.flink.jobs.state.HalfSource;
import dev.drey.flink.jobs.state.KnownKeys;
import dev.drey.flink.jobs.state.KnownLists;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A job whose state is known beforehand, for tests of what reads checkpoints: operator state of
 * every kind ({@link KnownLists}), keyed state of every kind under numbers and under texts ({@link
 * KnownKeys}), sources, and, with {@code --follow}, subtasks that have finished beside some that
 * have not. Record n is the number n; a checkpoint in which the operator {@code generated} has
 * finished holds the effects of all records.
 *
 * <pre>
 * --events N         how many records; 0 for ever
 * --rate N           records a second; 0 as fast as it goes
 * --follow true      the job goes on running after the last record
 * --keys N           how many keys
 * --large N          bytes of a large list entry
 * --pause N          ms that each record takes in by-number, so that others are in flight before it
 * --parallelism N    of all but the sources of records
 * </pre>
 *
 * The uids are generated, keep-open, lists, by-number, by-text (max parallelism 1000), half and
 * half-lists.
 */
public final class StateJob {
    private StateJob() {}

    /** Runs the job on the cluster it was submitted to. */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, args);
        env.execute("state");
    }

    static void define(StreamExecutionEnvironment env, String... args) {
        JobArguments arguments = JobArguments.parse(args, "keys", "large", "pause");
        if (arguments.parallelism() > 0) {
            env.setParallelism(arguments.parallelism());
        }
        long keys = arguments.count("keys", 300);
        int large = Math.toIntExact(arguments.count("large", 70_000));

        DataStream<Long> numbers =
                Sources.generated(
                                env,
                                arguments,
                                n -> n,
                                Long.class,
                                WatermarkStrategy.noWatermarks())
                        .rebalance()
                        .process(new KnownLists(large, true))
                        .returns(Types.LONG)
                        .name("lists")
                        .uid("lists");
        numbers.keyBy(n -> n % keys, Types.LONG)
                .process(new KnownKeys<>(keys, arguments.count("pause", 0)), Types.VOID)
                .name("by-number")
                .uid("by-number");
        numbers.keyBy(n -> "key-" + n % keys, Types.STRING)
                .process(new KnownKeys<>(keys, 0), Types.VOID)
                .name("by-text")
                .uid("by-text")
                .setMaxParallelism(1000);
        if (arguments.follow()) {
            half(env, large);
        }
    }

    @SuppressWarnings("deprecation") // see HalfSource
    private static void half(StreamExecutionEnvironment env, int large) {
        env.addSource(new HalfSource(), Types.LONG)
                .name("half")
                .uid("half")
                .process(new KnownLists(large, false))
                .returns(Types.LONG)
                .name("half-lists")
                .uid("half-lists");
    }
}
