package dev.drey.flink.async.client;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import javax.annotation.Nullable;

/**
 * One call and its attempts, one after the other. The {@link #future()} completes exactly once:
 * with what was read from an answer, or with a {@link GoCallException}.
 *
 * @param <T> what is read from the answer
 */
public final class Call<T> {
    private final GoClient client;
    private final String subject;
    private final Exchange exchange;
    private final AnswerReader<T> reader;
    private final RetryPolicy policy;
    private final CallObserver observer;
    private final long startNanos;
    private final CompletableFuture<T> future = new CompletableFuture<>();

    // Written by whoever runs the present attempt; attempts follow one another, handed over by
    // future and timer.
    private volatile int attempts;
    private volatile Runnable abort = () -> {};
    @Nullable private volatile Failure previous;

    Call(
            GoClient client,
            String subject,
            Exchange exchange,
            AnswerReader<T> reader,
            RetryPolicy policy,
            CallObserver observer) {
        this.client = client;
        this.subject = subject;
        this.exchange = exchange;
        this.reader = reader;
        this.policy = policy;
        this.observer = observer;
        this.startNanos = client.timer().nanoTime();
    }

    /** Completes exactly once, on one of the client's threads or on that of {@link #cancel}. */
    public CompletableFuture<T> future() {
        return future;
    }

    /** Requests sent so far. */
    public int attempts() {
        return attempts;
    }

    /** Since the call was made. */
    public long elapsedNanos() {
        return client.timer().nanoTime() - startNanos;
    }

    /** Ends the call with this failure, if it has not ended yet, and frees its connection. */
    public void cancel(Failure failure) {
        if (finish(null, failure)) {
            abort.run();
        }
    }

    void start() {
        if (future.isDone()) {
            return;
        }
        attempts++;
        Attempt attempt = new Attempt();
        try {
            observer.request();
            attempt.begin(policy.attemptNanos(elapsedNanos()));
        } catch (
                RuntimeException
                        e) { // the timer of a closed client, or a transport that broke its word
            attempt.settle(null, Failure.of(e, client.transport().target()));
        }
        if (future.isDone()) { // cancelled while the attempt began: nobody else knows of its
            // connection
            attempt.abort();
        }
    }

    private boolean finish(T value, Failure failure) {
        if (future.isDone()) {
            return false;
        }
        client.ended(this); // first: whoever is told by the future finds it gone
        return failure == null
                ? future.complete(value)
                : future.completeExceptionally(new GoCallException(subject, failure, attempts));
    }

    private void retryOrFail(Failure failure) {
        if (failure.isShed() && failure != previous) {
            observer.shed();
        }
        previous = failure;
        if (!failure.retryable() || client.isClosed()) {
            finish(null, failure);
            return;
        }
        long delay =
                policy.delayNanos(
                        attempts,
                        elapsedNanos(),
                        failure.retryAfterNanos(),
                        ThreadLocalRandom.current().nextDouble());
        if (delay == RetryPolicy.GIVE_UP) {
            finish(null, failure);
            return;
        }
        try {
            abort = client.timer().schedule(this::start, delay);
            observer.retry();
        } catch (RuntimeException closed) {
            finish(null, failure);
        }
        if (future.isDone()) {
            abort.run();
        }
    }

    /**
     * One request; whoever is first of answer, broken connection and deadline decides what it came
     * to.
     */
    private final class Attempt extends AtomicBoolean implements BiConsumer<Reply, Throwable> {
        private static final long serialVersionUID = 1L;

        private transient volatile Runnable cancelRequest = () -> {};
        private transient volatile Runnable cancelDeadline = () -> {};

        void begin(long deadlineNanos) {
            abort = this::abort;
            cancelDeadline = client.timer().schedule(() -> timedOut(deadlineNanos), deadlineNanos);
            cancelRequest = client.transport().send(exchange, this);
            if (get()) { // settled before the two lines above had both been written
                abort();
            }
        }

        private void timedOut(long nanos) {
            Failure before = previous;
            if (before != null && policy.isCut(nanos)) {
                // The end of the budget cut this attempt short; what ended the one before says
                // more.
                settle(null, before);
                return;
            }
            String detail =
                    "no answer from "
                            + client.transport().target()
                            + " within "
                            + nanos / 1_000_000
                            + " ms";
            settle(null, Failure.transientOne(Failure.ATTEMPT_TIMEOUT, detail, null));
        }

        @Override
        public void accept(Reply reply, Throwable failure) {
            if (get()) {
                return;
            }
            if (failure != null) {
                settle(null, Failure.of(failure, client.transport().target()));
            } else if (!exchange.accepts(reply.status())) {
                settle(null, Failure.of(reply));
            } else {
                settle(reply, null);
            }
        }

        void settle(Reply reply, Failure failure) {
            if (!compareAndSet(false, true)) {
                return;
            }
            cancelDeadline.run();
            if (failure != null) {
                cancelRequest.run();
                retryOrFail(failure);
                return;
            }
            T value;
            try {
                value = reader.read(reply.body());
            } catch (BadAnswerException e) {
                retryOrFail(e.failure());
                return;
            } catch (Throwable e) { // user classes are built here: an Error, too, must end the call
                finish(null, Failure.permanent(Failure.BAD_RESULT, String.valueOf(e), e));
                return;
            }
            finish(value, null);
        }

        void abort() {
            set(true);
            cancelDeadline.run();
            cancelRequest.run();
        }
    }
}
