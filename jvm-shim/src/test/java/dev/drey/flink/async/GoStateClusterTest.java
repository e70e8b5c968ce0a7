package dev.drey.flink.async;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.Request;
import dev.drey.flink.async.sidecartest.ScriptedSessions;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a job with state says to the sidecar, and when, in a small cluster in this JVM. That the
 * state is right on a real sidecar, whatever happens, is shown on a real cluster: package e2e.
 */
@Timeout(120)
class GoStateClusterTest {
    private static final int MAX_PARALLELISM = 128;
    private static final int HELD = 40;

    private static final Function<Request, String> SCORE = request -> "{\"score\":1}";

    @TempDir Path savepoints;

    private static StreamExecutionEnvironment cluster(int parallelism, String... options) {
        Configuration config = new Configuration();
        config.setString("execution.checkpointing.tolerable-failed-checkpoints", "100");
        config.setString("restart-strategy.type", "none");
        config.setString("rest.bind-port", "0");
        config.setString("pipeline.max-parallelism", String.valueOf(MAX_PARALLELISM));
        config.setString("taskmanager.memory.network.min", "8m");
        config.setString("taskmanager.memory.network.max", "8m");
        for (int i = 0; i < options.length; i += 2) {
            config.setString(options[i], options[i + 1]);
        }
        return StreamExecutionEnvironment.createLocalEnvironment(parallelism, config);
    }

    private static JobClient run(
            StreamExecutionEnvironment env, ScriptedSidecar sidecar, String... args)
            throws Exception {
        String[] all = java.util.Arrays.copyOf(args, args.length + 4);
        all[args.length] = "--drey.sidecar.url";
        all[args.length + 1] = sidecar.url().toString();
        all[args.length + 2] = "--drey.async.capacity";
        all[args.length + 3] = "1000";
        GoAsync.keyed(
                        env.fromSource(
                                        new DataGeneratorSource<>(
                                                n -> new Purchase(n, n * 1.5),
                                                Long.MAX_VALUE,
                                                RateLimiterStrategy.perSecond(200),
                                                TypeInformation.of(Purchase.class)),
                                        WatermarkStrategy.forGenerator(context -> new EachTenth()),
                                        "purchases")
                                .uid("purchases")
                                .setParallelism(1),
                        purchase -> purchase.n,
                        GoAsyncFunction.<Purchase, Score>builder("risk", Score.class)
                                .id(p -> "p-" + p.n)
                                .build(GoAsync.configuration(env, all)))
                .results()
                .sinkTo(new DiscardingSink<>())
                .uid("sink");
        return env.executeAsync();
    }

