package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoAsyncFunction;
import dev.drey.flink.jobs.flights.Flight;
import dev.drey.flink.jobs.flights.FlightReader;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The departures from New York in 2013, in the order of their schedule: at its scheduled departure,
 * the Go function {@code flights} estimates the risk that a flight arrives 30 or more minutes late.
 * What really happened (arr_delay) goes past Go to the output, as the label.
 *
 * <pre>
 * --input-path FILE     one JSON object a line, ordered by scheduled_departure
 * --output-path URI     folder of the decisions, see {@link Decisions}
 * --events N            the first N; 0 all
 * --rate N              flights a second; 0 as fast as it goes
 * --follow true         go on running after the last flight, and read files that are added
 * --parallelism N       of all but the source
 * --print true          alerts also to the TaskManager's standard output
 * --drey.sidecar.url URL, --drey.async...   over Flink's configuration
 * </pre>
 */
public final class FlightsJob {
    private static final Duration LOOK_FOR_FILES = Duration.ofSeconds(1);

    private FlightsJob() {}

    /** Runs the job on the cluster it was submitted to. */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, args);
        env.execute("flights");
    }

    static void define(StreamExecutionEnvironment env, String... args) {
        JobArguments arguments = JobArguments.parse(args, "input-path");
        Configuration config = GoAsync.configuration(env, args);
        if (arguments.parallelism() > 0) {
            env.setParallelism(arguments.parallelism());
        }

        FileSource.FileSourceBuilder<String> file =
                FileSource.forRecordStreamFormat(
                        new TextLineInputFormat(), new Path(arguments.required("input-path")));
        if (arguments.follow()) {
            file.monitorContinuously(LOOK_FOR_FILES);
        }
        DataStream<Flight> flights =
                env.fromSource(file.build(), WatermarkStrategy.noWatermarks(), "flights-file")
                        .uid("flights-file")
                        .setParallelism(1) // one file, read in its order
                        .flatMap(new FlightReader(arguments.events(), arguments.rate()))
                        .name("flights")
                        .uid("flights")
                        .setParallelism(1)
                        .assignTimestampsAndWatermarks(
                                WatermarkStrategy.<Flight>forMonotonousTimestamps()
                                        .withTimestampAssigner(
                                                (flight, before) -> flight.scheduledDeparture))
                        .name("event-time")
                        .uid("event-time")
                        .setParallelism(1);

        GoAsyncFunction<Flight, Verdict> lateness =
                GoAsyncFunction.<Flight, Verdict>builder("flights", Verdict.class)
                        .id(flight -> flight.id)
                        .build(config);
        GoAsync.Streams<Flight, Verdict> decided = GoAsync.wait(flights, lateness);

        Decisions.write(
                decided,
                "flights",
                (flight, line) ->
                        line.put("id", flight.id)
                                .put("timestamp", flight.scheduledDeparture)
                                .put("label", flight.wasLate())
                                .put("arr_delay", flight.arrDelay)
                                .put("carrier", flight.carrier)
                                .put("flight", flight.flight)
                                .put("origin", flight.origin)
                                .put("dest", flight.dest),
                arguments.outputPath(),
                arguments.flag("print"));
    }
}
