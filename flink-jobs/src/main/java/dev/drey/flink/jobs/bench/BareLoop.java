package dev.drey.flink.jobs.bench;

import com.sun.management.OperatingSystemMXBean;
import dev.drey.flink.async.GoAsyncOptions;
import dev.drey.flink.async.GoAsyncSettings;
import dev.drey.flink.async.GoCodec;
import dev.drey.flink.async.client.Call;
import dev.drey.flink.async.client.CallObserver;
import dev.drey.flink.async.client.GoClient;
import dev.drey.flink.jobs.Verdict;
import dev.drey.flink.jobs.fraud.Payment;
import dev.drey.flink.jobs.fraud.PaymentGenerator;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.ParameterTool;

/**
 * The same client as in the job, the same payments, the same JSON, in a loop outside Flink: what a
 * job through the sidecar can reach at most.
 *
 * <pre>
 * java -cp flink-jobs.jar:FLINK_LIB/* dev.drey.flink.jobs.bench.BareLoop \
 *     --url http://127.0.0.1:8080 --records 200000 --warmup 50000 --in-flight 200
 * {"records":200000,"errors":0,"retries":0,"seconds":12.345,"records_per_s":16200.9,"cpu_us_per_record":88.1}
 * </pre>
 */
public final class BareLoop {
    private BareLoop() {}

    /** Prints one line of JSON; fails if a call does. */
    public static void main(String[] args) throws Exception {
        ParameterTool arguments = ParameterTool.fromArgs(args);
        Configuration config = new Configuration();
        config.set(
                GoAsyncOptions.SIDECAR_URL,
                arguments.get("url", GoAsyncOptions.SIDECAR_URL.defaultValue()));
        run(
                GoAsyncSettings.from(config),
                arguments.getInt("in-flight", 200),
                arguments.getLong("seed", 42),
                arguments.getLong("warmup", 50_000),
                arguments.getLong("records", 200_000),
                System.out);
    }

    static void run(
            GoAsyncSettings settings,
            int inFlight,
            long seed,
            long warmup,
            long records,
            PrintStream out)
            throws Exception {
        GoClient client = GoClient.acquire(settings.url(0), settings.maxAnswerBytes());
        try {
            Loop loop = new Loop(client, settings, inFlight, seed);
            loop.run(0, warmup);
            loop.reset();
            long start = System.nanoTime();
            long cpuStart = cpuNanos();
            loop.run(warmup, records);
            double seconds = (System.nanoTime() - start) / 1e9;
            double cpuMicros = (cpuNanos() - cpuStart) / 1e3;
            out.printf(
                    Locale.ROOT,
                    "{\"records\":%d,\"errors\":%d,\"retries\":%d,\"seconds\":%.3f,\"records_per_s\":%.1f,"
                            + "\"cpu_us_per_record\":%.1f}%n",
                    records,
                    loop.errors.get(),
                    loop.retries.get(),
                    seconds,
                    records / seconds,
                    cpuMicros / records);
            if (loop.errors.get() > 0) {
                throw new IllegalStateException(
                        loop.errors + " calls failed, for example: " + loop.example);
            }
        } finally {
            client.close();
        }
    }

    /** Of this process, all threads. */
    private static long cpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static final class Loop implements CallObserver {
        private final GoClient client;
        private final GoAsyncSettings settings;
        private final int inFlight;
        private final GoCodec<Verdict> codec = new GoCodec<>("fraud", Verdict.class);
        private final PaymentGenerator payments;
        private final AtomicLong errors = new AtomicLong();
        private final AtomicLong retries = new AtomicLong();
        private volatile Throwable example;

        Loop(GoClient client, GoAsyncSettings settings, int inFlight, long seed) {
            this.payments = new PaymentGenerator(seed);
            this.client = client;
            this.settings = settings;
            this.inFlight = inFlight;
        }

        void reset() {
            errors.set(0);
            retries.set(0);
        }

        @Override
        public void retry() {
            retries.incrementAndGet();
        }

        void run(long first, long count) throws Exception {
            Semaphore places = new Semaphore(inFlight);
            for (long n = first; n < first + count; n++) {
                places.acquire();
                Payment payment = payments.map(n);
                String id = payment.idempotencyKey();
                Call<Verdict> call =
                        client.call(
                                "fraud",
                                codec.request(id, payment),
                                codec.answerTo(id),
                                settings.retryPolicy(),
                                this);
                call.future()
                        .whenComplete(
                                (verdict, failure) -> {
                                    if (failure != null) {
                                        errors.incrementAndGet();
                                        example = failure;
                                    }
                                    places.release();
                                });
            }
            places.acquire(inFlight);
        }
    }
}
