package dev.drey.flink.udf.library.nativetest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.drey.flink.udf.GoLibraryException;
import dev.drey.flink.udf.GoPanicException;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;

/** What the JVM and Go share in a process: signals, stacks, threads, memory. */
final class ProcessScenarios {
    private static final int NULL_POINTERS = 100_000;
    private static final int OVERFLOWS = 200;
    private static final int TURNS = 500;
    private static final int OVERFLOW_EVERY = 25;
    private static final int SHORT_THREADS = 2_000;
    private static final int FIXED_CALLS = 200_000;
    private static final long SMALLEST_GO_ALLOCATION = 8;

    private final GoLibrary go;
    private final List<GoLibrary> all;

    /** With a library, and others that are loaded too. */
    ProcessScenarios(GoLibrary go, GoLibrary... others) {
        this.go = go;
        this.all = new ArrayList<>(List.of(others));
        all.add(0, go);
    }

    void addTo(Scenarios all) {
        addFaultsTo(all, "");
        all.add("threads that come and go", this::shortThreads)
                .add("a handle used by two threads", this::twoThreads)
                .add("no allocation in a call of fixed width", this::allocatesNothing)
                .add("the library describes itself and counts", this::describes);
    }

    /** The faults of the JVM and of Go, both of which the handlers of all libraries see. */
    void addFaultsTo(Scenarios all, String prefix) {
        all.add(prefix + "NullPointerExceptions of Java", this::nullPointers)
                .add(prefix + "StackOverflowErrors of Java", this::stackOverflows)
                .add(prefix + "faults of Java and Go in turn, in many threads", this::faultsInTurn);
    }

    private GoCall open(String function) {
        return go.open(Map.of("function", function));
    }

    private static final class Node {
        int value;
    }

    private void nullPointers() {
        Node[] nodes = {new Node(), null};
        int caught = 0;
        try (GoCall plusOne = open("plus_one")) {
            for (int i = 0; i < NULL_POINTERS; i++) {
                try {
                    nodes[i & 1].value++;
                } catch (NullPointerException e) {
                    caught++;
                }
            }
            assertThat(plusOne.fixed(0, caught, 0, 0, 0)).isEqualTo(NULL_POINTERS / 2 + 1);
        }
        // By the signal, even where the compiler has learned to expect null.
        for (int i = 0; i < NULL_POINTERS; i++) {
            assertThatNull(null);
        }
    }

    private static void assertThatNull(Node node) {
        try {
            node.value = 1;
        } catch (NullPointerException e) {
            return;
        }
        throw new AssertionError("null has a field");
    }

    private static int recurse(int depth) {
        return recurse(depth + 1) + 1;
    }

    private void overflow() {
        try {
            recurse(0);
        } catch (StackOverflowError e) {
            return;
        }
        throw new AssertionError("the stack has no end");
    }

    private void stackOverflows() throws InterruptedException {
        try (GoCall plusOne = open("plus_one")) {
            for (int i = 0; i < OVERFLOWS; i++) {
                overflow();
                assertThat(plusOne.fixed(0, i, 0, 0, 0)).isEqualTo(i + 1);
            }
        }
        inThread(this::overflow); // one that Go has not seen
    }

