package dev.drey.flink.table;

import dev.drey.flink.udf.subject.TestCluster;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

/**
 * A SQL session with a jar of Go functions, added as a user adds it; each query is a job of one
 * session cluster in this JVM, with a class loader of its own.
 */
final class SqlSession {
    final StreamExecutionEnvironment env;
    final StreamTableEnvironment tables;

    private SqlSession(EnvironmentSettings.Builder settings, String... options) {
        Configuration config = TestCluster.client();
        for (int i = 0; i < options.length; i += 2) {
            config.setString(options[i], options[i + 1]);
        }
        env = new StreamExecutionEnvironment(config);
        env.setParallelism(2);
        tables = StreamTableEnvironment.create(env, settings.build());
        tables.getConfig().set("table.exec.mini-batch.allow-latency", "100 ms");
        tables.getConfig().set("table.exec.mini-batch.size", "3");
    }

    /** Over streams, with {@code LOAD MODULE go}. */
    static SqlSession streaming(Path jar, String... options) {
        return new SqlSession(EnvironmentSettings.newInstance().inStreamingMode(), options)
                .with(jar);
    }

    /** Over tables that end, with {@code LOAD MODULE go}. */
    static SqlSession batch(Path jar) {
        return new SqlSession(EnvironmentSettings.newInstance().inBatchMode()).with(jar);
    }

    /** Without jar and module. */
    static SqlSession empty() {
        return new SqlSession(EnvironmentSettings.newInstance().inStreamingMode());
    }

    private SqlSession with(Path jar) {
        tables.executeSql("ADD JAR '" + jar + "'");
        tables.executeSql("LOAD MODULE go");
        return this;
    }

    SqlSession set(String key, String value) {
        tables.getConfig().set(key, value);
        return this;
    }

    SqlSession run(String statement) {
        tables.executeSql(statement);
        return this;
    }

    /** The rows that are there in the end, sorted. */
    List<String> query(String sql) throws Exception {
        List<String> rows = new ArrayList<>();
        for (Row row : rows(sql)) {
            rows.add(row.toString());
        }
        Collections.sort(rows);
        return rows;
    }

    /** The rows that are there in the end. */
    List<Row> rows(String sql) throws Exception {
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> changes = tables.executeSql(sql).collect()) {
            while (changes.hasNext()) {
                Row row = changes.next();
                RowKind kind = row.getKind();
                row.setKind(RowKind.INSERT);
                if (kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER) {
                    rows.add(row);
                } else if (!rows.remove(row)) {
                    throw new AssertionError(sql + ": takes back what is not there: " + row);
                }
            }
        }
        return rows;
    }

    /** The plan, optimized. */
    String plan(String sql) {
        String all = tables.explainSql(sql);
        return all.substring(all.indexOf("== Optimized Execution Plan =="));
    }
}