    /** After each tenth purchase event time is its number. */
    private static final class EachTenth implements WatermarkGenerator<Purchase> {
        @Override
        public void onEvent(Purchase event, long timestamp, WatermarkOutput output) {
            if (event.n > 0 && event.n % 10 == 0) {
                output.emitWatermark(new Watermark(event.n));
            }
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    /** The watermark in front of a purchase. */
    private static long watermark(long n) {
        return n > 10 ? (n - 1) / 10 * 10 : Long.MIN_VALUE;
    }

    private static long watermark(Request call, String name, long otherwise) {
        return call.body().at("/state/" + name).asLong(otherwise);
    }

    private static int keyGroup(long key) {
        return KeyGroupRangeAssignment.assignToKeyGroup(key, MAX_PARALLELISM);
    }

    private static Set<String> idsIn(Request mark) {
        Set<String> ids = new TreeSet<>();
        mark.body()
                .path("in_flight")
                .forEach(
                        one -> {
                            String id = one.path("id").asText();
                            assertThat(one.path("key_group").asInt())
                                    .isEqualTo(keyGroup(Long.parseLong(id.substring(2))));
                            ids.add(id);
                        });
        return ids;
    }

    /** Once the job runs. */
    private CompletableFuture<String> savepoint(JobClient job, ScriptedSessions sessions) {
        while (sessions.all().stream().noneMatch(r -> r.path().equals("/evaluate"))) {
            Thread.onSpinWait();
        }
        return job.triggerSavepoint(savepoints.toUri().toString(), SavepointFormatType.CANONICAL);
    }

    private static void end(JobClient job) throws Exception {
        job.cancel().get();
        job.getJobExecutionResult().handle((result, failure) -> null).get();
    }

    /**
     * Records hang in flight at a barrier; the mark names exactly these, and after a restore with
     * another parallelism each is sent again, once, to the session that has its key group.
     */
    @Test
    void whatIsInFlightIsMarkedAndComesBackToItsKeyGroup() throws Exception {
        ScriptedSessions sessions = new ScriptedSessions(SCORE);
        CountDownLatch hung = new CountDownLatch(HELD);
        CountDownLatch open = new CountDownLatch(1);
        sessions.first(
                request -> {
                    if (request.path().equals("/evaluate")
                            && request.event().path("n").asInt() % 3 == 0) {
                        hung.countDown();
                        await(open);
                    }
                    return null;
                });
        String savepoint;
        Set<String> inFlight = new TreeSet<>();
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(sessions)) {
            JobClient job = run(cluster(2), sidecar, "--drey.async.attempt-timeout", "50 s");
            hung.await();
            savepoint = savepoint(job, sessions).get();
            for (int i = 0; i < 2; i++) {
                Request mark = sessions.marks().take();
                assertThat(mark.body().path("epoch").asLong()).isEqualTo(1);
                assertThat(mark.body().path("full").asBoolean())
                        .as(mark.body().toString())
                        .isTrue();
                assertThat(mark.body().path("savepoint").asBoolean())
                        .as(mark.body().toString())
                        .isTrue();
                inFlight.addAll(idsIn(mark));
            }
            assertThat(inFlight).hasSizeGreaterThanOrEqualTo(HELD);
            assertThat(inFlight).contains("p-0", "p-3", "p-6").doesNotContain("p-1", "p-2");
            end(job);
            open.countDown();
        }
        // What hangs holds back what its session says of the lowest watermark.
        for (String name : sessions.opened().keySet()) {
            long least =
                    sessions.calls(name).stream()
                            .mapToLong(call -> call.event().path("n").asLong())
                            .filter(n -> n % 3 == 0)
                            .map(GoStateClusterTest::watermark)
                            .min()
                            .getAsLong();
            for (Request call : sessions.calls(name)) {
                long at = watermark(call.event().path("n").asLong());
                assertThat(watermark(call, "watermark", Long.MIN_VALUE)).isEqualTo(at);
                if (at > least) {
                    assertThat(watermark(call, "low_watermark", at)).isEqualTo(least);
                }
            }
        }

        ScriptedSessions again = new ScriptedSessions(SCORE);
        CountDownLatch enough = new CountDownLatch(inFlight.size() + 50);
        again.first(
                request -> {
                    if (request.path().equals("/evaluate")) {
                        enough.countDown();
                    }
                    return null;
                });
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(again)) {
            JobClient job = run(cluster(3, "execution.state-recovery.path", savepoint), sidecar);
            enough.await();
            end(job);
        }
        List<Request> restores =
                again.all().stream()
                        .filter(r -> r.path().endsWith("/restore"))
                        .collect(Collectors.toList());
        assertThat(restores).hasSize(3);
        assertThat(restores)
                .allSatisfy(
                        r ->
                                assertThat(
                                                StreamSupport.stream(
                                                                r.body()
                                                                        .path("references")
                                                                        .spliterator(),
                                                                false)
                                                        .map(one -> one.path("key").asText())
                                                        .collect(Collectors.toList()))
                                        .containsExactlyInAnyOrder("S-1-1", "S-2-1"));
        assertThat(again.opened()).hasSize(3);
        List<String> resent = new java.util.ArrayList<>();
        again.opened()
                .forEach(
                        (name, session) -> {
                            assertThat(session.body().path("restored").asBoolean()).isTrue();
                            int from = session.body().path("key_groups").path(0).asInt();
                            int to = session.body().path("key_groups").path(1).asInt();
                            for (Request call : again.calls(name)) {
                                assertThat(call.body().at("/state/key_group").asInt())
                                        .isBetween(from, to)
                                        .isEqualTo(keyGroup(call.event().path("n").asLong()));
                                assertThat(call.body().at("/state/epoch").asLong()).isZero();
                                resent.add(call.id());
                                // What hung is sent again at its event time, though the restored
                                // job has none yet.
                                long n = call.event().path("n").asLong();
                                if (n % 3 == 0 && inFlight.contains(call.id())) {
                                    assertThat(watermark(call, "watermark", Long.MIN_VALUE))
                                            .isEqualTo(watermark(n));
                                }
                            }
                        });
        assertThat(resent).containsAll(inFlight).doesNotHaveDuplicates();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * A checkpoint is complete when the sidecar's snapshot is, and the stream goes on meanwhile.
     */
    @Test
    void theAcknowledgementWaitsForTheSnapshotAndTheStreamDoesNot() throws Exception {
        ScriptedSessions sessions = new ScriptedSessions(SCORE);
        CountDownLatch asked = new CountDownLatch(2);
        CountDownLatch durable = new CountDownLatch(1);
        sessions.first(
                request -> {
                    if (!request.method().equals("GET")) {
                        return null;
                    }
                    asked.countDown();
                    // Not at once, and then not at the first time.
                    return durable.getCount() == 0 ? null : Answer.json(202, "{}");
                });
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(sessions)) {
            JobClient job = run(cluster(1), sidecar);
            CompletableFuture<String> savepoint = savepoint(job, sessions);
            asked.await();
            // Requests after the barrier carry its number.
            while (sessions.all().stream()
                    .noneMatch(r -> r.body().at("/state/epoch").asLong() == 1)) {
                Thread.onSpinWait();
            }
            assertThat(savepoint).isNotDone();
            durable.countDown();
            savepoint.get();
            end(job);
        }
        assertThat(sessions.all())
                .anyMatch(
                        r ->
                                r.method().equals("DELETE")
                                        && r.path().equals("/v1/state/sessions/S-1"));
    }

