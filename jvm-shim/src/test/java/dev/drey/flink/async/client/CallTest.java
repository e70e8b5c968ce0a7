package dev.drey.flink.async.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Retries, deadlines and endings, with a clock and a transport that the test moves. */
class CallTest {
    private static final long ATTEMPT = Duration.ofSeconds(5).toNanos();
    private static final long BUDGET = Duration.ofSeconds(60).toNanos();
    private static final RetryPolicy POLICY =
            new RetryPolicy(
                    ATTEMPT,
                    BUDGET,
                    Duration.ofMillis(50).toNanos(),
                    Duration.ofSeconds(2).toNanos());
    private static final String OVERLOADED =
            "{\"code\":\"overloaded\",\"detail\":\"queue is full\",\"retryable\":true,\"retry_after_ms\":700}";

    private final ManualTimer timer = new ManualTimer();
    private final ManualTransport transport = new ManualTransport();
    private final GoClient client = new GoClient(transport, timer, () -> {});
    private final AtomicInteger completions = new AtomicInteger();

    private Call<String> call() {
        return call(body -> new String(body, StandardCharsets.UTF_8));
    }

    private Call<String> call(AnswerReader<String> reader) {
        Call<String> call = client.call("fraud", new byte[0], reader, POLICY, CallObserver.NONE);
        call.future().whenComplete((v, e) -> completions.incrementAndGet());
        return call;
    }

    private static GoCallException failureOf(Call<?> call) throws InterruptedException {
        try {
            call.future().get();
            throw new AssertionError("the call succeeded");
        } catch (ExecutionException e) {
            return (GoCallException) e.getCause();
        }
    }

    private void assertEnded(Call<?> call, int attempts) {
        assertThat(call.future()).isDone();
        assertThat(completions).hasValue(1);
        assertThat(call.attempts()).isEqualTo(attempts);
        assertThat(client.inFlight()).isZero();
        assertThat(timer.waiting()).isZero();
    }

    @Test
    void succeedsAtOnce() {
        Call<String> call = call();
        transport.last().reply(200, "yes");
        assertThat(call.future()).isCompletedWithValue("yes");
        assertEnded(call, 1);
    }

    @Test
    void waitsAtLeastAsLongAsTheSidecarAsks() {
        Call<String> call = call();
        transport.last().reply(503, OVERLOADED);
        assertThat(call.future()).isNotDone();

        long waited = timer.runNext();
        assertThat(Duration.ofNanos(waited))
                .isBetween(Duration.ofMillis(700), Duration.ofMillis(750));
        transport.last().reply(200, "yes");
        assertThat(call.future()).isCompletedWithValue("yes");
        assertEnded(call, 2);
    }

    @Test
    void readsRetryAfterInSecondsWhenNothingElseIsSaid() {
        call();
        transport.last().reply(503, "2", "busy");
        assertThat(Duration.ofNanos(timer.runNext()))
                .isBetween(Duration.ofSeconds(2), Duration.ofMillis(2050));
    }

    @Test
    void aRetryAfterPastTheBudgetEndsTheCallAtOnce() throws Exception {
        Call<String> call = call();
        transport.last().reply(503, "3600", "maintenance");
        assertThat(failureOf(call))
                .hasMessageContaining("retry budget spent")
                .hasMessageContaining("maintenance");
        assertEnded(call, 1);
    }

    @Test
    void connectionErrorsAreRetried() {
        Call<String> call = call();
        transport.last().fail(new IOException("connection reset"));
        timer.runNext();
        transport.last().reply(200, "yes");
        assertThat(call.future()).isCompletedWithValue("yes");
        assertEnded(call, 2);
    }

    @Test
    void anAttemptWithoutAnswerIsGivenUpAndRetried() {
        Call<String> call = call();
        assertThat(timer.runNext()).isEqualTo(ATTEMPT);
        assertThat(transport.last().cancelled).isTrue();
        timer.runNext();
        assertThat(transport.sent).hasSize(2);
        transport.last().reply(200, "yes");
        assertEnded(call, 2);
    }

    @Test
    void theAnswerOfAnAttemptThatWasGivenUpIsIgnored() {
        Call<String> call = call();
        timer.runNext();
        transport.sent.get(0).reply(200, "late");
        assertThat(call.future()).isNotDone();
        timer.runNext();
        transport.sent.get(0).reply(200, "later");
        transport.sent.get(0).fail(new IOException("latest"));
        transport.last().reply(200, "yes");
        transport.last().reply(200, "twice");
        assertThat(call.future()).isCompletedWithValue("yes");
        assertEnded(call, 2);
    }

    @Test
    void endsWithinItsBudgetWhenNobodyEverAnswers() throws Exception {
        long start = timer.nanoTime();
        Call<String> call = call();
        while (timer.runNext() >= 0) {
            assertThat(timer.nanoTime() - start).isLessThanOrEqualTo(BUDGET);
        }
        assertThat(failureOf(call).code()).isEqualTo(Failure.ATTEMPT_TIMEOUT);
        assertThat(failureOf(call)).hasMessageContaining("drey.async.retry-budget");
        assertEnded(call, transport.sent.size());
        assertThat(timer.nanoTime() - start)
                .isGreaterThan(BUDGET - Duration.ofSeconds(3).toNanos());
    }

