package dev.drey.flink.jobs.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ParameterTool;

/**
 * Runs one query of the benchmark in a cluster in this JVM, with its function in one language, and
 * prints what was measured as one line of JSON.
 *
 * <pre>
 * --case bigint | strings | json | row
 * --mode none | java | java-internal | go | thread | process   (the last two are Python's)
 * --size N                 bytes of the strings or of the JSON
 * --warmup S --seconds S   of the steady state, from the job's first row on
 * --check N                then compares N rows with what the Go function makes of them
 * --python EXE             for Python, whose path (PYTHONPATH) must have the module functions
 * </pre>
 *
 * <pre>
 * {"case":"bigint","mode":"go","rows_per_s":6824691.2,"cpu_us_per_row":0.163}
 * </pre>
 */
public final class UdfBench {
    private static final long PATIENCE_SECONDS = 180;

    private UdfBench() {}

    /** Ends with an error if a job does. */
    public static void main(String[] args) throws Exception {
        ParameterTool arguments = ParameterTool.fromArgs(args);
        Configuration config = configuration(arguments);
        Meter meter =
                new Meter(arguments.getDouble("warmup", 5), arguments.getDouble("seconds", 5));
        JobClient job = start(arguments, config, meter);
        job.getJobExecutionResult()
                .whenComplete(
                        (result, failure) ->
                                Meter.reading()
                                        .completeExceptionally(
                                                failure != null
                                                        ? failure
                                                        : new IllegalStateException("it ended")));
        Meter.Reading reading = Meter.reading().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        System.out.printf(
                Locale.ROOT,
                "{\"case\":\"%s\",\"mode\":\"%s\",\"rows_per_s\":%.1f,\"cpu_us_per_row\":%.4f}%n",
                arguments.get("case"),
                arguments.get("mode"),
                reading.rows / reading.seconds,
                reading.cpuSeconds * 1e6 / reading.rows);
        job.cancel().get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        long check = arguments.getLong("check", 0);
        if (check > 0) {
            check(arguments, config, check);
        }
        System.exit(0); // Python's server would keep the JVM alive
    }

    private static JobClient start(ParameterTool arguments, Configuration config, Meter sink)
            throws Exception {
        UdfCase what = UdfCase.of(arguments.getRequired("case"));
        String mode = arguments.getRequired("mode");
        int size = arguments.getInt("size", 100);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(1, config);
        StreamTableEnvironment tables = tables(env, 0);
        if (!mode.equals("none")) {
            tables.executeSql("CREATE TEMPORARY FUNCTION f AS " + what.function(mode));
        }
        Table table =
                tables.sqlQuery(
                        mode.equals("none") ? what.queryWithout(size) : what.query("f", size));
        // As Flink's internal rows, which is what the connector blackhole gets.
        DataStream<RowData> rows =
                tables.toDataStream(
                        table,
                        table.getResolvedSchema().toPhysicalRowDataType().bridgedTo(RowData.class));
        rows.addSink(sink);
        return env.executeAsync("bench " + what + " " + mode);
    }

    /** Fails if the function says something else than Go's. */
    private static void check(ParameterTool arguments, Configuration config, long rows)
            throws Exception {
        UdfCase what = UdfCase.of(arguments.getRequired("case"));
        Configuration batch = new Configuration(config);
        batch.setString("execution.runtime-mode", "batch");
        StreamTableEnvironment tables =
                tables(StreamExecutionEnvironment.createLocalEnvironment(1, batch), rows);
        tables.executeSql("CREATE TEMPORARY FUNCTION f AS " + what.function(arguments.get("mode")));
        tables.executeSql("CREATE TEMPORARY FUNCTION g AS " + what.function("go"));
        int size = arguments.getInt("size", 100);
        List<LogicalType> ours = types(tables, what.query("g", size));
        List<LogicalType> theirs = types(tables, what.query("f", size));
        if (arguments.get("mode").startsWith("java") && !ours.equals(theirs)) {
            throw new IllegalStateException(
                    "Go's result is " + ours + ", Java's is " + theirs + ": two plans");
        }
        try (CloseableIterator<Row> counts = tables.executeSql(what.differences(size)).collect()) {
            long differences = counts.next().<Long>getFieldAs(0);
            if (differences > 0) {
                throw new IllegalStateException(
                        differences + " of " + rows + " rows are not what Go makes of them");
            }
        }
    }

    private static List<LogicalType> types(StreamTableEnvironment tables, String query) {
        List<LogicalType> types = new ArrayList<>();
        for (DataType type : tables.sqlQuery(query).getResolvedSchema().getColumnDataTypes()) {
            types.add(type.getLogicalType());
        }
        return types;
    }

    private static StreamTableEnvironment tables(StreamExecutionEnvironment env, long rows) {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.executeSql(UdfCase.numbers(rows));
        return tables;
    }

    private static Configuration configuration(ParameterTool arguments) {
        String mode = arguments.getRequired("mode");
        Configuration config =
                Configuration.fromMap(
                        Map.of(
                                "pipeline.object-reuse", "true",
                                "rest.bind-port", "0",
                                "taskmanager.numberOfTaskSlots", "1",
                                "taskmanager.memory.managed.size", "256m",
                                "taskmanager.memory.network.min", "64m",
                                "taskmanager.memory.network.max", "64m"));
        if (mode.equals("thread") || mode.equals("process")) {
            config.setString("python.execution-mode", mode);
            config.setString("python.executable", arguments.getRequired("python"));
            config.setString("python.client.executable", arguments.getRequired("python"));
        }
        return config;
    }
}