    private void faultsInTurn() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        AtomicReference<Throwable> failed = new AtomicReference<>();
        for (int t = 0; t < 4; t++) {
            threads.add(thread(this::turns, failed));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failed.get()).isNull();
    }

    private void turns() {
        for (int i = 0; i < TURNS; i++) {
            for (GoLibrary one : all) {
                try (GoCall bad = one.open(Map.of("function", "nil_dereference"));
                        GoCall wild = one.open(Map.of("function", "wild_pointer"));
                        GoCall good = one.open(Map.of("function", "plus_one"))) {
                    assertThatNull(null);
                    assertThatThrownBy(() -> bad.fixed(0, 1, 0, 0, 0))
                            .isInstanceOf(GoPanicException.class);
                    assertThatThrownBy(() -> wild.fixed(0, 8, 0, 0, 0))
                            .isInstanceOf(GoPanicException.class);
                    assertThat(good.fixed(0, i, 0, 0, 0)).isEqualTo(i + 1);
                }
            }
            if (i % OVERFLOW_EVERY == 0) {
                overflow();
            }
        }
    }

    private void shortThreads() throws InterruptedException {
        inThread(() -> callOnce(0)); // the memory of the first is not what is looked for
        long before = residentKilobytes();
        for (int i = 0; i < SHORT_THREADS; i++) {
            int n = i;
            inThread(() -> callOnce(n));
        }
        assertThat(residentKilobytes() - before)
                .as("kB more after %d threads, each with a signal stack of 128 kB", SHORT_THREADS)
                .isLessThan(SHORT_THREADS * 128L / 4);
    }

    private void callOnce(int n) {
        try (GoCall call = open("plus_one")) {
            assertThat(call.fixed(0, n, 0, 0, 0)).isEqualTo(n + 1);
        }
    }

    private static long residentKilobytes() {
        try {
            for (String line : Files.readAllLines(Paths.get("/proc/self/status"))) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        throw new AssertionError("no VmRSS");
    }

    private void twoThreads() throws InterruptedException {
        BlockingQueue<Object> outcomes = new LinkedBlockingQueue<>();
        try (GoCall shared = open("waits_for_release");
                GoCall other = open("waits_for_release")) {
            for (int t = 0; t < 2; t++) {
                new Thread(
                                () -> {
                                    try {
                                        outcomes.add(shared.fixed(0, 7, 0, 0, 0));
                                    } catch (RuntimeException e) {
                                        outcomes.add(e);
                                    }
                                })
                        .start();
            }
            // The one that waits in Go cannot be the first to end.
            assertThat(outcomes.take())
                    .isInstanceOf(GoLibraryException.class)
                    .extracting(e -> ((Exception) e).getMessage())
                    .asString()
                    .contains("another thread");
            assertThatThrownBy(shared::close)
                    .isInstanceOf(GoLibraryException.class)
                    .hasMessageContaining("another thread");
            other.fixed(0, 0, 0, 0, 0);
            assertThat(outcomes.take()).isEqualTo(7L);
        }
    }

    private void allocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long me = Thread.currentThread().getId();
        try (GoCall call = open("plus_one")) {
            long n = 0;
            for (int i = 0; i < 20_000; i++) { // until compiled, and the counters' own first use
                n = call.fixed(0, n, 0, 0, 0);
                threads.getThreadAllocatedBytes(me);
            }
            long goBefore = goBytes();
            long before = threads.getThreadAllocatedBytes(me);
            for (int i = 0; i < FIXED_CALLS; i++) {
                n = call.fixed(0, n, 0, 0, 0);
            }
            long after = threads.getThreadAllocatedBytes(me);
            assertThat(after - before).as("bytes in Java for %d calls", FIXED_CALLS).isZero();
            assertThat(goBytes() - goBefore)
                    .as("bytes in Go for %d calls and two looks", FIXED_CALLS)
                    .isLessThan(FIXED_CALLS * SMALLEST_GO_ALLOCATION / 2);
            assertThat(n).isEqualTo(20_000 + FIXED_CALLS);
        }
    }

    /** What Go has ever allocated. */
    private long goBytes() {
        return Long.parseLong(go.stats().replaceAll("(?s).*\"allocated_bytes\":([0-9]+).*", "$1"));
    }

    private void describes() {
        assertThat(go.describe())
                .contains("\"name\":\"plus_one\"", "\"kind\":\"RAW\"", "DECIMAL(5, 2)");
        assertThat(go.effective()).containsKeys("go_version", "gomaxprocs");
        assertThat(go.build()).matches("[0-9a-f]{16}");
        try (GoCall call = open("division_by_zero")) {
            assertThatThrownBy(() -> call.fixed(0, 0, 0, 0, 0))
                    .isInstanceOf(GoPanicException.class);
            assertThat(go.stats())
                    .containsPattern(
                            "\"division_by_zero\":\\{\"open\":1,\"calls\":[1-9][0-9]*,"
                                    + "\"errors\":[1-9][0-9]*,\"panics\":[1-9]");
        }
    }

    private static void inThread(Runnable body) throws InterruptedException {
        AtomicReference<Throwable> failed = new AtomicReference<>();
        thread(body, failed).join();
        assertThat(failed.get()).isNull();
    }

    private static Thread thread(Runnable body, AtomicReference<Throwable> failed) {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                body.run();
                            } catch (Throwable e) {
                                failed.compareAndSet(null, e);
                            }
                        });
        thread.start();
        return thread;
    }
}
