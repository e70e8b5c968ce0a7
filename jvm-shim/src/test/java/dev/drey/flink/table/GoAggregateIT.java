package dev.drey.flink.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.subject.SubjectJar;
import java.nio.file.Path;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.table.api.Schema;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Aggregates in every shape that Flink plans them in. */
@Timeout(300)
class GoAggregateIT {
    private static final String PAYMENTS =
            "(SELECT k, CAST(n AS BIGINT) AS n, s FROM (VALUES ('a', 1, 'x'), ('b', 20, 'yyy'),"
                    + " ('a', 300, CAST(NULL AS STRING)), ('a', 4000, 'zz'), ('b', 50000, 'w')) AS"
                    + " t(k, n, s))";

    private static Path jar;

    @BeforeAll
    static void build() throws Exception {
        jar = SubjectJar.of("queries");
    }

    @ParameterizedTest
    @ValueSource(strings = {"hashmap", "rocksdb"})
    void groups(String backend) throws Exception {
        SqlSession sql = SqlSession.streaming(jar, "state.backend.type", backend);

        assertThat(sql.query("SELECT k, total(n), longest(s) FROM " + PAYMENTS + " GROUP BY k"))
                .containsExactly("+I[a, 4301, zz]", "+I[b, 50020, yyy]");
    }

