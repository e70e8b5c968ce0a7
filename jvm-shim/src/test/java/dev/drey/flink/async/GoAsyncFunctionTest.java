package dev.drey.flink.async;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.async.client.GoCallException;
import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobInfoImpl;
import org.apache.flink.api.common.TaskInfoImpl;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The function by itself: what becomes of each record's future. */
@Timeout(60)
class GoAsyncFunctionTest {
    private static final JobID JOB = new JobID(1, 2);
    private static final String ORIGIN =
            "\"origin\":{\"job\":\"" + JOB.toHexString() + "\",\"subtask\":0}";
    private static final String SCORE = "{\"score\":0.5,\"decision\":\"review\"}";

    private final CountDownLatch never = new CountDownLatch(1);
    private ScriptedSidecar sidecar;
    private GoAsyncFunction<Purchase, Score> function;

    private void open(
            ScriptedSidecar.Script script,
            GoAsyncFunction.Builder<Purchase, Score> builder,
            String... options)
            throws Exception {
        sidecar = ScriptedSidecar.start(script);
        Configuration config = new Configuration();
        config.set(GoAsyncOptions.SIDECAR_URL, sidecar.url().toString());
        for (int i = 0; i < options.length; i += 2) {
            config.setString(options[i], options[i + 1]);
        }
        // As it comes to a TaskManager.
        function = InstantiationUtil.clone(builder.build(config));
        function.setRuntimeContext(
                (RuntimeContext)
                        Proxy.newProxyInstance(
                                getClass().getClassLoader(),
                                new Class<?>[] {RuntimeContext.class},
                                (proxy, method, args) -> {
                                    if (method.getName().equals("getMetricGroup")) {
                                        return UnregisteredMetricsGroup.createOperatorMetricGroup();
                                    }
                                    if (method.getName().equals("getTaskInfo")) {
                                        return new TaskInfoImpl("go-risk", 128, 0, 1, 0);
                                    }
                                    if (method.getName().equals("getJobInfo")) {
                                        return new JobInfoImpl(JOB, "job");
                                    }
                                    throw new UnsupportedOperationException(method.getName());
                                }));
        function.open(null);
    }

    private static GoAsyncFunction.Builder<Purchase, Score> builder() {
        return GoAsyncFunction.<Purchase, Score>builder("risk", Score.class).id(p -> "p-" + p.n);
    }

    private RecordedFuture<GoResult<Purchase, Score>> invoke(Purchase purchase) {
        RecordedFuture<GoResult<Purchase, Score>> future = new RecordedFuture<>();
        function.asyncInvoke(purchase, future);
        return future;
    }

    @AfterEach
    void close() {
        never.countDown();
        if (function != null) {
            function.close();
            function.close(); // Flink may, after a failed open
        }
        if (sidecar != null) {
            sidecar.close();
        }
    }

    @Test
    void carriesTheRecordItsResultAndWhatItTook() throws Exception {
        open(r -> Answer.result(r, SCORE), builder());
        Purchase purchase = new Purchase(7, 12.5);
        GoResult<Purchase, Score> result = invoke(purchase).one();

        assertThat(result.input()).isSameAs(purchase);
        assertThat(result.value().score).isEqualTo(0.5);
        assertThat(result.value().decision).isEqualTo("review");
        assertThat(result.id()).isEqualTo("p-7");
        assertThat(result.attempts()).isEqualTo(1);
        assertThat(result.latencyMicros()).isPositive();
        assertThat(result.error()).isNull();
        assertThat(sidecar.requests().get(0).body())
                .hasToString(
                        "{\"function\":\"risk\",\"id\":\"p-7\","
                                + ORIGIN
                                + ",\"event\":{\"n\":7,\"amount\":12.5}}");
    }

    @Test
    void sendsWhatTheEventFunctionSaysAndNoIdWithoutOne() throws Exception {
        open(
                r -> Answer.result(r, SCORE),
                GoAsyncFunction.<Purchase, Score>builder("risk", Score.class)
                        .event(p -> List.of(p.n)));
        GoResult<Purchase, Score> result = invoke(new Purchase(7, 1)).one();
        assertThat(result.id()).isNull();
        assertThat(sidecar.requests().get(0).body())
                .hasToString("{\"function\":\"risk\"," + ORIGIN + ",\"event\":[7]}");
    }

    /** Flink may use the object for the next record as soon as asyncInvoke returns. */
    @Test
    void writesTheEventBeforeItReturns() throws Exception {
        open(r -> Answer.result(r, SCORE), builder());
        Purchase reused = new Purchase();
        List<RecordedFuture<GoResult<Purchase, Score>>> futures = new ArrayList<>();
        for (int n = 0; n < 200; n++) {
            reused.n = n;
            reused.amount = n * 2;
            futures.add(invoke(reused));
        }
        for (RecordedFuture<GoResult<Purchase, Score>> future : futures) {
            future.one();
        }
        assertThat(sidecar.requests()).hasSize(200);
        assertThat(sidecar.requests())
                .allSatisfy(
                        r -> {
                            assertThat(r.id()).isEqualTo("p-" + r.event().path("n").asLong());
                            assertThat(r.event().path("amount").asLong())
                                    .isEqualTo(r.event().path("n").asLong() * 2);
                        })
                .extracting(r -> r.id())
                .doesNotHaveDuplicates();
    }

