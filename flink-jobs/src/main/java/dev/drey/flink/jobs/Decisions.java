package dev.drey.flink.jobs;

import javax.annotation.Nullable;
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
 * OUT/errors/part-...  {"id","error","code"}: records that failed, with --via http and drey.async.on-error = side-output
 * </pre>
 */
final class Decisions {
    private static final OutputTag<String> ALERTS = new OutputTag<>("alerts", Types.STRING);
    private static final ObjectMapper JSON = new ObjectMapper();

    private Decisions() {}

    /** Writes what {@link Lines} made, and the alerts among them again. */
    static void write(SingleOutputStreamOperator<String> lines, String path, boolean print) {
        lines.sinkTo(files(path)).name("decisions").uid("decisions");
        DataStream<String> alerts = lines.getSideOutput(ALERTS);
        alerts.sinkTo(files(path + "/alerts")).name("alerts").uid("alerts");
        if (print) {
            alerts.print("alert").name("print-alerts").uid("print-alerts");
        }
    }

    /** Writes lines that {@link #error} made. */
    static void writeErrors(DataStream<String> errors, String path) {
        errors.sinkTo(files(path + "/errors")).name("errors").uid("errors");
    }

    /** Lines in a folder, exactly once. */
    static FileSink<String> files(String path) {
        return FileSink.forRowFormat(new Path(path), new SimpleStringEncoder<String>("UTF-8"))
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .build();
    }

    /** The line of a record that failed. */
    static <IN> String error(Question<IN> question, IN record, String code, String detail) {
        ObjectNode line = JSON.createObjectNode();
        question.describe(record, line);
        line.retain("id");
        line.put("error", detail);
        line.put("code", code);
        return line.toString();
    }

    /**
     * Makes the lines.
     *
     * @param <T> a record with what was decided
     * @param <IN> the record
     */
    abstract static class Lines<T, IN> extends ProcessFunction<T, String> {
        private static final long serialVersionUID = 1L;

        private final Question<IN> question;

        Lines(Question<IN> question) {
            this.question = question;
        }

        /** The line of a record; the caller adds latency and attempts. */
        final ObjectNode line(IN record, @Nullable Verdict verdict) {
            ObjectNode line = JSON.createObjectNode();
            line.put("function", question.function);
            question.describe(record, line);
            if (verdict == null) {
                line.putNull("score").putNull("decision").putNull("reasons");
            } else {
                line.put("score", verdict.score).put("decision", verdict.decision);
                verdict.reasons.forEach(line.putArray("reasons")::add);
            }
            return line;
        }

        final void emit(
                ObjectNode line, @Nullable Verdict verdict, Context to, Collector<String> out) {
            String text = line.toString();
            out.collect(text);
            if (verdict != null && verdict.isAlert()) {
                to.output(ALERTS, text);
            }
        }
    }
}
