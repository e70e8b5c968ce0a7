package dev.drey.flink.async.client;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Where the JDK's HTTP client works. The caller's thread hands its request over and goes on:
 * resolving a name may block, and in Flink the caller is the task thread. What comes in is read on
 * the client's own selector thread, without a hand-over to another thread, which would cost more
 * than the reading (a fifth of the CPU time of a small call, measured). TLS is the exception: its
 * arithmetic is too much work for a thread that serves all connections.
 */
final class ClientExecutor implements Executor {
    private static final int THREADS = 2;

    private final ThreadPoolExecutor threads;
    private final boolean inline;

    ClientExecutor(String name, boolean tls) {
        inline = !tls;
        threads =
                new ThreadPoolExecutor(
                        tls ? THREADS : 1,
                        tls ? THREADS : 1,
                        0,
                        TimeUnit.SECONDS,
                        new LinkedBlockingQueue<>(),
                        new DaemonThreads(name),
                        // Only after shutdown: what idle connections still have to say interests
                        // nobody.
                        new ThreadPoolExecutor.DiscardPolicy());
    }

    @Override
    public void execute(Runnable task) {
        if (inline && isSelector(Thread.currentThread())) {
            task.run();
        } else {
            threads.execute(task);
        }
    }

    // By name, because the class is the JDK's own; one that is named otherwise only costs the
    // hand-over.
    private static boolean isSelector(Thread thread) {
        return thread.getClass().getName().endsWith("HttpClientImpl$SelectorManager");
    }

    void shutdown() {
        threads.shutdown();
    }
}