    @Test
    void aPoisonRecordFailsTheJob() throws Exception {
        open(r -> Answer.problem(422, "function_error", false), builder());
        RecordedFuture<?> future = invoke(new Purchase(1, 1));
        assertThatThrownBy(future::get)
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(GoCallException.class)
                .hasMessageContaining("Go function risk: function_error: detail of function_error")
                .hasMessageContaining("HTTP 422, decision 01DECISION, 1 attempt")
                .hasMessageContaining("Next: ")
                .hasMessageContaining("drey.async.on-error");
        assertThat(future.completions()).isEqualTo(1);
    }

    @Test
    void orGoesOnWithoutAValue() throws Exception {
        open(r -> Answer.problem(422, "function_error", false), builder().onError(OnError.NULL));
        GoResult<Purchase, Score> result = invoke(new Purchase(1, 1)).one();
        assertThat(result.value()).isNull();
        assertThat(result.error().code()).isEqualTo("function_error");
        assertThat(result.error().status()).isEqualTo(422);
        assertThat(result.error().retryable()).isFalse();
        assertThat(result.error().decisionId()).isEqualTo("01DECISION");
    }

    @Test
    void configurationBeatsTheCodesOnErrorChoice() throws Exception {
        open(
                r -> Answer.problem(422, "function_error", false),
                builder().onError(OnError.FAIL),
                "drey.async.on-error",
                "side-output");
        assertThat(invoke(new Purchase(1, 1)).one().error()).isNotNull();
    }

    @Test
    void anEventThatCannotBeWrittenIsAPoisonRecord() throws Exception {
        open(
                r -> Answer.result(r, SCORE),
                builder()
                        .event(
                                p -> {
                                    if (p.n == 1) {
                                        throw new IllegalStateException("no currency");
                                    }
                                    return p.n == 2 ? new Holder() : p;
                                })
                        .onError(OnError.SIDE_OUTPUT));
        GoResult<Purchase, Score> thrown = invoke(new Purchase(1, 1)).one();
        assertThat(thrown.error().code()).isEqualTo("bad_event");
        assertThat(thrown.error().detail()).isEqualTo("no currency");
        assertThat(thrown.attempts()).isZero();
        assertThat(thrown.id()).isEqualTo("p-1");
        assertThat(invoke(new Purchase(2, 1)).one().error().code()).isEqualTo("bad_event");
        assertThat(invoke(new Purchase(3, 1)).one().error()).isNull();
        assertThat(sidecar.requests()).hasSize(1);
    }

    /** Holds itself: JSON without end. */
    static final class Holder {
        public final Holder self = this;
    }

    @Test
    void flinksTimeoutCompletesByTheOnErrorChoice() throws Exception {
        open(
                r -> {
                    never.await();
                    return null;
                },
                builder().onError(OnError.SIDE_OUTPUT));
        Purchase purchase = new Purchase(1, 1);
        RecordedFuture<GoResult<Purchase, Score>> future = invoke(purchase);
        function.timeout(purchase, future);
        function.timeout(purchase, future);

        GoResult<Purchase, Score> result = future.one();
        assertThat(result.error().code()).isEqualTo("flink_timeout");
        assertThat(result.id()).isEqualTo("p-1");
        never.countDown();
        assertThat(future.completions()).isEqualTo(1);
    }

    @Test
    void flinksTimeoutFailsTheJobWhenToldTo() throws Exception {
        open(
                r -> {
                    never.await();
                    return null;
                },
                builder());
        Purchase purchase = new Purchase(1, 1);
        RecordedFuture<GoResult<Purchase, Score>> future = invoke(purchase);
        function.timeout(purchase, future);
        assertThatThrownBy(future::get)
                .cause()
                .hasMessageContaining("drey.async.timeout above drey.async.retry-budget");
        assertThat(future.completions()).isEqualTo(1);
    }

    @Test
    void aTimeoutThatComesTooLateDoesNothing() throws Exception {
        open(r -> Answer.result(r, SCORE), builder());
        Purchase purchase = new Purchase(1, 1);
        RecordedFuture<GoResult<Purchase, Score>> future = invoke(purchase);
        future.one();
        function.timeout(purchase, future);
        assertThat(future.completions()).isEqualTo(1);
    }

    @Test
    void closingCompletesWhatIsInFlightWithNothing() throws Exception {
        open(
                r -> {
                    never.await();
                    return null;
                },
                builder());
        List<RecordedFuture<GoResult<Purchase, Score>>> futures = new ArrayList<>();
        for (int n = 0; n < 30; n++) {
            futures.add(invoke(new Purchase(n, 1)));
        }
        function.close();
        for (RecordedFuture<GoResult<Purchase, Score>> future : futures) {
            assertThat(future.isDone()).isTrue();
            assertThat(future.get()).isEmpty();
            assertThat(future.completions()).isEqualTo(1);
        }
    }

    @Test
    void refusesAFunctionWithoutName() {
        assertThatThrownBy(() -> GoAsyncFunction.builder(" ", Score.class))
                .hasMessageContaining("drey functions");
    }
}
