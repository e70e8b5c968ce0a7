package dev.drey.flink.async;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.Request;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The function in jobs, in a small cluster in this JVM. What a job collects is exactly-once, as by
 * a good sink.
 */
@Timeout(120)
class GoAsyncClusterTest {
    private static final int RECORDS = 600;
    private static final String SCORE = "{\"score\":0.5,\"decision\":\"review\"}";

    @TempDir Path savepoints;

    private static Answer fine(Request r) {
        return Answer.result(r, SCORE);
    }

    private static boolean isPoison(Request r) {
        return r.event().path("n").asLong() % 100 == 7;
    }

    private static Answer poisonous(Request r) {
        return isPoison(r) ? Answer.problem(400, "invalid_event", false) : fine(r);
    }

    private static StreamExecutionEnvironment cluster(String... options) {
        Configuration config = new Configuration();
        config.setString("execution.checkpointing.interval", "100 ms");
        config.setString("restart-strategy.type", "none");
        config.setString("rest.bind-port", "0");
        config.setString("taskmanager.memory.network.min", "8m");
        config.setString("taskmanager.memory.network.max", "8m");
        for (int i = 0; i < options.length; i += 2) {
            config.setString(options[i], options[i + 1]);
        }
        return StreamExecutionEnvironment.createLocalEnvironment(2, config);
    }

    private static DataStream<Purchase> purchases(
            StreamExecutionEnvironment env, long count, double rate) {
        RateLimiterStrategy<?> limit =
                rate == 0 ? RateLimiterStrategy.noOp() : RateLimiterStrategy.perSecond(rate);
        return env.fromSource(
                        new DataGeneratorSource<>(
                                n -> new Purchase(n, n * 1.5),
                                count,
                                limit,
                                TypeInformation.of(Purchase.class)),
                        WatermarkStrategy.noWatermarks(),
                        "purchases")
                .uid("purchases");
    }

    private static GoAsync.Streams<Purchase, Score> score(
            DataStream<Purchase> purchases, ScriptedSidecar sidecar, String... args) {
        StreamExecutionEnvironment env = purchases.getExecutionEnvironment();
        String[] all = java.util.Arrays.copyOf(args, args.length + 2);
        all[args.length] = "--drey.sidecar.url";
        all[args.length + 1] = sidecar.url().toString();
        return GoAsync.wait(
                purchases,
                GoAsyncFunction.<Purchase, Score>builder("risk", Score.class)
                        .id(p -> "p-" + p.n)
                        .build(GoAsync.configuration(env, all)));
    }

    private static List<Long> numbers(List<GoResult<Purchase, Score>> results) {
        return results.stream().map(r -> r.input().n).sorted().collect(Collectors.toList());
    }

    private static List<Long> all(long count) {
        return LongStream.range(0, count).boxed().collect(Collectors.toList());
    }

    private static <T> List<T> collect(DataStream<T> stream) throws Exception {
        List<T> list = new ArrayList<>();
        try (CloseableIterator<T> results = stream.executeAndCollect()) {
            results.forEachRemaining(list::add);
        }
        return list;
    }

