package dev.drey.flink.jobs;

import dev.drey.flink.jobs.fraud.AccountMemory;
import dev.drey.flink.jobs.fraud.DeviceMemory;
import dev.drey.flink.jobs.fraud.Payment;
import dev.drey.flink.jobs.fraud.PaymentGenerator;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
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
 * payments -> by account: what was before -> by device: who else -> Go -> files
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
 * --via http            how Go is asked: http, udf or sql, see {@link Verdicts}
 * --go-jar URI          with sql: the functions' jar, if it is not in Flink's lib
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

        Verdicts.write(env, remembered, question(), Payment::idempotencyKey, arguments, args);
    }

    private static Question<Payment> question() {
        return Question.<Payment>of(
                        "fraud",
                        (payment, line) ->
                                line.put("id", payment.id)
                                        .put("timestamp", payment.timestamp)
                                        .put("label", payment.label)
                                        .put("accountId", payment.accountId)
                                        .put("amount", payment.amount)
                                        .put("region", payment.region))
                .with("accountId", "BIGINT NOT NULL", payment -> payment.accountId)
                .with("timestamp", "BIGINT NOT NULL", payment -> payment.timestamp)
                .with("amount", "DOUBLE NOT NULL", payment -> payment.amount)
                .with("device", "STRING", payment -> payment.device)
                .with("ip", "STRING", payment -> payment.ip)
                .with("region", "STRING", payment -> payment.region)
                .with("previousAmount", "DOUBLE", payment -> payment.previousAmount)
                .with("previousTimestamp", "BIGINT", payment -> payment.previousTimestamp)
                .with("newDevice", "BOOLEAN", payment -> payment.newDevice)
                .with("newRegion", "BOOLEAN", payment -> payment.newRegion)
                .with("accountsOnDevice", "BIGINT", payment -> payment.accountsOnDevice);
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