    @Test
    void withoutAGroup() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT total(n) FROM " + PAYMENTS)).containsExactly("+I[54321]");
        assertThat(SqlSession.batch(jar).query("SELECT total(n) FROM " + PAYMENTS + " WHERE n < 0"))
                .containsExactly("+I[0]");
        assertThat(
                        SqlSession.batch(jar)
                                .query("SELECT longest(s) FROM " + PAYMENTS + " WHERE n < 0"))
                .containsExactly("+I[null]");
    }

    /** accumulate and retract have no argument but the accumulator. */
    @Test
    void withoutArguments() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        assertThat(sql.query("SELECT k, rows_seen() FROM " + PAYMENTS + " GROUP BY k"))
                .hasSize(2)
                .allMatch(row -> row.startsWith("+I["));
        String counts = "(SELECT k, COUNT(*) AS c FROM " + PAYMENTS + " GROUP BY k)";
        assertThat(sql.plan("SELECT rows_seen() FROM " + counts)).contains("rows_seen_RETRACT");
        assertThat(sql.query("SELECT rows_seen() FROM " + counts)).containsExactly("+I[2]");
        assertThat(sql.query("SELECT answer(), question()"))
                .containsExactly("+I[42, what do you get]");
    }

    @Test
    void rowsAreTakenOutAgain() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        String counts = "(SELECT k, COUNT(*) AS c FROM " + PAYMENTS + " GROUP BY k)";

        assertThat(sql.plan("SELECT total(c) FROM " + counts)).contains("total_RETRACT");
        assertThat(sql.query("SELECT total(c) FROM " + counts)).containsExactly("+I[5]");
    }

    @Test
    void deletedRowsAreTakenOutAgain() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        sql.tables.createTemporaryView(
                "changes",
                sql.tables.fromChangelogStream(
                        sql.env.fromData(
                                Types.ROW(Types.STRING, Types.LONG),
                                Row.ofKind(RowKind.INSERT, "a", 1L),
                                Row.ofKind(RowKind.INSERT, "a", 10L),
                                Row.ofKind(RowKind.UPDATE_BEFORE, "a", 1L),
                                Row.ofKind(RowKind.UPDATE_AFTER, "a", 100L),
                                Row.ofKind(RowKind.DELETE, "a", 10L)),
                        Schema.newBuilder()
                                .column("f0", "STRING NOT NULL")
                                .column("f1", "BIGINT NOT NULL")
                                .build()));

        assertThat(sql.query("SELECT f0, total(f1) FROM changes GROUP BY f0"))
                .containsExactly("+I[a, 100]");
    }

    @Test
    void whatCannotRetractIsRefusedWhenPlanned() {
        SqlSession sql = SqlSession.streaming(jar);

        assertThatThrownBy(
                        () ->
                                sql.query(
                                        "SELECT longest(s) FROM (SELECT k, MAX(s) AS s FROM "
                                                + PAYMENTS
                                                + " GROUP BY k)"))
                .hasStackTraceContaining("retract");
    }

    @Test
    void inTwoPhasesWithMiniBatches() throws Exception {
        SqlSession sql =
                SqlSession.streaming(jar)
                        .set("table.exec.mini-batch.enabled", "true")
                        .set("table.optimizer.agg-phase-strategy", "TWO_PHASE");
        String query = "SELECT k, total(n) FROM " + PAYMENTS + " GROUP BY k";

        assertThat(sql.plan(query)).contains("LocalGroupAggregate", "GlobalGroupAggregate");
        assertThat(sql.query(query)).containsExactly("+I[a, 4301]", "+I[b, 50020]");

        // And taken out again, by what the phases before sent.
        String counts = "(SELECT k, COUNT(*) AS c FROM " + PAYMENTS + " GROUP BY k)";
        assertThat(sql.query("SELECT total(c) FROM " + counts)).containsExactly("+I[5]");
    }

    @Test
    void inBatchMode() throws Exception {
        String query = "SELECT k, total(n), longest(s) FROM " + PAYMENTS + " GROUP BY k";

        assertThat(SqlSession.batch(jar).query(query))
                .containsExactly("+I[a, 4301, zz]", "+I[b, 50020, yyy]");
        assertThat(
                        SqlSession.batch(jar)
                                .set("table.optimizer.agg-phase-strategy", "TWO_PHASE")
                                .query("SELECT k, total(n) FROM " + PAYMENTS + " GROUP BY k"))
                .containsExactly("+I[a, 4301]", "+I[b, 50020]");
    }

    @Test
    void windowsThatOverlapAndThatGrow() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        events(sql);

        String hop =
                "SELECT window_start, total(n) FROM TABLE(HOP(TABLE events, DESCRIPTOR(ts), INTERVAL"
                        + " '10' SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end";
        assertThat(sql.plan(hop)).contains("LocalWindowAggregate", "GlobalWindowAggregate");
        assertThat(
                        sql.query(
                                "SELECT EXTRACT(SECOND FROM window_start), t FROM ("
                                        + hop.replace("total(n)", "total(n) AS t")
                                        + ")"))
                .containsExactly(
                        "+I[20, 1000]", "+I[30, 1000]", "+I[30, 11]", "+I[40, 111]", "+I[50, 100]");

        // The event at 106 s comes after those that it joins into one session.
        String session =
                "SELECT total(n) FROM TABLE(SESSION(TABLE events, DESCRIPTOR(ts), INTERVAL '8'"
                        + " SECOND)) GROUP BY window_start, window_end";
        assertThat(sql.query(session)).containsExactly("+I[1000]", "+I[111]");
    }

    @Test
    void overTheRowsBefore() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        events(sql);

        assertThat(
                        sql.query(
                                "SELECT total(n) OVER (ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT"
                                        + " ROW) FROM events"))
                .containsExactly("+I[1100]", "+I[110]", "+I[11]", "+I[1]");
    }

    @Test
    void stateComesBackWithTheCheckpoint() throws Exception {
        SqlSession sql =
                SqlSession.streaming(
                                jar,
                                "execution.checkpointing.interval",
                                "50 ms",
                                "restart-strategy.type",
                                "fixed-delay",
                                "restart-strategy.fixed-delay.attempts",
                                "1",
                                "restart-strategy.fixed-delay.delay",
                                "0 s")
                        .run(
                                "CREATE TABLE src (n BIGINT NOT NULL) WITH ('connector' = 'datagen',"
                                        + " 'rows-per-second' = '100', 'fields.n.kind' = 'sequence',"
                                        + " 'fields.n.start' = '1', 'fields.n.end' = '300')");

        // The second attempt goes on with what the first one had added up.
        assertThat(
                        sql.query(
                                "SELECT total(n), MIN(a), MAX(a) FROM (SELECT n,"
                                        + " attempt_or_fail(n, 250) AS a FROM src)"))
                .containsExactly("+I[45150, 0, 1]");
    }

    private static void events(SqlSession sql) {
        sql.tables.createTemporaryView(
                "events",
                sql.tables.fromDataStream(
                        sql.env.fromData(
                                Types.ROW(Types.LONG, Types.LONG),
                                Row.of(100_000L, 1L),
                                Row.of(112_000L, 100L),
                                Row.of(106_000L, 10L),
                                Row.of(150_000L, 1000L)),
                        Schema.newBuilder()
                                .column("f0", "BIGINT NOT NULL")
                                .column("f1", "BIGINT NOT NULL")
                                .columnByExpression("n", "f1")
                                .columnByExpression("ts", "TO_TIMESTAMP_LTZ(f0, 3)")
                                .watermark("ts", "ts - INTERVAL '30' SECOND")
                                .build()));
    }
}