    @Test
    void completesThoughTheSidecarShedsForAWhile() throws Exception {
        AtomicInteger shed = new AtomicInteger(300);
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r ->
                                shed.getAndDecrement() > 0
                                        ? Answer.problem(503, "overloaded", true)
                                        : fine(r))) {
            List<GoResult<Purchase, Score>> results =
                    collect(score(purchases(cluster(), RECORDS, 0), sidecar).results());
            assertThat(numbers(results)).isEqualTo(all(RECORDS));
            assertThat(results).anyMatch(r -> r.attempts() > 1);
            assertThat(results).allMatch(r -> r.value().score == 0.5);
        }
    }

    @Test
    void keepsTheOrderWhenAsked() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(GoAsyncClusterTest::fine)) {
            StreamExecutionEnvironment env = cluster().setParallelism(1);
            List<GoResult<Purchase, Score>> results =
                    collect(
                            score(
                                            purchases(env, RECORDS, 0),
                                            sidecar,
                                            "--drey.async.ordered",
                                            "true")
                                    .results());
            assertThat(results)
                    .extracting(r -> r.input().n)
                    .containsExactlyElementsOf(all(RECORDS));
        }
    }

    @Test
    void aPoisonRecordFailsTheJobAndSaysWhatToDo() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(GoAsyncClusterTest::poisonous)) {
            assertThatThrownBy(
                            () ->
                                    collect(
                                            score(purchases(cluster(), RECORDS, 0), sidecar)
                                                    .results()))
                    .satisfies(
                            e ->
                                    assertThat(ExceptionUtils.stringifyException(e))
                                            .contains(
                                                    "Go function risk: invalid_event: detail of invalid_event")
                                            .contains("drey.async.on-error"));
        }
    }

    @Test
    void poisonRecordsGoOnWithNull() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(GoAsyncClusterTest::poisonous)) {
            List<GoResult<Purchase, Score>> results =
                    collect(
                            score(
                                            purchases(cluster(), RECORDS, 0),
                                            sidecar,
                                            "--drey.async.on-error",
                                            "null")
                                    .results());
            assertThat(numbers(results)).isEqualTo(all(RECORDS));
            assertThat(results)
                    .allSatisfy(
                            r -> {
                                boolean poison = r.input().n % 100 == 7;
                                assertThat(r.value() == null).isEqualTo(poison);
                                assertThat(r.error() != null).isEqualTo(poison);
                            });
        }
    }

    @Test
    void poisonRecordsGoAside() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(GoAsyncClusterTest::poisonous)) {
            GoAsync.Streams<Purchase, Score> scored =
                    score(
                            purchases(cluster(), RECORDS, 0),
                            sidecar,
                            "--drey.async.on-error",
                            "side-output");
            List<GoResult<Purchase, Score>> both = collect(scored.results().union(scored.errors()));
            assertThat(numbers(both)).isEqualTo(all(RECORDS));
            List<GoResult<Purchase, Score>> failed =
                    both.stream().filter(r -> r.error() != null).collect(Collectors.toList());
            assertThat(numbers(failed)).containsExactly(7L, 107L, 207L, 307L, 407L, 507L);
            assertThat(failed)
                    .allMatch(r -> r.error().code().equals("invalid_event") && r.value() == null);

            List<Score> values =
                    collect(
                            score(
                                            purchases(cluster(), RECORDS, 0),
                                            sidecar,
                                            "--drey.async.on-error",
                                            "side-output")
                                    .values());
            assertThat(values).hasSize(RECORDS - failed.size());
        }
    }

    @Test
    void restoresAfterAFailureWithoutLossOrDouble() throws Exception {
        AtomicInteger failures = new AtomicInteger(3);
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r ->
                                isPoison(r) && failures.getAndDecrement() > 0
                                        ? poisonous(r)
                                        : fine(r))) {
            StreamExecutionEnvironment env =
                    cluster(
                            "restart-strategy.type", "fixed-delay",
                            "restart-strategy.fixed-delay.attempts", "10",
                            "restart-strategy.fixed-delay.delay", "10 ms");
            List<GoResult<Purchase, Score>> results =
                    collect(score(purchases(env, RECORDS, 1000), sidecar).results());
            assertThat(failures.get()).isNegative();
            assertThat(numbers(results)).isEqualTo(all(RECORDS));
        }
    }

    /**
     * What is in flight belongs to the savepoint; ending its calls must not fail the job at the
     * last moment.
     */
    @Test
    void stopsWithASavepointWhileCallsHangAndGoesOnFromIt() throws Exception {
        CountDownLatch open = new CountDownLatch(1);
        CountDownLatch asked = new CountDownLatch(50);
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r -> {
                            asked.countDown();
                            open.await();
                            return fine(r);
                        })) {
            String[] options = {
                "--drey.async.capacity", "10000", "--drey.async.attempt-timeout", "30 s"
            };
            StreamExecutionEnvironment env = cluster("execution.checkpointing.interval", "1 h");
            score(purchases(env, Long.MAX_VALUE, 200), sidecar, options)
                    .results()
                    .sinkTo(new DiscardingSink<>())
                    .uid("sink");
            JobClient job = env.executeAsync();
            asked.await();
            String savepoint =
                    job.stopWithSavepoint(
                                    false,
                                    savepoints.toUri().toString(),
                                    SavepointFormatType.CANONICAL)
                            .get();
            job.getJobExecutionResult().get();
            List<Long> hung =
                    sidecar.requests().stream()
                            .map(r -> r.event().path("n").asLong())
                            .collect(Collectors.toList());

            open.countDown();
            StreamExecutionEnvironment restored =
                    cluster(
                            "execution.state-recovery.path",
                            savepoint,
                            "execution.state-recovery.ignore-unclaimed-state",
                            "true");
            List<Long> seen =
                    numbers(
                            score(purchases(restored, Long.MAX_VALUE, 200), sidecar, options)
                                    .results()
                                    .executeAndCollect(hung.size() + 100));
            assertThat(seen).containsAll(hung).doesNotHaveDuplicates();
        }
    }

    @Test
    void leavesNoThreadBehind() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(GoAsyncClusterTest::fine)) {
            String prefix = "drey-client " + sidecar.url().getAuthority();
            DataStream<Purchase> watched =
                    purchases(cluster(), RECORDS, 0)
                            .map(
                                    purchase -> {
                                        ThreadCount.most.accumulateAndGet(
                                                ThreadCount.of(prefix), Math::max);
                                        return purchase;
                                    })
                            .returns(Purchase.class);
            ThreadCount.most.set(0);
            collect(score(watched, sidecar).results());
            // Two subtasks, one client: its threads and its timer.
            assertThat(ThreadCount.most.get()).isBetween(1, 3);
            while (ThreadCount.of(prefix) > 0) {
                Thread.onSpinWait();
            }
        }
    }

    /** Static, because the function that counts is copied to the tasks. */
    private static final class ThreadCount {
        static final AtomicInteger most = new AtomicInteger();

        static int of(String prefix) {
            return (int)
                    Thread.getAllStackTraces().keySet().stream()
                            .filter(t -> t.getName().startsWith(prefix))
                            .count();
        }
    }
}
