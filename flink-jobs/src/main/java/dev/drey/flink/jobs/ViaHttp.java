package dev.drey.flink.jobs;

import dev.drey.flink.async.GoAsync;
import dev.drey.flink.async.GoAsyncFunction;
import dev.drey.flink.async.GoResult;
import java.io.Serializable;
import java.util.function.Function;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.util.Collector;

/** Asks the sidecar: the record as JSON is the event, its fields are the arguments by name. */
final class ViaHttp {
    private ViaHttp() {}

    /** Of a record; the same again when it is sent again. */
    @FunctionalInterface
    interface Id<IN> extends Function<IN, String>, Serializable {}

    static <IN> GoAsync.Streams<IN, Verdict> ask(
            DataStream<IN> records, Question<IN> question, Id<IN> id, Configuration config) {
        GoAsyncFunction<IN, Verdict> function =
                GoAsyncFunction.<IN, Verdict>builder(question.function, Verdict.class)
                        .id(id::apply)
                        .build(config);
        return GoAsync.wait(records, function);
    }

    static <IN> DataStream<String> errors(
            GoAsync.Streams<IN, Verdict> asked, Question<IN> question) {
        return asked.errors()
                .map(
                        failed ->
                                Decisions.error(
                                        question,
                                        failed.input(),
                                        failed.error().code(),
                                        failed.error().detail()))
                .returns(Types.STRING)
                .name("errors-to-json")
                .uid("errors-to-json");
    }

    /** Latency is from the record's arrival at the operator to its answer, retries included. */
    static final class Lines<IN> extends Decisions.Lines<GoResult<IN, Verdict>, IN> {
        private static final long serialVersionUID = 1L;

        Lines(Question<IN> question) {
            super(question);
        }

        @Override
        public void processElement(
                GoResult<IN, Verdict> result, Context context, Collector<String> out) {
            ObjectNode line = line(result.input(), result.value());
            if (result.value() == null) { // with drey.async.on-error = null
                line.put("code", result.error().code());
            }
            line.put("latency_us", result.latencyMicros()).put("attempts", result.attempts());
            emit(line, result.value(), context, out);
        }
    }
}
