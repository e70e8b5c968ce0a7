package dev.drey.flink.async.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.drey.flink.async.sidecartest.Answer;
import dev.drey.flink.async.sidecartest.ScriptedSidecar;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SharedClientsTest {
    private static final URI A = URI.create("http://127.0.0.1:1");
    private static final URI B = URI.create("http://127.0.0.1:2");

    private final SharedClients clients = new SharedClients();

    @Test
    void oneForEachSidecarUntilTheLastUserLeaves() {
        GoClient first = clients.acquire(A, 10);
        GoClient second = clients.acquire(A, 10);
        GoClient other = clients.acquire(B, 10);
        assertThat(second).isSameAs(first);
        assertThat(other).isNotSameAs(first);
        assertThat(clients.acquire(A, 20)).isNotSameAs(first);
        assertThat(clients.users(A, 10)).isEqualTo(2);

        first.close();
        assertThat(first.isClosed()).isFalse();
        assertThat(clients.users(A, 10)).isEqualTo(1);
        second.close();
        assertThat(first.isClosed()).isTrue();
        assertThat(clients.users(A, 10)).isZero();
        second.close(); // once too often: nothing more
        assertThat(other.isClosed()).isFalse();

        GoClient next = clients.acquire(A, 10);
        assertThat(next).isNotSameAs(first);
        assertThat(next.isClosed()).isFalse();
    }

    @Test
    void countsRightWithManyThreads() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        List<Thread> threads = new ArrayList<>();
        List<GoClient> seen = java.util.Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 8; i++) {
            Thread thread =
                    new Thread(
                            () -> {
                                try {
                                    go.await();
                                } catch (InterruptedException e) {
                                    return;
                                }
                                for (int n = 0; n < 50; n++) {
                                    GoClient client = clients.acquire(A, 10);
                                    if (client.isClosed()) {
                                        seen.add(client);
                                    }
                                    client.close();
                                }
                            });
            threads.add(thread);
            thread.start();
        }
        go.countDown();
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(seen).isEmpty();
        assertThat(clients.users(A, 10)).isZero();
    }

    private static List<String> threadsOf(URI url) {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("drey-client " + url.getAuthority()))
                .collect(Collectors.toList());
    }

    private static long selectors() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(
                        t ->
                                t.getName().startsWith("HttpClient-")
                                        && t.getName().endsWith("SelectorManager"))
                .count();
    }

    @Test
    void itsThreadsEndWithIt() throws Exception {
        long before = selectors();
        try (ScriptedSidecar sidecar =
                ScriptedSidecar.start(r -> Answer.json(200, "{\"id\":\"k\",\"result\":{}}"))) {
            GoClient client = clients.acquire(sidecar.url(), 1000);
            client.call(
                            "f",
                            new byte[] {'{', '}'},
                            body -> "",
                            new RetryPolicy(1L << 40, 1L << 41, 1, 1),
                            CallObserver.NONE)
                    .future()
                    .get();
            assertThat(threadsOf(sidecar.url())).isNotEmpty();
            client.close();
            client = null;
            while (!threadsOf(sidecar.url()).isEmpty()) {
                Thread.onSpinWait();
            }
            // The JDK's own thread goes with the next collection (before JDK 21).
            while (selectors() > before) {
                System.gc();
                Thread.sleep(50);
            }
        }
    }
}
