package dev.drey.flink.async.client;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** A transport whose answers a test gives when it likes, even late or twice. */
final class ManualTransport implements Transport {
    static final class Sent {
        final BiConsumer<Reply, Throwable> done;
        boolean cancelled;

        Sent(BiConsumer<Reply, Throwable> done) {
            this.done = done;
        }

        void reply(int status, String body) {
            reply(status, null, body);
        }

        void reply(int status, String retryAfter, String body) {
            done.accept(new Reply(status, retryAfter, body.getBytes(StandardCharsets.UTF_8)), null);
        }

        void fail(Throwable failure) {
            done.accept(null, failure);
        }
    }

    final List<Sent> sent = new ArrayList<>();
    RuntimeException broken;
    boolean closed;

    @Override
    public Runnable send(Exchange exchange, BiConsumer<Reply, Throwable> done) {
        if (broken != null) {
            throw broken;
        }
        Sent request = new Sent(done);
        sent.add(request);
        return () -> request.cancelled = true;
    }

    Sent last() {
        return sent.get(sent.size() - 1);
    }

    @Override
    public String target() {
        return "http://test";
    }

    @Override
    public void close() {
        closed = true;
    }
}
