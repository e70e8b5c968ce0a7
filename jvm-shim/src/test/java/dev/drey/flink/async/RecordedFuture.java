package dev.drey.flink.async;

import java.util.Collection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/** Keeps the first completion, as Flink does, and counts them all, as Flink does not. */
final class RecordedFuture<T> implements ResultFuture<T> {
    private final CompletableFuture<Collection<T>> first = new CompletableFuture<>();
    private final AtomicInteger completions = new AtomicInteger();

    @Override
    public void complete(Collection<T> result) {
        completions.incrementAndGet();
        first.complete(result);
    }

    @Override
    public void complete(CollectionSupplier<T> supplier) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void completeExceptionally(Throwable error) {
        completions.incrementAndGet();
        first.completeExceptionally(error);
    }

    Collection<T> get() throws Exception {
        return first.get(30, TimeUnit.SECONDS);
    }

    T one() throws Exception {
        Collection<T> all = get();
        if (all.size() != 1) {
            throw new AssertionError("one result expected, got " + all);
        }
        return all.iterator().next();
    }

    boolean isDone() {
        return first.isDone();
    }

    int completions() {
        return completions.get();
    }
}
