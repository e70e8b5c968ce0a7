package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoResult;
import java.io.Serializable;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Writes decisions as JSON lines, one a decision, exactly once: a file appears under its name when
 * the checkpoint that covers it is complete.
 *
 * <pre>
 * OUT/part-...         {"id","function","timestamp","score","decision","reasons","label","latency_us","attempts", ...}
 * OUT/alerts/part-...  those whose decision is alert, again
 * OUT/errors/part-...  {"id","error","code"}: records that failed, with drey.async.on-error = side-output
 * </pre>
 */
final class Decisions {
    private static final OutputTag<String> ALERTS = new OutputTag<>("alerts", Types.STRING);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Adds to a line what only the job knows of its record: at least id, timestamp and label. */
    @FunctionalInterface
    interface Describe<IN> extends Serializable {
        void describe(IN record, ObjectNode line);
    }

    private Decisions() {}

    static <IN> void write(
            GoAsync.Streams<IN, Verdict> decided,
            String function,
            Describe<IN> describe,
            String path,
            boolean print) {
        SingleOutputStreamOperator<String> lines =
                decided.results()
                        .process(new Lines<>(function, describe))
                        .name("decisions-to-json")
                        .uid("decisions-to-json");
        lines.sinkTo(files(path)).name("decisions").uid("decisions");

        DataStream<String> alerts = lines.getSideOutput(ALERTS);
        alerts.sinkTo(files(path + "/alerts")).name("alerts").uid("alerts");
        if (print) {
            alerts.print("alert").name("print-alerts").uid("print-alerts");
        }

        decided.errors()
                .map(failed -> error(failed, describe))
                .returns(Types.STRING)
                .name("errors-to-json")
                .uid("errors-to-json")
                .sinkTo(files(path + "/errors"))
                .name("errors")
                .uid("errors");
    }

    private static FileSink<String> files(String path) {
        return FileSink.forRowFormat(new Path(path), new SimpleStringEncoder<String>("UTF-8"))
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
    }

    private static <IN> String error(GoResult<IN, Verdict> failed, Describe<IN> describe) {
        ObjectNode line = JSON.createObjectNode();
        describe.describe(failed.input(), line);
        line.retain("id");
        line.put("error", failed.error().detail());
        line.put("code", failed.error().code());
        return line.toString();
    }

    private static final class Lines<IN> extends ProcessFunction<GoResult<IN, Verdict>, String> {
        private static final long serialVersionUID = 1L;

        private final String function;
        private final Describe<IN> describe;

        Lines(String function, Describe<IN> describe) {
            this.function = function;
            this.describe = describe;
        }

        @Override
        public void processElement(
                GoResult<IN, Verdict> result, Context context, Collector<String> out) {
            ObjectNode line = JSON.createObjectNode();
            line.put("function", function);
            describe.describe(result.input(), line);
            Verdict verdict = result.value();
            if (verdict == null) { // with drey.async.on-error = null
                line.putNull("score").putNull("decision").putNull("reasons");
                line.put("code", result.error().code());
            } else {
                line.put("score", verdict.score).put("decision", verdict.decision);
                verdict.reasons.forEach(line.putArray("reasons")::add);
            }
            line.put("latency_us", result.latencyMicros()).put("attempts", result.attempts());
            String text = line.toString();
            out.collect(text);
            if (verdict != null && verdict.isAlert()) {
                context.output(ALERTS, text);
            }
        }
    }
}