    /** And does not hide what went wrong before behind "no answer within 3 ms". */
    @Test
    void theLastAttemptEndsWithTheBudget() throws Exception {
        Call<String> call = call();
        long start = timer.nanoTime();
        timer.advance(BUDGET - Duration.ofMillis(100).toNanos());
        transport.last().reply(503, OVERLOADED.replace("700", "10"));
        timer.runNext();
        assertThat(transport.sent).hasSize(2);
        timer.runNext();
        assertThat(timer.nanoTime() - start).isEqualTo(BUDGET);
        assertThat(failureOf(call).code()).isEqualTo("overloaded");
        assertEnded(call, 2);
    }

    @Test
    void aPoisonRecordIsNotRetried() throws Exception {
        Call<String> call = call();
        transport
                .last()
                .reply(
                        400,
                        "{\"code\":\"invalid_event\",\"detail\":\"amount: missing\",\"retryable\":false}");
        assertThat(failureOf(call).code()).isEqualTo("invalid_event");
        assertThat(failureOf(call).status()).isEqualTo(400);
        assertThat(failureOf(call))
                .hasMessageContaining("Go function fraud: invalid_event: amount: missing")
                .hasMessageContaining("side-output");
        assertEnded(call, 1);
    }

    @Test
    void aBadAnswerEndsTheCallAndATruncatedOneIsRetried() throws Exception {
        Call<String> call =
                call(
                        body -> {
                            if (transport.sent.size() == 1) {
                                throw BadAnswerException.truncated();
                            }
                            throw BadAnswerException.foreign("no JSON", body);
                        });
        transport.last().reply(200, "{");
        timer.runNext();
        transport.last().reply(200, "<html>");
        assertThat(failureOf(call)).hasMessageContaining("no JSON; it begins: <html>");
        assertEnded(call, 2);
    }

    @Test
    void anErrorInTheReaderEndsTheCall() throws Exception {
        Call<String> call =
                call(
                        body -> {
                            throw new NoClassDefFoundError("Verdict");
                        });
        transport.last().reply(200, "{}");
        assertThat(failureOf(call).code()).isEqualTo(Failure.BAD_RESULT);
        assertEnded(call, 1);
    }

    @Test
    void cancelledWhileInFlight() throws Exception {
        Call<String> call = call();
        call.cancel(Failure.permanent(Failure.CLOSED, "stopped", null));
        assertThat(failureOf(call).code()).isEqualTo(Failure.CLOSED);
        assertThat(transport.last().cancelled).isTrue();
        transport.last().reply(200, "late");
        assertEnded(call, 1);
    }

    @Test
    void cancelledWhileItWaits() throws Exception {
        Call<String> call = call();
        transport.last().fail(new IOException("broken"));
        call.cancel(Failure.permanent(Failure.CLOSED, "stopped", null));
        assertThat(failureOf(call).code()).isEqualTo(Failure.CLOSED);
        assertEnded(call, 1);
    }

    @Test
    void aTransportThatThrowsIsLikeABrokenConnection() {
        transport.broken = new IllegalStateException("selector closed");
        Call<String> call = call();
        assertThat(call.future()).isNotDone();
        transport.broken = null;
        while (transport.sent.isEmpty()) {
            timer.runNext();
        }
        transport.last().reply(200, "yes");
        assertEnded(call, 2);
    }

    @Test
    void shutdownEndsWhatFliesAndWhatWaitsAndWhatComes() throws Exception {
        Call<String> flies = call();
        Call<String> waits = call();
        transport.last().fail(new IOException("broken"));
        client.shutdown();
        Call<String> comes = call();
        for (Call<String> call : java.util.List.of(flies, waits, comes)) {
            assertThat(failureOf(call).code()).isEqualTo(Failure.CLOSED);
        }
        assertThat(completions).hasValue(3);
        assertThat(transport.closed).isTrue();
        assertThat(transport.sent).hasSize(2);
        assertThat(client.inFlight()).isZero();
    }

    @Test
    void countsWhatItDoes() {
        int[] counts = new int[3];
        CallObserver observer =
                new CallObserver() {
                    @Override
                    public void request() {
                        counts[0]++;
                    }

                    @Override
                    public void retry() {
                        counts[1]++;
                    }

                    @Override
                    public void shed() {
                        counts[2]++;
                    }
                };
        client.call("f", new byte[0], body -> "", POLICY, observer);
        transport.last().reply(503, OVERLOADED);
        timer.runNext();
        transport.last().fail(new IOException("broken"));
        timer.runNext();
        transport.last().reply(200, "yes");
        assertThat(counts).containsExactly(3, 2, 1);
    }

    @Test
    void aFailureHasNoStackTraceToPayFor() {
        Call<String> call = call();
        transport.last().reply(422, "{\"code\":\"function_error\",\"retryable\":false}");
        assertThatThrownBy(() -> call.future().get())
                .cause()
                .satisfies(e -> assertThat(e.getStackTrace()).isEmpty());
    }
}
