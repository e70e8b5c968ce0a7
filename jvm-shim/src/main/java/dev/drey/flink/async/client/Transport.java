package dev.drey.flink.async.client;

import java.util.function.BiConsumer;

/** Carries one request to the sidecar and its answer back, without blocking the caller. */
interface Transport {
    /**
     * Sends one request.
     *
     * @param exchange its body is not changed afterwards by either side
     * @param done told once, on any thread, possibly before this method returns: the answer, or why
     *     there is none
     * @return gives up the request and frees its connection; {@code done} may still be told
     */
    Runnable send(Exchange exchange, BiConsumer<Reply, Throwable> done);

    /** Where requests go, for messages. */
    String target();

    /** Frees threads and connections. */
    void close();
}
