package dev.drey.flink.async.client;

import java.lang.reflect.Method;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;

/**
 * HTTP/1.1 through the JDK's client, keep-alive, as many connections as requests are in flight.
 *
 * <p>HTTP/1.1 and not 2: over plaintext the JDK would first send an upgrade request, and one
 * connection for all records would be one queue for all. The client's own request time-out ends
 * with the headers, so deadlines are the {@link Call}'s.
 */
final class HttpTransport implements Transport {
    // Never the caller's, Flink's task thread: resolving a host name blocks. The JDK's default, a
    // thread for each task that
    // waits, costs half as much again for small calls (measured).
    private static final int THREADS = 2;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

    private final String target;
    private final ThreadPoolExecutor executor;
    private final URI evaluate;
    private final HttpResponse.BodyHandler<byte[]> bodies;
    private volatile HttpClient http;

    HttpTransport(URI base, int maxAnswerBytes, String name) {
        target = base.toString();
        executor =
                new ThreadPoolExecutor(
                        THREADS,
                        THREADS,
                        0,
                        TimeUnit.SECONDS,
                        new LinkedBlockingQueue<>(),
                        new DaemonThreads(name),
                        // Only after shutdown: what idle connections still have to say interests
                        // nobody.
                        new ThreadPoolExecutor.DiscardPolicy());
        evaluate = URI.create(base + "/evaluate");
        bodies = LimitedBody.handler(maxAnswerBytes);
        http = newClient(executor);
    }

    // The JDK's selector thread inherits the context class loader and may outlive the job until the
    // next garbage
    // collection: it must not be the job's.
    private static HttpClient newClient(Executor executor) {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(ClassLoader.getSystemClassLoader());
        try {
            return HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .connectTimeout(CONNECT_TIMEOUT)
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .executor(executor)
                    .build();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    @Override
    public Runnable send(Exchange exchange, BiConsumer<Reply, Throwable> done) {
        HttpClient client = http;
        if (client == null) {
            done.accept(null, new IllegalStateException("the client is closed"));
            return () -> {};
        }
        CompletableFuture<HttpResponse<byte[]>> answer =
                client.sendAsync(request(exchange), bodies);
        answer.whenComplete(
                (response, failure) -> {
                    if (failure != null) {
                        done.accept(null, cause(failure));
                    } else {
                        String retryAfter =
                                response.statusCode() == 200
                                        ? null
                                        : response.headers().firstValue("retry-after").orElse(null);
                        done.accept(
                                new Reply(response.statusCode(), retryAfter, response.body()),
                                null);
                    }
                });
        // It must be this very future: cancelling one that depends on it leaves the connection
        // open.
        return () -> answer.cancel(true);
    }

    private HttpRequest request(Exchange exchange) {
        // Parsing a URL for each record costs more than the rest of this.
        URI url =
                exchange.path().equals("/evaluate")
                        ? evaluate
                        : URI.create(target + exchange.path());
        HttpRequest.Builder request =
                HttpRequest.newBuilder(url)
                        .header("Accept", "application/json, application/problem+json");
        if (exchange.body() == null) {
            return request.method(exchange.method(), HttpRequest.BodyPublishers.noBody()).build();
        }
        return request.header("Content-Type", "application/json")
                .method(exchange.method(), HttpRequest.BodyPublishers.ofByteArray(exchange.body()))
                .build();
    }

    @Override
    public String target() {
        return target;
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null
                ? failure.getCause()
                : failure;
    }

    /**
     * Ends the threads. Before JDK 21 the client's selector thread and its idle connections go with
     * the next garbage collection: there is no other way to end them.
     */
    @Override
    public void close() {
        HttpClient client = http;
        http = null;
        if (client != null) {
            shutdown(client);
        }
        executor.shutdown();
    }

    private static void shutdown(HttpClient client) {
        try {
            Method shutdownNow = HttpClient.class.getMethod("shutdownNow"); // since 21
            shutdownNow.invoke(client);
        } catch (ReflectiveOperationException e) {
            // An older JDK: see close().
        }
    }
}
