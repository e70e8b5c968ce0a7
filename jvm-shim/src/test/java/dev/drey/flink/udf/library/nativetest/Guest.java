package dev.drey.flink.udf.library.nativetest;

import dev.drey.flink.udf.GoPanicException;
import dev.drey.flink.udf.library.GoCall;
import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.library.LibrarySettings;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * A job in a class loader of its own, as Flink gives one to each: this class, Drey's and the Go
 * library are loaded by it, and nothing of them may outlive it.
 */
public final class Guest implements Callable<String> {
    /** How many threads call at once. */
    public static final int THREADS = 4;

    private static final int CALLS = 200;

    private final Path libraryDir;

    /** With that folder for libraries. */
    public Guest(Path libraryDir) {
        this.libraryDir = libraryDir;
    }

    /**
     * Loads Go and calls it in several threads. The answer is what Go has counted for all guests.
     */
    @Override
    public String call() throws Exception {
        ClassLoader loader = Guest.class.getClassLoader();
        GoLibrary go =
                GoLibrary.load(
                        loader,
                        GoLibrary.build(loader),
                        LibrarySettings.builder().libraryDir(libraryDir).build());
        Method processJson = Class.forName("GoUDFProxy").getMethod("processJson", String.class);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                all.add(
                        threads.submit(
                                () -> {
                                    calls(go, processJson);
                                    return null;
                                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } finally {
            threads.shutdown();
            if (!threads.awaitTermination(1, TimeUnit.MINUTES)) {
                throw new IllegalStateException("a call does not end");
            }
        }
        go.open(Map.of("function", "greeting")); // as operators of Flink that close nothing do
        try (GoCall counter = go.open(Map.of("function", "calls_so_far"))) {
            counter.fixed(0, 0, 0, 0, 0);
            return go.stats();
        }
    }

    private static void calls(GoLibrary go, Method processJson) throws Exception {
        try (GoCall plusOne = go.open(Map.of("function", "plus_one"));
                GoCall bad = go.open(Map.of("function", "nil_dereference"))) {
            for (int i = 0; i < CALLS; i++) {
                expect(plusOne.fixed(0, i, 0, 0, 0) == i + 1);
                expect("[1]".equals(processJson.invoke(null, "[1]")));
            }
            try {
                bad.fixed(0, 1, 0, 0, 0);
                expect(false);
            } catch (GoPanicException e) {
                expect(e.getStackTrace().length > 0);
            }
        }
    }

    private static void expect(boolean so) {
        if (!so) {
            throw new IllegalStateException("not as expected");
        }
    }
}
