package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoAsyncFunction;
import dev.drey.flink.jobs.fraud.AccountMemory;
import dev.drey.flink.jobs.fraud.DeviceMemory;
import dev.drey.flink.jobs.fraud.Payment;
import dev.drey.flink.jobs.fraud.PaymentGenerator;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.datagen.source.GeneratorFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.walkthrough.common.entity.Transaction;
import org.apache.flink.walkthrough.common.source.TransactionSource;

/**
 * The fraud detection of Flink's walkthrough, with the decision made in Go.
 *
 * <p>What must be remembered between payments (the amount just before, known devices and regions,
 * the accounts on a device) lives in Flink's keyed state and is sent with each event; the Go
 * function {@code fraud} is a pure function of that event. So the decisions are exactly as old as
 * the checkpoint that the job is restored from.
 *
 * <pre>
 * payments -> by account: what was before -> by device: who else -> go-fraud -> files
 * </pre>
 *
 * <pre>
 * --output-path URI     folder of the decisions, see {@link Decisions}
 * --input generated     labelled payments ({@link PaymentGenerator}), or walkthrough: Flink's own data, without labels
 * --events N            how many; 0 without end
 * --seed S              of the generated payments (42)
 * --rate N              payments a second; 0 as fast as it goes
 * --follow true         go on running after the last payment
 * --parallelism N       of all but the source
 * --print true          alerts also to the TaskManager's standard output
 * --drey.sidecar.url URL, --drey.async...   over Flink's configuration
 * </pre>
 */
public final class FraudJob {
    private FraudJob() {}

    /** Runs the job on the cluster it was submitted to. */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, args);
        env.execute("fraud");
    }

    static void define(StreamExecutionEnvironment env, String... args) {
        JobArguments arguments = JobArguments.parse(args, "input", "seed");
        Configuration config = GoAsync.configuration(env, args);
        if (arguments.parallelism() > 0) {
            env.setParallelism(arguments.parallelism());
        }

        DataStream<Payment> payments =
                Sources.generated(
                        env,
                        arguments,
                        input(arguments),
                        Payment.class,
                        WatermarkStrategy.<Payment>forMonotonousTimestamps()
                                .withTimestampAssigner((payment, before) -> payment.timestamp));

        DataStream<Payment> remembered =
                payments.keyBy(payment -> payment.accountId)
                        .process(new AccountMemory())
                        .name("account-memory")
                        .uid("account-memory")
                        .keyBy(Payment::deviceKey)
                        .process(new DeviceMemory())
                        .name("device-memory")
                        .uid("device-memory");

        GoAsyncFunction<Payment, Verdict> fraud =
                GoAsyncFunction.<Payment, Verdict>builder("fraud", Verdict.class)
                        .id(Payment::idempotencyKey)
                        .build(config);
        GoAsync.Streams<Payment, Verdict> decided = GoAsync.wait(remembered, fraud);

        Decisions.write(
                decided,
                "fraud",
                (payment, line) ->
                        line.put("id", payment.id)
                                .put("timestamp", payment.timestamp)
                                .put("label", payment.label)
                                .put("accountId", payment.accountId)
                                .put("amount", payment.amount)
                                .put("region", payment.region),
                arguments.outputPath(),
                arguments.flag("print"));
    }

    private static GeneratorFunction<Long, Payment> input(JobArguments arguments) {
        String input = arguments.text("input", "generated");
        switch (input) {
            case "generated":
                return new PaymentGenerator(arguments.count("seed", 42));
            case "walkthrough":
                // Without its rate limit of ten a second: --rate says how fast.
                GeneratorFunction<Long, Transaction> transactions =
                        TransactionSource.unbounded().getGeneratorFunction();
                return index -> Payment.of(index, transactions.map(index));
            default:
                throw new IllegalArgumentException(
                        "--input is " + input + "; say generated or walkthrough");
        }
    }
}
