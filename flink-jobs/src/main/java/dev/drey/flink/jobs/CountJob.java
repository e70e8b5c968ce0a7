package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoAsyncFunction;
import dev.drey.flink.async.GoResult;
import dev.drey.flink.jobs.count.Count;
import dev.drey.flink.jobs.count.Event;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The smallest job with state in Go: the function {@code count} counts the events of each key in
 * the sidecar, and the counts go to files, exactly once. Whatever happens to the job, to the
 * sidecar and to its store, the counts of each key are 1, 2, 3... without gap or repetition.
 *
 * <pre>
 * --output-path PATH  of the files; their lines are key,id,count,life
 * --events N          how many events; 0 for ever
 * --rate N            events a second; 0 as fast as it goes
 * --keys N            how many keys (100)
 * --life N            written into each line, to tell submissions of the job apart (1)
 * --ids of-events|generated   each event's own id for its call, or one that is made up for each attempt
 * --follow true       go on running after the last event
 * --parallelism N     of all but the source
 * --drey.sidecar.url URL, --drey.async...   over Flink's configuration
 * </pre>
 *
 * The sidecar needs {@code --state-enabled --state-store URL}.
 */
public final class CountJob {
    private CountJob() {}

    /** Runs the job on the cluster it was submitted to. */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, args);
        env.execute("count");
    }

    static void define(StreamExecutionEnvironment env, String... args) {
        JobArguments arguments = JobArguments.parse(args, "keys", "life", "ids");
        if (arguments.parallelism() > 0) {
            env.setParallelism(arguments.parallelism());
        }
        long keys = Math.max(1, arguments.count("keys", 100));
        long life = arguments.count("life", 1);

        DataStream<Event> events =
                Sources.generated(
                        env,
                        arguments,
                        n -> new Event("key-" + n % keys, n),
                        Event.class,
                        WatermarkStrategy.<Event>forMonotonousTimestamps()
                                .withTimestampAssigner((event, before) -> event.id));

        GoAsyncFunction.Builder<Event, Count> builder =
                GoAsyncFunction.builder("count", Count.class);
        String ids = arguments.text("ids", "of-events");
        switch (ids) {
            case "of-events":
                builder.id(event -> "event-" + event.id);
                break;
            case "generated":
                break;
            default:
                throw new IllegalArgumentException(
                        "--ids " + ids + ", must be of-events or generated");
        }
        GoAsyncFunction<Event, Count> count = builder.build(GoAsync.configuration(env, args));
        GoAsync.keyed(events, event -> event.key, count)
                .results()
                .map(counted -> line(counted, life))
                .returns(Types.STRING)
                .name("lines")
                .uid("lines")
                .sinkTo(Decisions.files(arguments.outputPath()))
                .name("counts")
                .uid("counts");
    }

    private static String line(GoResult<Event, Count> counted, long life) {
        Event event = counted.input();
        return event.key + ',' + event.id + ',' + counted.value().count + ',' + life;
    }
}
