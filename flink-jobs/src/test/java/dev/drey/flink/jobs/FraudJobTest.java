package dev.drey.flink.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.Request;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole job in a small cluster, against a scripted sidecar. */
class FraudJobTest {
    private static final String PASS = "{\"score\":0.1,\"decision\":\"pass\",\"reasons\":null}";
    private static final String ALERT =
            "{\"score\":0.9,\"decision\":\"alert\",\"reasons\":[\"large\"],\"more\":1}";

    @TempDir Path out;

    private static Answer decide(Request request) {
        return Answer.result(
                request, request.event().path("amount").asDouble() > 100 ? ALERT : PASS);
    }

    private JobClient start(int parallelism, ScriptedSidecar sidecar, String... more)
            throws Exception {
        return start(JobRun.cluster(parallelism), sidecar, more);
    }

    private JobClient start(StreamExecutionEnvironment env, ScriptedSidecar sidecar, String... more)
            throws Exception {
        String[] args = {
            "--output-path", out.toUri().toString(), "--drey.sidecar.url", sidecar.url().toString()
        };
        String[] all = java.util.Arrays.copyOf(args, args.length + more.length);
        System.arraycopy(more, 0, all, args.length, more.length);
        FraudJob.define(env, all);
        return env.executeAsync();
    }

    private static List<String> generated(long events) {
        return LongStream.range(0, events)
                .mapToObj(n -> "g42-" + n)
                .sorted()
                .collect(Collectors.toList());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void decidesEachGeneratedPaymentOnce(boolean objectReuse) throws Exception {
        StreamExecutionEnvironment env = JobRun.cluster(2);
        if (objectReuse) {
            env.getConfig().enableObjectReuse();
        }
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(FraudJobTest::decide)) {
            JobRun.toEnd(start(env, sidecar, "--events", "2000", "--print", "false"));

            assertThat(JobRun.ids(out)).isEqualTo(generated(2000));
            JsonNode line = JobRun.lines(out).get(0);
            assertThat(line.fieldNames())
                    .toIterable()
                    .contains(
                            "id",
                            "function",
                            "timestamp",
                            "score",
                            "decision",
                            "reasons",
                            "label",
                            "latency_us",
                            "attempts",
                            "accountId",
                            "amount",
                            "region");
            assertThat(line.path("function").asText()).isEqualTo("fraud");
            assertThat(line.path("label").isBoolean()).isTrue();
            assertThat(line.path("reasons").isArray()).isTrue();
            assertThat(line.path("latency_us").asLong()).isPositive();
            List<String> alerts =
                    JobRun.lines(out).stream()
                            .filter(l -> l.path("amount").asDouble() > 100)
                            .map(l -> l.path("id").asText())
                            .sorted()
                            .collect(Collectors.toList());
            assertThat(alerts).isNotEmpty();
            assertThat(JobRun.ids(out.resolve("alerts"))).isEqualTo(alerts);
            assertThat(JobRun.lines(out.resolve("errors"))).isEmpty();
        }
    }

