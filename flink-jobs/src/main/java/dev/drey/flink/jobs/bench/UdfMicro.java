package dev.drey.flink.jobs.bench;

import java.lang.invoke.LambdaMetafactory;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.LongUnaryOperator;
import java.util.function.UnaryOperator;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.TaskInfoImpl;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * Calls the generated classes of Go functions as Flink's generated code does, without Flink around
 * them, and prints one line of JSON. The first call is timed from {@code open} on in this fresh
 * JVM, in which only what a TaskManager has loaded anyway is loaded, and with an empty temporary
 * folder ({@code java.io.tmpdir}) it includes unpacking the library.
 *
 * <pre>
 * {"first_row_ms":41.20,"primitive_ns":61.3,"row_ns":240.1}
 * </pre>
 */
public final class UdfMicro {
    private static final int BATCH = 200_000;
    private static final int BATCHES = 15;
    private static final long WARMUP_NANOS = TimeUnit.SECONDS.toNanos(2);

    private UdfMicro() {}

    /** Fails if a function answers what it should not. */
    public static void main(String[] args) throws Throwable {
        ScalarFunction plusOne = create("PlusOne");
        ScalarFunction decide = create("Decide");
        LongUnaryOperator next =
                bind(plusOne, LongUnaryOperator.class, "applyAsLong", long.class, long.class);
        FunctionContext context = new Alone();
        warm(context);

        long start = System.nanoTime();
        plusOne.open(context);
        long answer = next.applyAsLong(41);
        double firstRowMillis = (System.nanoTime() - start) / 1e6;
        check(answer == 42, answer);

        decide.open(context);
        RowData order = GenericRowData.of(7L, 4711L, 250.0, 3, StringData.fromString("NL"), true);
        UnaryOperator<RowData> decision = row(decide);
        RowData decided = decision.apply(order);
        check(decided.getLong(0) == 7 && decided.getLong(3) == 300, decided);

        double primitive =
                nanos(
                        () -> {
                            long n = 0;
                            for (int i = 0; i < BATCH; i++) {
                                n = next.applyAsLong(n);
                            }
                            check(n == BATCH, n);
                        });
        double row =
                nanos(
                        () -> {
                            long sum = 0;
                            for (int i = 0; i < BATCH; i++) {
                                sum += decision.apply(order).getLong(3);
                            }
                            check(sum == 300L * BATCH, sum);
                        });
        plusOne.close();
        decide.close();
        System.out.printf(
                Locale.ROOT,
                "{\"first_row_ms\":%.2f,\"primitive_ns\":%.1f,\"row_ns\":%.1f}%n",
                firstRowMillis,
                primitive,
                row);
    }

    /** Loads of Flink and the JDK what a TaskManager has loaded long before its first task. */
    private static void warm(FunctionContext context) throws NoSuchAlgorithmException {
        check(context.getTaskInfo().getIndexOfThisSubtask() == 0, context);
        Configuration configuration = new Configuration();
        check(configuration.get(TaskManagerOptions.NUM_TASK_SLOTS) == 1, configuration);
        check(MessageDigest.getInstance("SHA-256").digest().length == 32, "SHA-256");
        check(ByteBuffer.allocateDirect(1).isDirect(), "a direct buffer");
    }

    private static ScalarFunction create(String name) throws ReflectiveOperationException {
        return (ScalarFunction)
                Class.forName("dev.drey.udf." + name).getDeclaredConstructor().newInstance();
    }

    /**
     * {@code eval} of a class that is not there when this is compiled, without reflection's cost.
     */
    private static <T> T bind(
            ScalarFunction function, Class<T> as, String method, Class<?> result, Class<?> argument)
            throws Throwable {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        MethodType type = MethodType.methodType(result, argument);
        MethodType erased = as == UnaryOperator.class ? MethodType.genericMethodType(1) : type;
        return as.cast(
                LambdaMetafactory.metafactory(
                                lookup,
                                method,
                                MethodType.methodType(as, function.getClass()),
                                erased,
                                lookup.findVirtual(function.getClass(), "eval", type),
                                type)
                        .getTarget()
                        .invoke(function));
    }

    @SuppressWarnings("unchecked")
    private static UnaryOperator<RowData> row(ScalarFunction function) throws Throwable {
        return bind(function, UnaryOperator.class, "apply", RowData.class, RowData.class);
    }

    /** Median over batches, of one call. */
    private static double nanos(Runnable batch) {
        for (long start = System.nanoTime(); System.nanoTime() - start < WARMUP_NANOS; ) {
            batch.run();
        }
        double[] each = new double[BATCHES];
        for (int i = 0; i < BATCHES; i++) {
            long start = System.nanoTime();
            batch.run();
            each[i] = (System.nanoTime() - start) / (double) BATCH;
        }
        Arrays.sort(each);
        return each[BATCHES / 2];
    }

    private static void check(boolean right, Object got) {
        if (!right) {
            throw new IllegalStateException("wrong answer: " + got);
        }
    }

    /** What a function may ask of the job that it is in, without one. */
    private static final class Alone extends FunctionContext {
        Alone() {
            super(null, UdfMicro.class.getClassLoader(), null);
        }

        @Override
        public TaskInfo getTaskInfo() {
            return new TaskInfoImpl("micro", 1, 0, 1, 0);
        }

        @Override
        public MetricGroup getMetricGroup() {
            return new UnregisteredMetricsGroup();
        }

        @Override
        public String getJobParameter(String key, String defaultValue) {
            return defaultValue;
        }
    }
}
