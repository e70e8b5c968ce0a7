package dev.drey.flink.jobs;

import dev.drey.flink.jobs.flights.Flight;
import dev.drey.flink.jobs.flights.FlightReader;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
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
 * --via http            how Go is asked: http, udf or sql, see {@link Verdicts}
 * --go-jar URI          with sql: the functions' jar, if it is not in Flink's lib
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

        Verdicts.write(env, flights, question(), flight -> flight.id, arguments, args);
    }

    private static Question<Flight> question() {
        return Question.<Flight>of(
                        "flights",
                        (flight, line) ->
                                line.put("id", flight.id)
                                        .put("timestamp", flight.scheduledDeparture)
                                        .put("label", flight.wasLate())
                                        .put("arr_delay", flight.arrDelay)
                                        .put("carrier", flight.carrier)
                                        .put("flight", flight.flight)
                                        .put("origin", flight.origin)
                                        .put("dest", flight.dest))
                .with("scheduled_departure", "BIGINT NOT NULL", flight -> flight.scheduledDeparture)
                .with("sched_minute", "INT NOT NULL", flight -> flight.schedMinute)
                .with("month", "INT NOT NULL", flight -> flight.month)
                .with("weekday", "INT NOT NULL", flight -> flight.weekday)
                .with("carrier", "STRING NOT NULL", flight -> flight.carrier)
                .with("origin", "STRING NOT NULL", flight -> flight.origin)
                .with("dest", "STRING NOT NULL", flight -> flight.dest)
                .with("distance", "DOUBLE NOT NULL", flight -> flight.distance)
                .with("tailnum", "STRING", flight -> flight.tailnum)
                .with("plane_age", "DOUBLE", flight -> flight.planeAge)
                .with("seats", "BIGINT", flight -> flight.seats)
                .with("temp", "DOUBLE", flight -> flight.temp)
                .with("dewp", "DOUBLE", flight -> flight.dewp)
                .with("humid", "DOUBLE", flight -> flight.humid)
                .with("wind_dir", "DOUBLE", flight -> flight.windDir)
                .with("wind_speed", "DOUBLE", flight -> flight.windSpeed)
                .with("wind_gust", "DOUBLE", flight -> flight.windGust)
                .with("precip", "DOUBLE", flight -> flight.precip)
                .with("pressure", "DOUBLE", flight -> flight.pressure)
                .with("visib", "DOUBLE", flight -> flight.visib);
    }
}
