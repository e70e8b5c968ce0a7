package dev.drey.flink.async.client;

import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Calls functions of one sidecar. Safe for use by several threads; never blocks them. Shared:
 * {@link #acquire} one and {@link #close} it.
 */
public final class GoClient {
    private final Transport transport;
    private final Timer timer;
    private final Runnable release;
    private final Set<Call<?>> running = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    GoClient(Transport transport, Timer timer, Runnable release) {
        this.transport = transport;
        this.timer = timer;
        this.release = release;
    }

    /**
     * The client of this process for a sidecar; every acquisition is followed by one {@link
     * #close}.
     *
     * @param url base URL, {@code /evaluate} is added
     * @param maxAnswerBytes the largest answer that is read
     */
    public static GoClient acquire(URI url, int maxAnswerBytes) {
        return SharedClients.PROCESS.acquire(url, maxAnswerBytes);
    }

    /**
     * Begins a call.
     *
     * @param function for messages only; the request names the function itself
     * @param request the body of {@code POST /evaluate}; not changed afterwards by either side
     * @param reader reads the answer
     * @param policy deadlines and retries
     * @param observer counts requests
     * @return the call, begun; its future always completes
     */
    public <T> Call<T> call(
            String function,
            byte[] request,
            AnswerReader<T> reader,
            RetryPolicy policy,
            CallObserver observer) {
        return send(
                GoCallException.subject(function),
                Exchange.evaluate(request),
                reader,
                policy,
                observer);
    }

    /**
     * Begins anything else that a sidecar answers.
     *
     * @param subject what failed when it fails, for messages
     * @param reader reads an answer that the exchange accepts
     * @return the call, begun; its future always completes
     */
    public <T> Call<T> send(
            String subject,
            Exchange exchange,
            AnswerReader<T> reader,
            RetryPolicy policy,
            CallObserver observer) {
        Call<T> call = new Call<>(this, subject, exchange, reader, policy, observer);
        running.add(call);
        if (closed) { // after it was added: whoever closes at this moment sees it, or we see that
            call.cancel(closedFailure());
        } else {
            call.start();
        }
        return call;
    }

    /** Calls that have not ended. */
    public int inFlight() {
        return running.size();
    }

    /** Gives the client back. With its last user it ends: calls in flight fail, threads stop. */
    public void close() {
        release.run();
    }

    void shutdown() {
        closed = true;
        for (Call<?> call : running) {
            call.cancel(closedFailure());
        }
        timer.close();
        transport.close();
    }

    private static Failure closedFailure() {
        return Failure.permanent(Failure.CLOSED, "the client was closed", null);
    }

    void ended(Call<?> call) {
        running.remove(call);
    }

    boolean isClosed() {
        return closed;
    }

    Transport transport() {
        return transport;
    }

    Timer timer() {
        return timer;
    }
}
