package dev.drey.flink.jobs.bench;

import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.util.ParameterTool;

/**
 * One query of the benchmark as a whole job on a cluster: {@code datagen -> f(x) -> blackhole}. How
 * long it takes is what the cluster says.
 *
 * <pre>
 * --case bigint | strings | json | row   --mode java | go   --size N   --rows N
 * </pre>
 */
public final class UdfJob {
    private UdfJob() {}

    /** Submits the job. */
    public static void main(String[] args) {
        ParameterTool arguments = ParameterTool.fromArgs(args);
        UdfCase what = UdfCase.of(arguments.getRequired("case"));
        StreamTableEnvironment tables =
                StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment());
        tables.executeSql(UdfCase.numbers(arguments.getLong("rows")));
        tables.executeSql(
                "CREATE TEMPORARY FUNCTION f AS " + what.function(arguments.getRequired("mode")));
        tables.sqlQuery(what.query("f", arguments.getInt("size", 100)))
                .insertInto(TableDescriptor.forConnector("blackhole").build())
                .execute();
    }
}
