package dev.drey.flink.async.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.async.GoCodec;
import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The client over real connections: whatever comes back, the call ends, once. */
@Timeout(60)
class GoClientTest {
    private static final int LIMIT = 10_000;
    private static final RetryPolicy PATIENT = policy(10_000, 30_000);

    private static RetryPolicy policy(long attemptMillis, long budgetMillis) {
        return new RetryPolicy(
                TimeUnit.MILLISECONDS.toNanos(attemptMillis),
                TimeUnit.MILLISECONDS.toNanos(budgetMillis),
                TimeUnit.MILLISECONDS.toNanos(5),
                TimeUnit.MILLISECONDS.toNanos(20));
    }

    @SuppressWarnings("rawtypes")
    private static final GoCodec<Map> CODEC = new GoCodec<>("f", Map.class);

    @SuppressWarnings("rawtypes")
    private static Call<Map> call(GoClient client, RetryPolicy policy) throws Exception {
        return client.call(
                "f",
                CODEC.request("k", Map.of("n", 1)),
                CODEC.answerTo("k"),
                policy,
                CallObserver.NONE);
    }

    private static Object outcome(URI url, RetryPolicy policy, AtomicInteger attempts)
            throws Exception {
        GoClient client = GoClient.acquire(url, LIMIT);
        try {
            Call<?> call = call(client, policy);
            AtomicInteger completions = new AtomicInteger();
            call.future().whenComplete((v, e) -> completions.incrementAndGet());
            try {
                return call.future().get(30, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                return ((GoCallException) e.getCause()).code();
            } finally {
                attempts.set(call.attempts());
                assertThat(completions).hasValue(1);
                assertThat(client.inFlight()).isZero();
            }
        } finally {
            client.close();
        }
    }

    private static final class Case {
        final String name;
        final Answer first;
        final Object outcome;
        final int attempts;

        Case(String name, Answer first, Object outcome, int attempts) {
            this.name = name;
            this.first = first;
            this.outcome = outcome;
            this.attempts = attempts;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static final Map<String, Integer> GOOD = Map.of("n", 1);
    private static final String FINE = "{\"id\":\"k\",\"result\":{\"n\":1},\"timestamp\":1}";

    /** The first answer; a second is always fine. So two attempts mean: it was retried. */
    static Stream<Case> answers() {
        return Stream.of(
                new Case("fine", Answer.json(200, FINE), GOOD, 1),
                new Case(
                        "fine, with more keys",
                        Answer.json(
                                200, "{\"x\":[{}],\"id\":\"k\",\"result\":{\"n\":1},\"y\":null}"),
                        GOOD,
                        1),
                new Case(
                        "500 of a panic",
                        Answer.problem(500, "function_panic", false),
                        "function_panic",
                        1),
                new Case("500 internal", Answer.problem(500, "internal", true), GOOD, 2),
                new Case("503", Answer.problem(503, "overloaded", true), GOOD, 2),
                new Case("503 of a proxy", Answer.of(503, "text/html", "<h1>busy</h1>"), GOOD, 2),
                new Case("504", Answer.problem(504, "deadline_exceeded", true), GOOD, 2),
                new Case("502 of a proxy", Answer.of(502, "text/html", ""), GOOD, 2),
                new Case("400", Answer.problem(400, "invalid_event", false), "invalid_event", 1),
                new Case(
                        "404",
                        Answer.problem(404, "unknown_function", false),
                        "unknown_function",
                        1),
                new Case(
                        "404 of another server",
                        Answer.of(404, "text/plain", "404 page not found"),
                        "http_404",
                        1),
                new Case("413", Answer.problem(413, "body_too_large", false), "body_too_large", 1),
                new Case("422", Answer.problem(422, "function_error", false), "function_error", 1),
                new Case(
                        "redirect",
                        Answer.of(302, "text/plain", "").with("Location", "http://x/"),
                        "http_302",
                        1),
                new Case(
                        "200 HTML",
                        Answer.of(200, "text/html", "<html>welcome</html>"),
                        "bad_answer",
                        1),
                new Case("200 empty", Answer.json(200, ""), "bad_answer", 1),
                new Case("200 null", Answer.json(200, "null"), "bad_answer", 1),
                new Case("200 without result", Answer.json(200, "{\"id\":\"k\"}"), "bad_answer", 1),
                new Case(
                        "200 with null result",
                        Answer.json(200, "{\"id\":\"k\",\"result\":null}"),
                        "bad_answer",
                        1),
                new Case(
                        "200 with another id",
                        Answer.json(200, FINE.replace("\"k\"", "\"z\"")),
                        "bad_answer",
                        1),
                new Case("200 without id", Answer.json(200, "{\"result\":{}}"), "bad_answer", 1),
                new Case("200 and then more", Answer.json(200, FINE + "{}"), "bad_answer", 1),
                new Case(
                        "200 of another type",
                        Answer.json(200, "{\"id\":\"k\",\"result\":[1]}"),
                        "bad_result",
                        1),
                new Case("200 cut in its JSON", Answer.json(200, FINE.substring(0, 20)), GOOD, 2),
                new Case("200 cut in its body", Answer.json(200, FINE).cutAt(20), GOOD, 2),
                new Case(
                        "200 of 1 MB",
                        Answer.json(200, "\"" + "x".repeat(1 << 20) + "\""),
                        "answer_too_large",
                        1),
                new Case(
                        "400 of 1 MB",
                        Answer.json(400, "\"" + "x".repeat(1 << 20) + "\""),
                        "answer_too_large",
                        1),
                new Case("200 nested deep", Answer.json(200, "[".repeat(9000)), "bad_answer", 1),
                new Case(
                        "200 with a deep result",
                        Answer.json(
                                200,
                                "{\"id\":\"k\",\"result\":{\"a\":"
                                        + "[".repeat(4000)
                                        + "]".repeat(4000)
                                        + "}}"),
                        "bad_answer",
                        1));
    }

    @ParameterizedTest
    @MethodSource("answers")
    void endsWhateverIsAnswered(Case c) throws Exception {
        AtomicInteger asked = new AtomicInteger();
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r -> asked.incrementAndGet() == 1 ? c.first : Answer.json(200, FINE))) {
            AtomicInteger attempts = new AtomicInteger();
            assertThat(outcome(sidecar.url(), PATIENT, attempts)).isEqualTo(c.outcome);
            assertThat(attempts).hasValue(c.attempts);
            assertThat(sidecar.requests())
                    .allSatisfy(r -> assertThat(r.path()).isEqualTo("/evaluate"));
        }
    }

    @Test
    void addsToThePathOfTheUrl() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(r -> Answer.json(200, FINE))) {
            assertThat(outcome(URI.create(sidecar.url() + "/base"), PATIENT, new AtomicInteger()))
                    .isEqualTo(GOOD);
            assertThat(sidecar.requests().get(0).path()).isEqualTo("/base/evaluate");
        }
    }

    @Test
    void nobodyListens() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        AtomicInteger attempts = new AtomicInteger();
        assertThat(outcome(URI.create("http://127.0.0.1:" + port), policy(10_000, 2_000), attempts))
                .isEqualTo(Failure.UNREACHABLE);
        assertThat(attempts.get()).isGreaterThan(1);
    }

    /**
     * A server that sends this on its first two connections, then hangs up or not, and later
     * answers as it should.
     */
    private static Object against(
            String text, boolean hangUp, RetryPolicy policy, AtomicInteger attempts)
            throws Exception {
        String good = "HTTP/1.1 200 OK\r\nContent-Length: " + FINE.length() + "\r\n\r\n" + FINE;
        List<Socket> open = new ArrayList<>();
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            Thread accepts =
                    new Thread(
                            () -> {
                                try {
                                    while (true) {
                                        Socket socket = server.accept();
                                        open.add(socket);
                                        boolean bad = open.size() <= 2;
                                        if (socket.getInputStream().read(new byte[4096]) > 0) {
                                            byte[] bytes =
                                                    (bad ? text : good)
                                                            .getBytes(StandardCharsets.ISO_8859_1);
                                            socket.getOutputStream().write(bytes);
                                        }
                                        if (bad && hangUp) {
                                            socket.close();
                                        }
                                    }
                                } catch (IOException closed) {
                                    // the end of the test
                                }
                            });
            accepts.start();
            URI url = URI.create("http://127.0.0.1:" + server.getLocalPort());
            Object outcome = outcome(url, policy, attempts);
            server.close();
            accepts.join();
            return outcome;
        } finally {
            for (Socket socket : open) {
                socket.close();
            }
        }
    }

    /**
     * The second: the JDK's own request time-out would not see it, because that ends with the
     * headers.
     */
    @ParameterizedTest
    @ValueSource(strings = {"", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"id\""})
    void aServerThatFallsSilent(String text) throws Exception {
        AtomicInteger attempts = new AtomicInteger();
        assertThat(against(text, false, policy(100, 30_000), attempts)).isEqualTo(GOOD);
        assertThat(attempts.get()).isGreaterThanOrEqualTo(3);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
                "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"
            })
    void aServerThatHangsUpOrSpeaksNoHttp(String text) throws Exception {
        AtomicInteger attempts = new AtomicInteger();
        assertThat(against(text, true, PATIENT, attempts)).isEqualTo(GOOD);
        assertThat(attempts).hasValue(3);
    }

    @Test
    void anEndlessBodyIsNotKept() throws Exception {
        String chunk =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
                        + "x".repeat(0xffff)
                        + "\r\n";
        assertThat(against(chunk, false, PATIENT, new AtomicInteger()))
                .isEqualTo(Failure.ANSWER_TOO_LARGE);
    }

    @Test
    void closingEndsWhatHangs() throws Exception {
        CountDownLatch asked = new CountDownLatch(20);
        CountDownLatch never = new CountDownLatch(1);
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(
                        r -> {
                            asked.countDown();
                            never.await();
                            return null;
                        })) {
            GoClient client = GoClient.acquire(sidecar.url(), LIMIT);
            List<Call<?>> calls = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                calls.add(call(client, PATIENT));
            }
            asked.await();
            client.close();
            for (Call<?> call : calls) {
                assertThat(call.future()).isCompletedExceptionally();
            }
            assertThat(client.inFlight()).isZero();
        }
    }

    @Test
    void aSidecarThatComesBackAnswersAllThatWaited() throws Exception {
        try (ScriptedSidecar sidecar = ScriptedSidecar.start(r -> Answer.json(200, FINE))) {
            GoClient client = GoClient.acquire(sidecar.url(), LIMIT);
            call(client, PATIENT).future().get(); // a connection that will be stale
            sidecar.kill();
            List<Call<?>> calls = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                calls.add(call(client, PATIENT));
            }
            while (calls.stream().anyMatch(c -> c.attempts() < 2)) {
                Thread.onSpinWait();
            }
            sidecar.start();
            for (Call<?> call : calls) {
                assertThat(call.future().get(30, TimeUnit.SECONDS)).isEqualTo(GOOD);
            }
            client.close();
            assertThat(Duration.ofNanos(calls.get(0).elapsedNanos())).isPositive();
        }
    }
}