    /**
     * No snapshot: that checkpoint fails and is given up, the job goes on, the next one is good.
     */
    @Test
    void aSnapshotThatIsNotThereFailsOneCheckpointAlone() throws Exception {
        ScriptedSessions sessions = new ScriptedSessions(SCORE);
        sessions.first(
                request ->
                        request.method().equals("GET") && request.path().endsWith("/1")
                                ? Answer.problem(409, "no_snapshot", false)
                                : null);
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(sessions)) {
            JobClient job = run(cluster(1), sidecar);
            assertThat(savepoint(job, sessions))
                    .failsWithin(60, TimeUnit.SECONDS)
                    .withThrowableThat()
                    .havingRootCause()
                    .withMessageContaining("no_snapshot");
            savepoint(job, sessions).get();
            end(job);
        }
        assertThat(sessions.opened()).hasSize(1);
        assertThat(sessions.all())
                .anyMatch(r -> r.method().equals("DELETE") && r.path().endsWith("/marks/1"));
    }

    /**
     * A sidecar that does not know the session has no state: the task fails, whatever is
     * configured.
     */
    @Test
    void aLostSessionIsOpenedAnew() throws Exception {
        for (String where : List.of("/evaluate", "/v1/state/sessions/S-1/marks")) {
            ScriptedSessions sessions = new ScriptedSessions(SCORE);
            CountDownLatch again = new CountDownLatch(1);
            sessions.first(
                    request -> {
                        String session = request.body().at("/state/session").asText();
                        if (session.equals("S-2")) {
                            again.countDown();
                        }
                        return request.path().equals(where) && !session.equals("S-2")
                                ? Answer.problem(404, "unknown_session", false)
                                : null;
                    });
            try (ScriptedSidecar sidecar = ScriptedSidecar.start(sessions)) {
                JobClient job =
                        run(
                                cluster(
                                        1,
                                        "execution.checkpointing.interval",
                                        "100 ms",
                                        "restart-strategy.type",
                                        "fixed-delay",
                                        "restart-strategy.fixed-delay.attempts",
                                        "10",
                                        "restart-strategy.fixed-delay.delay",
                                        "10 ms"),
                                sidecar,
                                "--drey.async.on-error",
                                "side-output");
                again.await();
                end(job);
            }
            assertThat(sessions.opened()).hasSizeGreaterThanOrEqualTo(2);
        }
    }
}
