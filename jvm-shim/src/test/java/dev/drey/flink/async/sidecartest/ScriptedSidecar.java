package dev.drey.flink.async.sidecartest;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * A real HTTP server on a free loopback port whose answers are a script's. It can be killed,
 * connections and all, and started again on the same port.
 */
public final class ScriptedSidecar implements AutoCloseable {
    /** What to answer; may block. A thrown exception breaks the connection without an answer. */
    @FunctionalInterface
    public interface Script {
        Answer answer(Request request) throws Exception;
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Script script;
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final boolean keep;
    private int port;
    private HttpServer server;
    private ExecutorService threads;

    private ScriptedSidecar(Script script, boolean keep) {
        this.script = script;
        this.keep = keep;
    }

    /** Starts one; it keeps what it was asked. */
    public static ScriptedSidecar start(Script script) {
        ScriptedSidecar sidecar = new ScriptedSidecar(script, true);
        sidecar.start();
        return sidecar;
    }

    /** Begins to listen; after {@link #kill()} on the same port as before. */
    public void start() {
        try {
            server =
                    HttpServer.create(
                            new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 512);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        port = server.getAddress().getPort();
        threads = Executors.newCachedThreadPool();
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    private void handle(HttpExchange exchange) throws IOException {
        try {
            Request request =
                    new Request(
                            exchange.getRequestMethod(),
                            exchange.getRequestURI().getPath(),
                            JSON.readTree(exchange.getRequestBody().readAllBytes()));
            if (keep) {
                requests.add(request);
            }
            Answer answer = script.answer(request);
            answer.headers.forEach(exchange.getResponseHeaders()::set);
            exchange.sendResponseHeaders(
                    answer.status, answer.announced == 0 ? -1 : answer.announced);
            if (answer.announced > 0) {
                OutputStream out = exchange.getResponseBody();
                out.write(answer.body);
                out.flush();
                if (answer.body.length == answer.announced) {
                    out.close();
                }
            }
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        } finally {
            exchange.close();
        }
    }

    /** Ends it at once: calls in flight get no answer, new ones no connection. */
    public void kill() {
        server.stop(0);
        threads.shutdownNow();
    }

    /** Where it answers. */
    public URI url() {
        return URI.create("http://127.0.0.1:" + port);
    }

    /** What it was asked, in the order of arrival. */
    public List<Request> requests() {
        return requests;
    }

    @Override
    public void close() {
        kill();
    }
}
