package dev.drey.flink.async.client;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/**
 * Collects a body into an array, and gives up as soon as it is larger than allowed. Called by one
 * thread at a time.
 */
final class LimitedBody implements HttpResponse.BodySubscriber<byte[]> {

    /** The body was larger than allowed. */
    static final class TooLarge extends IOException {
        private static final long serialVersionUID = 1L;

        TooLarge(int limit) {
            super("the answer is larger than " + limit + " bytes");
        }
    }

    private static final int INITIAL = 512;

    private final int limit;
    private final CompletableFuture<byte[]> result = new CompletableFuture<>();
    private Flow.Subscription subscription;
    private byte[] buffer;
    private int length;

    private LimitedBody(int limit, int expected) {
        this.limit = limit;
        this.buffer = new byte[expected];
    }

    /** A handler that reads bodies of at most {@code limit} bytes. */
    static HttpResponse.BodyHandler<byte[]> handler(int limit) {
        return info -> {
            long announced = info.headers().firstValueAsLong("content-length").orElse(INITIAL);
            // An announced size is believed only as far as the limit goes.
            LimitedBody body =
                    new LimitedBody(limit, (int) Math.max(0, Math.min(announced, limit)));
            if (announced > limit) {
                body.result.completeExceptionally(new TooLarge(limit));
            }
            return body;
        };
    }

    @Override
    public CompletionStage<byte[]> getBody() {
        return result;
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        if (this.subscription != null || result.isDone()) {
            subscription.cancel();
            return;
        }
        this.subscription = subscription;
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(List<ByteBuffer> parts) {
        for (ByteBuffer part : parts) {
            int more = part.remaining();
            if (result.isDone()) {
                return;
            }
            if (more > limit - length) {
                subscription.cancel();
                buffer = new byte[0];
                result.completeExceptionally(new TooLarge(limit));
                return;
            }
            if (length + more > buffer.length) {
                buffer =
                        Arrays.copyOf(
                                buffer,
                                (int)
                                        Math.min(
                                                limit,
                                                Math.max(
                                                        length + (long) more, buffer.length * 2L)));
            }
            part.get(buffer, length, more);
            length += more;
        }
    }

    @Override
    public void onError(Throwable failure) {
        result.completeExceptionally(failure);
    }

    @Override
    public void onComplete() {
        result.complete(length == buffer.length ? buffer : Arrays.copyOf(buffer, length));
    }
}