    @Test
    void sendsWhatFlinkRemembersAndNeverTheLabel() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(FraudJobTest::decide)) {
            JobRun.toEnd(start(1, sidecar, "--input", "walkthrough", "--events", "200"));

            assertThat(JobRun.ids(out))
                    .hasSize(200)
                    .doesNotHaveDuplicates()
                    .contains("w-0", "w-199");
            assertThat(JobRun.lines(out))
                    .allSatisfy(line -> assertThat(line.path("label").isNull()).isTrue());
            assertThat(sidecar.requests())
                    .allSatisfy(
                            r -> {
                                assertThat(r.function()).isEqualTo("fraud");
                                assertThat(r.event().has("label")).isFalse();
                                assertThat(r.event().has("id")).isFalse();
                                assertThat(r.event().has("device")).isFalse();
                            });
            // The pair that the walkthrough is known for, within a minute.
            assertThat(sidecar.requests())
                    .anySatisfy(
                            r -> {
                                assertThat(r.event().path("accountId").asLong()).isEqualTo(3);
                                assertThat(r.event().path("previousAmount").asDouble())
                                        .isLessThan(1);
                                assertThat(r.event().path("amount").asDouble()).isGreaterThan(500);
                                assertThat(
                                                r.event().path("timestamp").asLong()
                                                        - r.event()
                                                                .path("previousTimestamp")
                                                                .asLong())
                                        .isBetween(1L, 60_000L);
                            });
            // Each payment of an account carries the amount of the one before.
            ConcurrentHashMap<Long, Double> before = new ConcurrentHashMap<>();
            sidecar.requests().stream()
                    .map(Request::event)
                    .sorted(java.util.Comparator.comparingLong(e -> e.path("timestamp").asLong()))
                    .forEach(
                            e -> {
                                Double previous =
                                        before.put(
                                                e.path("accountId").asLong(),
                                                e.path("amount").asDouble());
                                if (previous == null) {
                                    assertThat(e.has("previousAmount")).isFalse();
                                } else {
                                    assertThat(e.path("previousAmount").asDouble())
                                            .isEqualTo(previous);
                                }
                            });
        }
    }

    @Test
    void countsDevicesAndKnowsNewOnes() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(FraudJobTest::decide)) {
            JobRun.toEnd(start(1, sidecar, "--events", "6000"));

            List<JsonNode> events =
                    sidecar.requests().stream().map(Request::event).collect(Collectors.toList());
            assertThat(events)
                    .anySatisfy(
                            e -> assertThat(e.path("accountsOnDevice").asLong()).isGreaterThan(2));
            assertThat(events)
                    .anySatisfy(e -> assertThat(e.path("newDevice").asBoolean()).isTrue());
            assertThat(events)
                    .anySatisfy(e -> assertThat(e.path("newRegion").asBoolean()).isTrue());
            assertThat(events).anySatisfy(e -> assertThat(e.has("newDevice")).isFalse());
        }
    }

    @Test
    void aSidecarKilledUnderLoadCostsNoRecordAndDoublesNone() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(FraudJobTest::decide)) {
            JobClient job = start(2, sidecar, "--events", "6000", "--rate", "3000");
            for (int kill = 1; kill <= 3; kill++) {
                int seen = sidecar.requests().size();
                JobRun.await("requests", () -> sidecar.requests().size() > seen + 500);
                sidecar.kill();
                sidecar.start();
            }
            JobRun.toEnd(job);

            assertThat(JobRun.ids(out)).isEqualTo(generated(6000));
            assertThat(JobRun.lines(out))
                    .anySatisfy(l -> assertThat(l.path("attempts").asInt()).isGreaterThan(1));
        }
    }

    @Test
    void failsOverAndGoesOnWithoutLossOrDouble() throws Exception {
        AtomicInteger broken = new AtomicInteger(3);
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        request -> {
                            // Now and then a permanent error for a record that is fine when it
                            // comes again.
                            boolean late = request.event().path("timestamp").asLong() % 1000 < 5;
                            return late && broken.getAndDecrement() > 0
                                    ? Answer.problem(422, "function_error", false)
                                    : decide(request);
                        })) {
            JobRun.toEnd(start(2, sidecar, "--events", "4000", "--rate", "4000"));

            assertThat(broken.get()).isLessThan(0);
            assertThat(JobRun.ids(out)).isEqualTo(generated(4000));
        }
    }

    @Test
    void poisonRecordsGoAside() throws Exception {
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        request ->
                                request.id().startsWith("g42-7-")
                                                || request.id().startsWith("g42-11-")
                                        ? Answer.problem(400, "invalid_event", false)
                                        : decide(request))) {
            JobRun.toEnd(
                    start(1, sidecar, "--events", "500", "--drey.async.on-error", "side-output"));

            assertThat(JobRun.ids(out)).hasSize(498).doesNotContain("g42-7", "g42-11");
            assertThat(JobRun.ids(out.resolve("errors"))).containsExactly("g42-11", "g42-7");
            JsonNode error = JobRun.lines(out.resolve("errors")).get(0);
            assertThat(error.path("code").asText()).isEqualTo("invalid_event");
            assertThat(error.path("error").asText()).isEqualTo("detail of invalid_event");
        }
    }

    @Test
    void goesOnRunningWhenTold() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(FraudJobTest::decide)) {
            JobClient job = start(1, sidecar, "--events", "300", "--follow", "true");
            JobRun.await("all decisions, committed", () -> JobRun.ids(out).size() == 300);
            assertThat(job.getJobStatus().get().isTerminalState()).isFalse();
            job.cancel().get();
        }
    }

    @Test
    void refusesArgumentsThatItDoesNotKnow() {
        assertThatThrownBy(() -> FraudJob.define(JobRun.cluster(1), "--evnts", "5"))
                .hasMessageContaining("unknown argument --evnts")
                .hasMessageContaining("--events");
        assertThatThrownBy(() -> FraudJob.define(JobRun.cluster(1), "--events", "5"))
                .hasMessageContaining("--output-path");
        assertThatThrownBy(
                        () ->
                                FraudJob.define(
                                        JobRun.cluster(1),
                                        "--input",
                                        "kafka",
                                        "--output-path",
                                        "/x"))
                .hasMessageContaining("generated or walkthrough");
        assertThatThrownBy(
                        () ->
                                FraudJob.define(
                                        JobRun.cluster(1), "--via", "grpc", "--output-path", "/x"))
                .hasMessageContaining("--via is grpc")
                .hasMessageContaining("http, udf or sql");
    }
}
