package dev.drey.flink.udf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.drey.flink.udf.library.GoLibrary;
import dev.drey.flink.udf.subject.SubjectJar;
import dev.drey.flink.udf.subject.TaskContext;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.management.ManagementFactory;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.Map;
import java.util.Random;
import org.apache.flink.table.data.StringData;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Generated classes as Flink's generated code uses them. */
@Timeout(300)
class GoScalarFunctionIT {
    private URLClassLoader loader;

    @BeforeEach
    void load() throws Exception {
        loader =
                new URLClassLoader(
                        new URL[] {SubjectJar.of("queries").toUri().toURL()},
                        getClass().getClassLoader());
    }

    @AfterEach
    void unload() throws Exception {
        loader.close();
    }

    private GoScalarFunction function(String className) throws Exception {
        return Class.forName("dev.drey.udf." + className, true, loader)
                .asSubclass(GoScalarFunction.class)
                .getConstructor()
                .newInstance();
    }

    private static MethodHandle eval(GoScalarFunction go, MethodType type) throws Exception {
        return MethodHandles.lookup()
                .findVirtual(go.getClass(), "eval", type)
                .asType(type.insertParameterTypes(0, GoScalarFunction.class));
    }

    @Test
    void callsWithNumbersAllocateNothing() throws Throwable {
        GoScalarFunction go = function("PlusOne");
        MethodHandle eval = eval(go, MethodType.methodType(long.class, long.class));
        go.open(TaskContext.of(loader));
        com.sun.management.ThreadMXBean threads =
                (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long self = Thread.currentThread().getId();
        int calls = 20_000;
        long bytes = Long.MAX_VALUE;
        try {
            for (int round = 0; round < 5; round++) { // the first ones link and load
                long before = threads.getThreadAllocatedBytes(self);
                for (int i = 0; i < calls; i++) {
                    if ((long) eval.invokeExact(go, (long) i) != i + 1) {
                        throw new AssertionError("plus_one(" + i + ")");
                    }
                }
                bytes = Math.min(bytes, threads.getThreadAllocatedBytes(self) - before);
            }
        } finally {
            go.close();
        }

        assertThat(bytes).isLessThan(calls / 10);
        assertThat(GoLibrary.runtimes()).isPositive();
    }

    @Test
    void whatThePlannerReadOfTheManifestIsNotReadAgainByTheTaskManager() throws Throwable {
        byte[] sent = InstantiationUtil.serializeObject(function("PlusOne"));
        try (URLClassLoader taskManager =
                new URLClassLoader(loader.getURLs(), getClass().getClassLoader()) {
                    @Override
                    public URL getResource(String name) {
                        return name.endsWith("manifest.json") ? null : super.getResource(name);
                    }
                }) {
            GoScalarFunction go = InstantiationUtil.deserializeObject(sent, taskManager);
            assertThat(go.getClass().getClassLoader()).isSameAs(taskManager);
            assertThat(go.manifest().arguments()).hasToString("[value BIGINT NOT NULL]");
            go.open(TaskContext.of(taskManager));
            try {
                MethodHandle eval = eval(go, MethodType.methodType(long.class, long.class));
                assertThat((long) eval.invokeExact(go, 41L)).isEqualTo(42);
            } finally {
                go.close();
            }
        }
    }

    @Test
    void failedCallsLeaveTheFunctionAsItWas() throws Throwable {
        GoScalarFunction go = function("FailOn");
        MethodHandle eval = eval(go, MethodType.methodType(long.class, long.class));
        go.open(TaskContext.of(loader));
        try {
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(() -> eval.invoke(go, 13L))
                        .isInstanceOf(GoFunctionException.class)
                        .hasMessageContaining("thirteen is unlucky")
                        .satisfies(
                                e -> assertThat(((GoException) e).function()).isEqualTo("fail_on"));
                assertThat((long) eval.invoke(go, 12L)).isEqualTo(12);
            }
        } finally {
            go.close();
        }
    }

    @Test
    void valuesThatWereReturnedStayWhatTheyAre() throws Throwable {
        GoScalarFunction go = function("JoinStrict");
        MethodHandle eval =
                eval(go, MethodType.methodType(StringData.class, Long.class, StringData.class));
        go.open(TaskContext.of(loader));
        try {
            Object first = eval.invoke(go, 1L, StringData.fromString("one"));
            Object second = eval.invoke(go, 2L, StringData.fromString("TWO"));
            Object none = eval.invoke(go, 3L, (StringData) null);

            assertThat(first).hasToString("1:one");
            assertThat(second).hasToString("2:TWO");
            assertThat(none).isNull();
        } finally {
            go.close();
        }
    }

    @Test
    void bytesThatAreNotUtf8ReachGoAsTheyAre() throws Throwable {
        GoScalarFunction go = function("BytesOf");
        MethodHandle eval = eval(go, MethodType.methodType(byte[].class, StringData.class));
        go.open(TaskContext.of(loader));
        try {
            byte[] invalid = {'a', (byte) 0xff, 'b', (byte) 0xc3};

            assertThat((byte[]) eval.invoke(go, StringData.fromBytes(invalid))).isEqualTo(invalid);
        } finally {
            go.close();
        }
    }

    @Test
    void largeValuesGrowTheBuffersBothWays() throws Throwable {
        GoScalarFunction go = function("BytesOf");
        MethodHandle eval = eval(go, MethodType.methodType(byte[].class, StringData.class));
        go.open(TaskContext.of(loader));
        try {
            for (int size : new int[] {10, 10 << 20, 5000, 0}) {
                byte[] text = new byte[size];
                new Random(size).nextBytes(text);

                assertThat((byte[]) eval.invoke(go, StringData.fromBytes(text))).isEqualTo(text);
            }
        } finally {
            go.close();
        }
    }

    @Test
    void accumulatorsOfOtherTypesAreRefused() throws Exception {
        GoAggregateFunction go =
                Class.forName("dev.drey.udf.Total", true, loader)
                        .asSubclass(GoAggregateFunction.class)
                        .getConstructor()
                        .newInstance();
        go.open(TaskContext.of(loader));
        try {
            GoAccumulator restored = go.createAccumulator();
            assertThat(go.getValue(restored)).isEqualTo(0L);
            restored.bytes = "of another build, which kept something else".getBytes();

            assertThatThrownBy(() -> go.getValue(restored))
                    .isInstanceOf(GoException.class)
                    .hasMessageContaining("accumulator");
        } finally {
            go.close();
        }
    }

    @Test
    void anOpenThatFailsSaysWhy() throws Exception {
        GoScalarFunction go = function("Greet");

        assertThatThrownBy(() -> go.open(TaskContext.of(loader, Map.of("greeting", ""))))
                .isInstanceOf(GoException.class)
                .hasMessageContaining("set it to some words");
        go.close(); // as Flink does
        assertThatThrownBy(
                        () ->
                                go.open(
                                        TaskContext.of(
                                                loader, Map.of("drey.udf.call-timeout", "soon"))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("drey.udf.call-timeout");
    }
}
