package dev.drey.flink.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.subject.SubjectJar;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Scalar and table functions out of a real jar, planned and run by Flink. */
@Timeout(300)
class GoModuleIT {
    private static final String NUMBERS =
            "(SELECT CAST(n AS BIGINT) AS n, i, s, ns FROM (VALUES"
                    + " (1, CAST(10 AS INT), 'a', 'x'),"
                    + " (2, CAST(NULL AS INT), 'b', CAST(NULL AS STRING))) AS t(n, i, s, ns))";

    private static Path jar;

    @TempDir private Path temp;

    @BeforeAll
    static void build() throws Exception {
        jar = SubjectJar.of("queries");
    }

    @Test
    void moduleListsTheFunctionsOfTheJar() {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.tables.listFullModules()).anyMatch(m -> m.name().equals("go") && m.used());
        assertThat(sql.tables.listFunctions())
                .contains("plus_one", "words", "total", "classify", "reverse_bytes");
    }

    @Test
    void namesAreFoundWhateverTheirCase() throws Exception {
        assertThat(
                        SqlSession.streaming(jar)
                                .query("SELECT PLUS_one(n), Plus_One(n) FROM " + NUMBERS))
                .containsExactly("+I[2, 2]", "+I[3, 3]");
    }

    @Test
    void flinksOwnFunctionsComeFirstUnlessTheOrderSaysOtherwise() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT ABS(-5)")).containsExactly("+I[5]");
        assertThat(sql.run("USE MODULES go, core").query("SELECT ABS(-5)"))
                .containsExactly("+I[-5]");
    }

    @Test
    void literalsAreCastToTheTypesOfTheFunction() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        // INT to BIGINT, INT and DECIMAL to DOUBLE, CHAR to STRING
        assertThat(sql.query("SELECT plus_one(41)")).containsExactly("+I[42]");
        assertThat(
                        sql.query(
                                "SELECT describe_payment(3, 2, 'ab'), describe_payment(3, 1.5,"
                                        + " CAST('c' AS CHAR(3)))"))
                .containsExactly("+I[3 * 2 ab, 3 * 1.5 c  ]");
    }

    @Test
    void columnsAreCastToTheTypesOfTheFunction() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        sql.env.setParallelism(1);
        Instant paid = Instant.parse("2026-11-23T12:34:56.789Z");
        sql.tables.createTemporaryView(
                "payments",
                sql.tables.fromDataStream(
                        sql.env
                                .fromData(Row.of(7, 2.5f, new BigDecimal("612.10"), paid, "ab"))
                                .returns(
                                        Types.ROW_NAMED(
                                                new String[] {"id", "w", "amount", "paid", "label"},
                                                Types.INT,
                                                Types.FLOAT,
                                                Types.BIG_DEC,
                                                Types.INSTANT,
                                                Types.STRING)),
                        Schema.newBuilder()
                                .column("id", "INT NOT NULL")
                                .column("w", "FLOAT NOT NULL")
                                .column("amount", "DECIMAL(10, 2) NOT NULL")
                                .column("paid", "TIMESTAMP_LTZ(3) NOT NULL")
                                .column("label", "VARCHAR(3) NOT NULL")
                                .columnByExpression("small", "CAST(id AS TINYINT)")
                                .columnByExpression("whole", "CAST(id AS DECIMAL(3, 0))")
                                .columnByExpression("plain", "CAST(paid AS TIMESTAMP_LTZ(0))")
                                .columnByExpression("padded", "CAST(label AS CHAR(3))")
                                .watermark("paid", "paid - INTERVAL '1' SECOND")
                                .build()));

        assertThat(sql.tables.from("payments").getResolvedSchema().toString()).contains("ROWTIME");
        // INT to BIGINT, FLOAT to DOUBLE, and each of DECIMAL, TIMESTAMP_LTZ and VARCHAR to a
        // larger one
        assertThat(
                        sql.query(
                                "SELECT receipt(id, w, amount, paid, label), plus_one(id) FROM payments"))
                .containsExactly("+I[7 2.5 612.1 2026-11-23T12:34:56.789Z ab, 8]");
        // TINYINT and INT to BIGINT and DOUBLE, DECIMAL(3, 0) to DECIMAL(12, 4), CHAR to STRING
        assertThat(
                        sql.query(
                                "SELECT receipt(small, id, whole, plain, padded), plus_one(small) FROM"
                                        + " payments"))
                .containsExactly("+I[7 7 7 2026-11-23T12:34:56Z ab , 8]");
        planFails(
                sql,
                "SELECT plus_one(amount) FROM payments",
                "BIGINT NOT NULL expected but DECIMAL(10, 2) NOT NULL passed");
    }

    @Test
    void nullIsPlannedAndPassedAsDeclared() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT describe_payment(n, 1.0, ns) FROM " + NUMBERS))
                .containsExactly("+I[1 * 1 x]", "+I[2 * 1 NULL]");
        assertThat(sql.query("SELECT next_if_any(i), next_if_any(NULL) FROM " + NUMBERS))
                .containsExactly("+I[11, null]", "+I[null, null]");
        planFails(
                sql,
                "SELECT plus_one(CAST(i AS BIGINT)) FROM " + NUMBERS,
                "Data type BIGINT NOT NULL expected but BIGINT passed");
        planFails(sql, "SELECT plus_one(NULL)", "BIGINT NOT NULL expected");
        planFails(sql, "SELECT plus_one('x')", "BIGINT NOT NULL expected but CHAR(1) NOT NULL");
        planFails(sql, "SELECT plus_one(1, 2)", "plus_one");
    }

    @Test
    void nullOnNullLeavesGoAlone() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT join_strict(n, ns) FROM " + NUMBERS))
                .containsExactly("+I[1:x]", "+I[null]");
        assertThat(
                        sql.query(
                                "SELECT strict_difference(i, 1), strict_difference(1, i),"
                                        + " strict_difference(i, i) FROM "
                                        + NUMBERS))
                .containsExactly("+I[9, -9, 0]", "+I[null, null, null]");
        assertThat(
                        sql.query(
                                "SELECT s, l FROM "
                                        + NUMBERS
                                        + " LEFT JOIN LATERAL TABLE(letters(ns)) AS t(l) ON TRUE"))
                .containsExactly("+I[a, x]", "+I[b, null]");
    }

    @Test
    void argumentsMayBeNamedInAnyOrder() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(
                        sql.query(
                                "SELECT describe_payment(label => ns, factor => CAST(2 AS DOUBLE),"
                                        + " amount => n) FROM "
                                        + NUMBERS))
                .containsExactly("+I[1 * 2 x]", "+I[2 * 2 NULL]");
        // Flink does not cast named arguments: docs say so.
        assertThatThrownBy(
                        () ->
                                sql.plan(
                                        "SELECT describe_payment(amount => 1, factor => 2, label => 'x')"))
                .hasMessageContaining("BIGINT NOT NULL")
                .hasMessageContaining("INT NOT NULL");
        planFails(
                sql,
                "SELECT describe_payment(amounts => n, factor => 1e0, label => s) FROM " + NUMBERS,
                "amount");
    }

    @Test
    void rowsGoInAndOut() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(
                        sql.query(
                                "SELECT t.r.number, t.r.text, t.r.tags[2] FROM (SELECT swap(7, 'p,q') AS r) t"))
                .containsExactly("+I[7, p,q, q]");
    }

    @Test
    void nothingIsFoldedInThePlanner() {
        SqlSession sql = SqlSession.streaming(jar);

        // plus_one is deterministic, its argument a literal: Flink would call it while planning.
        assertThat(sql.plan("SELECT plus_one(1)")).contains("plus_one(1)");
        assertThat(sql.plan("SELECT n FROM " + NUMBERS + " WHERE plus_one(1) = n"))
                .contains("plus_one(1)");
    }

    /** Flink opens what a condition calls in the planner if that needs no more than partitions. */
    @Test
    void conditionsOverPartitionsAloneAreRefused() throws Exception {
        SqlSession sql =
                SqlSession.batch(jar)
                        .run(
                                "CREATE TABLE parts (v STRING, p BIGINT NOT NULL) PARTITIONED BY (p)"
                                        + " WITH ('connector' = 'filesystem', 'format' = 'raw',"
                                        + " 'path' = '"
                                        + temp.toUri()
                                        + "')");
        sql.tables.executeSql("INSERT INTO parts VALUES ('a', 1), ('b', 2), ('c', 3)").await();

        for (String condition :
                List.of(
                        "plus_one(p) = 2",
                        "p = 1 AND plus_one(p) = 2",
                        "describe_payment(p, 1e0, 'x') = 'y'",
                        "plus_one(1) = 2")) {
            assertThatThrownBy(() -> sql.plan("SELECT v FROM parts WHERE " + condition))
                    .as(condition)
                    .hasStackTraceContaining("GoLibraryException")
                    .hasStackTraceContaining("leave out partitions of a table")
                    .hasStackTraceContaining("by which the table is not partitioned");
        }
        assertThat(
                        sql.query(
                                "SELECT v, plus_one(p) FROM parts WHERE p < 3"
                                        + " AND describe_payment(p, 1e0, v) <> '1 * 1 a'"))
                .containsExactly("+I[b, 3]");
    }

    @Test
    void functionsThatAreNotDeterministicStayApart() {
        SqlSession sql = SqlSession.streaming(jar);

        // In one projection it would be called twice for a row, and say two things.
        assertThat(sql.plan("SELECT d > 1, d < 6 FROM (SELECT dice(6) AS d FROM " + NUMBERS + ")"))
                .containsOnlyOnce("dice(6)");
    }

    @Test
    void tableFunctionsEmitRowsOrNone() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);
        String texts = "(VALUES ('two words'), (''), ('größer'))";

        assertThat(
                        sql.query(
                                "SELECT word, size FROM "
                                        + texts
                                        + " AS t(text), LATERAL TABLE(words(t.text))"))
                .containsExactly("+I[größer, 8]", "+I[two, 3]", "+I[words, 5]");
        assertThat(
                        sql.query(
                                "SELECT t.text, w.a FROM "
                                        + texts
                                        + " AS t(text) LEFT JOIN LATERAL TABLE(words(t.text)) AS w(a, b)"
                                        + " ON TRUE"))
                .containsExactly(
                        "+I[, null]",
                        "+I[größer, größer]",
                        "+I[two words, two]",
                        "+I[two words, words]");
        assertThat(sql.query("SELECT n + 1 FROM LATERAL TABLE(below(3)) AS t(n)"))
                .containsExactly("+I[1]", "+I[2]", "+I[3]");
        assertThat(sql.query("SELECT l FROM LATERAL TABLE(letters('añ')) AS t(l)"))
                .containsExactly("+I[a]", "+I[ñ]");
    }

    @Test
    void jsonAndBytesGoAsTheyAre() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT classify('{\"id\":\"ü\",\"amount\":100.5}')"))
                .containsExactly("+I[{\"id\":\"ü\",\"large\":true}]");
        List<Row> rows = sql.rows("SELECT reverse_bytes(x'00ff10'), reverse_bytes(x'')");
        assertThat((byte[]) rows.get(0).getField(0)).containsExactly(0x10, 0xff, 0);
        assertThat((byte[]) rows.get(0).getField(1)).isEmpty();
    }

    @Test
    void jobParametersReachOpen() throws Exception {
        SqlSession sql = SqlSession.streaming(jar).set("pipeline.name", "greetings");
        assertThat(sql.query("SELECT greet('world')"))
                .containsExactly("+I[hello world from 0/1 of greetings]");

        sql.set("pipeline.global-job-parameters", "greeting:'good day'");
        assertThat(sql.query("SELECT greet('world')"))
                .containsExactly("+I[good day world from 0/1 of greetings]");

        sql.set("pipeline.global-job-parameters", "greeting:''");
        assertThatThrownBy(() -> sql.query("SELECT greet('world')"))
                .hasStackTraceContaining("the parameter greeting is empty");
    }

    @Test
    void settingsOfTheJobAreObeyed() {
        SqlSession sql =
                SqlSession.streaming(jar)
                        .set("pipeline.global-job-parameters", "drey.udf.max-result-bytes:'100 b'");

        assertThatThrownBy(() -> sql.query("SELECT describe_payment(1, 1, REPEAT('x', 500))"))
                .hasStackTraceContaining("100");
    }

    @Test
    void errorsOfGoFailTheJobWithTheFunctionsName() {
        SqlSession sql = SqlSession.streaming(jar);

        assertThatThrownBy(() -> sql.query("SELECT fail_on(n) FROM (VALUES (12), (13)) AS t(n)"))
                .hasStackTraceContaining("GoFunctionException")
                .hasStackTraceContaining("thirteen is unlucky");
        assertThatThrownBy(() -> sql.query("SELECT utf8_broken_after('x')"))
                .hasStackTraceContaining("UTF-8")
                .hasStackTraceContaining("[]byte");
        assertThatThrownBy(() -> sql.query("SELECT classify('{\"id\":')"))
                .hasStackTraceContaining("GoFunctionException");
    }

    @Test
    void decimalsAreExactOrAnError() throws Exception {
        SqlSession sql = SqlSession.streaming(jar);

        assertThat(sql.query("SELECT cents(CAST(12.34 AS DECIMAL(10, 2)), 3).total"))
                .containsExactly("+I[37.02]");
        assertThatThrownBy(() -> sql.query("SELECT cents(CAST(99999999.99 AS DECIMAL(10, 2)), 9)"))
                .hasStackTraceContaining("DECIMAL(6, 2)")
                .hasStackTraceContaining("total");
    }

    @Test
    void createFunctionUsingJar() throws Exception {
        SqlSession sql =
                SqlSession.empty()
                        .run(
                                "CREATE FUNCTION one_more AS 'dev.drey.udf.PlusOne' USING JAR '"
                                        + jar
                                        + "'")
                        .run(
                                "CREATE TEMPORARY SYSTEM FUNCTION wrds AS 'dev.drey.udf.Words' USING"
                                        + " JAR '"
                                        + jar
                                        + "'");

        assertThat(sql.query("SELECT one_more(1), one_more(n) FROM " + NUMBERS))
                .containsExactly("+I[2, 2]", "+I[2, 3]");
        assertThat(sql.query("SELECT word FROM LATERAL TABLE(wrds('a b'))"))
                .containsExactly("+I[a]", "+I[b]");
        planFails(sql, "SELECT one_more('x')", "BIGINT NOT NULL expected");
    }

    @Test
    void aSessionWithoutAJarIsToldSo() {
        assertThatThrownBy(() -> SqlSession.empty().run("LOAD MODULE go"))
                .hasStackTraceContaining("ADD JAR");
    }

    @Test
    void twoJarsWithOneNameAreRefused() throws Exception {
        Path other = SubjectJar.of("echo"); // both have a function greet
        SqlSession sql =
                SqlSession.empty().run("ADD JAR '" + jar + "'").run("ADD JAR '" + other + "'");

        assertThatThrownBy(() -> sql.run("LOAD MODULE go"))
                .hasStackTraceContaining("greet")
                .hasStackTraceContaining(jar.toString())
                .hasStackTraceContaining(other.toString());
    }

    @Test
    void compiledPlansFindTheFunctionsAgain() throws Exception {
        SqlSession sql =
                SqlSession.streaming(jar)
                        .run("CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole')");
        String insert = "INSERT INTO sink SELECT plus_one(n) FROM src";
        String source =
                "CREATE TABLE src (n BIGINT NOT NULL) WITH ('connector' = 'datagen',"
                        + " 'number-of-rows' = '10')";
        String plan = sql.run(source).tables.compilePlanSql(insert).asJsonString();

        SqlSession other =
                SqlSession.streaming(jar)
                        .run("CREATE TABLE sink (n BIGINT) WITH ('connector' = 'blackhole')")
                        .run(source);
        other.tables
                .loadPlan(org.apache.flink.table.api.PlanReference.fromJsonString(plan))
                .execute()
                .await();
        assertThat(plan).contains("plus_one");
    }

    @Test
    void objectReuseAndSeveralCallsInOneOperator() throws Exception {
        SqlSession sql = SqlSession.streaming(jar, "pipeline.object-reuse", "true");

        assertThat(
                        sql.query(
                                "SELECT plus_one(plus_one(n)), describe_payment(plus_one(n), 1.0,"
                                        + " describe_payment(n, 2.0, s)) FROM "
                                        + NUMBERS))
                .containsExactly("+I[3, 2 * 1 1 * 2 a]", "+I[4, 3 * 1 2 * 2 b]");
    }

    @Test
    void dynamicResultsAreReadOnce() throws Exception {
        try (CloseableIterator<Row> rows =
                SqlSession.streaming(jar)
                        .tables
                        .executeSql("SELECT next_if_any(CAST(n AS INT)) FROM " + NUMBERS)
                        .collect()) {
            assertThat(
                            Arrays.asList(rows.next(), rows.next()).stream()
                                    .map(r -> r.getField(0))
                                    .collect(Collectors.toList()))
                    .containsExactlyInAnyOrder(2, 3);
            assertThat(rows.hasNext()).isFalse();
        }
    }

    private static void planFails(SqlSession sql, String query, String... expected) {
        assertThatThrownBy(() -> sql.plan(query))
                .isInstanceOf(ValidationException.class)
                .satisfies(
                        e -> {
                            for (String text : expected) {
                                assertThat(e).hasStackTraceContaining(text);
                            }
                        });
    }
}
