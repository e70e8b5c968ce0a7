package dev.drey.flink.async.state;

import dev.drey.flink.async.client.AnswerReader;
import dev.drey.flink.async.client.Call;
import dev.drey.flink.async.client.CallObserver;
import dev.drey.flink.async.client.Exchange;
import dev.drey.flink.async.client.Failure;
import dev.drey.flink.async.client.GoCallException;
import dev.drey.flink.async.client.GoClient;
import dev.drey.flink.async.client.RetryPolicy;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One attempt of a subtask, as the sidecar knows it. {@link #open} and {@link #close} wait; nothing
 * else does. The task thread calls everything but {@link #send} and what futures are told.
 */
public final class GoSession {
    private static final Logger LOG = LoggerFactory.getLogger(GoSession.class);

    /** After these the session is of no use: Flink has to restore both sides. */
    private static final Set<String> FATAL =
            Set.of(
                    "unknown_session",
                    "fenced",
                    "not_restored",
                    "conflict",
                    "wrong_key_group",
                    "stale");

    // The sidecar holds the question open so long; connections are usually cut after more.
    private static final String WAIT = "?wait=20s";
    // Whoever waits for a snapshot is told by Flink when to stop, so these questions have no budget
    // of their own.
    private static final RetryPolicy WAITING =
            new RetryPolicy(
                    TimeUnit.SECONDS.toNanos(30),
                    TimeUnit.DAYS.toNanos(30),
                    TimeUnit.MILLISECONDS.toNanos(100),
                    TimeUnit.SECONDS.toNanos(2));
    private static final Duration FAREWELL = Duration.ofSeconds(2);

    private final GoClient client;
    private final SessionSpec spec;
    private final RetryPolicy policy;
    private final Consumer<Throwable> fatal;
    private final String name;
    private final String path;
    private final Map<Long, CompletableFuture<String>> waiting = new ConcurrentHashMap<>();

    private long epoch; // of the task thread
    private long watermark = Long.MIN_VALUE; // of the task thread
    private final Moments moments = new Moments();

    private GoSession(
            GoClient client,
            SessionSpec spec,
            RetryPolicy policy,
            Consumer<Throwable> fatal,
            String name) {
        this.client = client;
        this.spec = spec;
        this.policy = policy;
        this.fatal = fatal;
        this.name = name;
        this.path = "/v1/state/sessions/" + name;
    }

    /**
     * Opens a session, and loads the state that a checkpoint refers to. Older sessions of the
     * subtask are fenced by that.
     *
     * @param policy of everything but the restore
     * @param restore of the restore, whose answer comes when the state is in place
     * @param references of all subtasks, as the checkpoint has them; none for a new state
     * @param fatal is told, on any thread, when the session has come to an end that was not asked
     *     for
     * @throws GoCallException says what to do
     */
    static GoSession open(
            GoClient client,
            SessionSpec spec,
            RetryPolicy policy,
            RetryPolicy restore,
            List<String> references,
            Consumer<Throwable> fatal)
            throws GoCallException, InterruptedException {
        boolean restored = !references.isEmpty();
        String name =
                get(
                        client.send(
                                spec.toString(),
                                Exchange.post(
                                        "/v1/state/sessions",
                                        SessionDocuments.open(spec, restored)),
                                SessionDocuments::session,
                                policy,
                                CallObserver.NONE));
        GoSession session = new GoSession(client, spec, policy, fatal, name);
        if (restored) {
            long begun = System.nanoTime();
            byte[] body = SessionDocuments.restore(references);
            get(session.send(Exchange.post(session.path + "/restore", body), restore));
            LOG.info(
                    "{}: restored from {} references in {} ms, session {}",
                    spec,
                    references.size(),
                    (System.nanoTime() - begun) / 1_000_000,
                    name);
        } else {
            LOG.info("{}: begins without state, session {}", spec, name);
        }
        return session;
    }

    private Call<Void> send(Exchange exchange, RetryPolicy policy) {
        return send(exchange, SessionDocuments.NOTHING, policy);
    }

    private <T> Call<T> send(Exchange exchange, AnswerReader<T> reader, RetryPolicy policy) {
        return client.send(spec.toString(), exchange, reader, policy, CallObserver.NONE);
    }

    private static <T> T get(Call<T> call) throws GoCallException, InterruptedException {
        try {
            return call.future().get();
        } catch (ExecutionException e) {
            throw (GoCallException) e.getCause(); // nothing else ends a call
        } catch (InterruptedException e) {
            call.cancel(Failure.permanent(Failure.CLOSED, "the task was stopped", null));
            throw e;
        }
    }

    /** Whether such a failure of a request means that the state here is not that of the job. */
    public static boolean isFatal(Throwable failure) {
        return failure instanceof GoCallException
                && FATAL.contains(((GoCallException) failure).code());
    }

    /**
     * Where a request for this key belongs, if it is sent now.
     *
     * @param id of the record; null if it is not going to be sent
     */
    public Place place(Object key, @Nullable String id) {
        int keyGroup = Keys.group(key, spec.maxParallelism);
        Runnable answered = id == null ? () -> {} : moments.begin(id, watermark);
        return new Place(
                name, epoch, keyGroup, key.toString(), watermark, moments.low(watermark), answered);
    }

    /** At which watermarks the records came that have no answer yet, by their ids. */
    Map<String, Long> unanswered() {
        return moments.all();
    }

    int keyGroup(Object key) {
        return Keys.group(key, spec.maxParallelism);
    }

    void watermark(long timestamp) {
        watermark = timestamp;
    }

    /**
     * Requests that are sent from now on are of the epoch of this barrier, whose mark {@link #send}
     * sends.
     *
     * @return the reference of the snapshot, when it is in the store. Cancelling it gives the
     *     snapshot up. If it fails, the checkpoint has to
     */
    CompletableFuture<String> mark(Mark mark) {
        epoch = mark.checkpoint;
        CompletableFuture<String> durable = new CompletableFuture<>();
        waiting.put(mark.checkpoint, durable);
        durable.whenComplete((reference, failure) -> waiting.remove(mark.checkpoint, durable));
        return durable;
    }

    /** Tells the sidecar of a barrier, unless the snapshot was given up. On any thread. */
    void send(Mark mark) {
        CompletableFuture<String> durable = waiting.get(mark.checkpoint);
        if (durable == null) {
            return;
        }
        Call<Void> sent = send(Exchange.post(path + "/marks", SessionDocuments.mark(mark)), policy);
        cancelWith(durable, sent);
        sent.future()
                .whenComplete(
                        (nothing, failure) -> {
                            if (failure == null) {
                                await(durable, mark.checkpoint);
                            } else {
                                fail(durable, failure);
                            }
                        });
    }

    private void await(CompletableFuture<String> durable, long checkpoint) {
        if (durable.isDone()) {
            return;
        }
        Call<String> asked =
                send(
                        Exchange.get(path + "/marks/" + checkpoint + WAIT),
                        SessionDocuments::reference,
                        WAITING);
        cancelWith(durable, asked);
        asked.future()
                .whenComplete(
                        (reference, failure) -> {
                            if (failure != null) {
                                fail(durable, failure);
                            } else if (reference == null) {
                                await(durable, checkpoint);
                            } else {
                                durable.complete(reference);
                            }
                        });
    }

    private static void cancelWith(CompletableFuture<?> future, Call<?> call) {
        future.whenComplete(
                (value, failure) ->
                        call.cancel(
                                Failure.permanent(
                                        Failure.CLOSED, "the checkpoint was given up", null)));
    }

    private void fail(CompletableFuture<String> durable, Throwable failure) {
        boolean first = durable.completeExceptionally(failure);
        if (first && isFatal(failure)) {
            fatal.accept(failure);
        }
    }

    /** Flink has given a checkpoint up. */
    void abort(long checkpoint) {
        CompletableFuture<String> durable = waiting.get(checkpoint);
        if (durable != null) {
            durable.cancel(false);
        }
        // If nobody hears of it the next snapshot takes its place: no reason to wait.
        send(Exchange.delete(path + "/marks/" + checkpoint), policy);
    }

    /** Ends the session; if that cannot be said quickly, the sidecar drops it when it is idle. */
    void close() {
        waiting.values().forEach(durable -> durable.cancel(false));
        long nanos = FAREWELL.toNanos();
        Call<Void> farewell =
                send(Exchange.delete(path), new RetryPolicy(nanos, nanos, nanos / 20, nanos / 4));
        try {
            farewell.future().get(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{}: session {} was not ended", spec, name, e);
        }
    }

    @Override
    public String toString() {
        return spec + ", session " + name;
    }
}
