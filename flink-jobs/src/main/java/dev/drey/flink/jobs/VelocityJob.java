package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoAsyncFunction;
import dev.drey.flink.async.GoResult;
import dev.drey.flink.jobs.count.Count;
import dev.drey.flink.jobs.fraud.Payment;
import dev.drey.flink.jobs.fraud.PaymentGenerator;
import dev.drey.flink.jobs.velocity.Counted;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Payments are counted by account in the state of the Go function {@code count}, and judged by the
 * rules of the sidecar, which see the count. The job of {@code scripts/demo --replay}: rules can be
 * changed while it runs, and the counts show whether anything was lost or counted twice.
 *
 * <pre>
 * --output-path PATH  of the decisions: JSON lines {"id","accountId","count","amount","decision","score","reasons","life"}
 * --events N          how many payments; 0 for ever
 * --rate N            payments a second; 0 as fast as it goes
 * --seed S            of the payments (42)
 * --life N            written into each line, to tell submissions of the job apart (1)
 * --follow true       go on running after the last payment
 * --parallelism N     of all but the source
 * --drey.sidecar.url URL, --drey.async...   over Flink's configuration
 * </pre>
 *
 * The sidecar needs {@code --state-enabled --state-store URL --rules-file FILE}.
 */
public final class VelocityJob {
    private static final ObjectMapper JSON = new ObjectMapper();

    private VelocityJob() {}

    /** Runs the job on the cluster it was submitted to. */
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        define(env, args);
        env.execute("velocity");
    }

    static void define(StreamExecutionEnvironment env, String... args) {
        JobArguments arguments = JobArguments.parse(args, "seed", "life");
        if (arguments.parallelism() > 0) {
            env.setParallelism(arguments.parallelism());
        }
        Configuration config = GoAsync.configuration(env, args);
        long life = arguments.count("life", 1);

        DataStream<Payment> payments =
                Sources.generated(
                        env,
                        arguments,
                        new PaymentGenerator(arguments.count("seed", 42)),
                        Payment.class,
                        WatermarkStrategy.<Payment>forMonotonousTimestamps()
                                .withTimestampAssigner((payment, before) -> payment.timestamp));

        DataStream<Counted> counted =
                GoAsync.keyed(
                                payments,
                                payment -> payment.accountId,
                                GoAsyncFunction.<Payment, Count>builder("count", Count.class)
                                        .id(payment -> payment.id)
                                        .build(config))
                        .results()
                        .map(result -> new Counted(result.input(), result.value().count))
                        .returns(TypeInformation.of(Counted.class))
                        .name("counted")
                        .uid("counted");

        GoAsync.keyed(
                        counted,
                        Counted::getAccountId,
                        GoAsyncFunction.<Counted, Verdict>builder("rules", Verdict.class)
                                .id(one -> one.payment.id)
                                .build(config))
                .results()
                .map(result -> line(result, life))
                .returns(Types.STRING)
                .name("lines")
                .uid("lines")
                .sinkTo(Decisions.files(arguments.outputPath()))
                .name("decisions")
                .uid("decisions");
    }

    private static String line(GoResult<Counted, Verdict> judged, long life) {
        Counted counted = judged.input();
        Verdict verdict = judged.value();
        ObjectNode line =
                JSON.createObjectNode()
                        .put("id", counted.payment.id)
                        .put("accountId", counted.payment.accountId)
                        .put("count", counted.count)
                        .put("amount", counted.payment.amount)
                        .put("decision", verdict.decision)
                        .put("score", verdict.score);
        verdict.reasons.forEach(line.putArray("reasons")::add);
        return line.put("life", life).toString();
    }
}
