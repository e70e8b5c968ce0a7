package dev.drey.flink.jobs;

import dev.drey.flink.udf.GoJson;
import java.io.IOException;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectWriter;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.util.Collector;

/**
 * Asks Go in the TaskManager, in the task's own thread: the record as JSON is the event, its fields
 * are the arguments by name, as the sidecar has it. The jar of the functions is in Flink's lib, or
 * its content in the job's jar. A record that Go refuses fails the job.
 *
 * <p>Latency is of the call, with the record made JSON and the answer read.
 */
final class ViaUdf<IN> extends Decisions.Lines<IN, IN> {
    private static final long serialVersionUID = 1L;

    private final String function;

    private transient GoJson go;
    private transient ObjectWriter events;
    private transient ObjectReader verdicts;

    ViaUdf(Question<IN> question) {
        super(question);
        this.function = question.function;
    }

    @Override
    public void open(OpenContext context) {
        ObjectMapper mapper =
                new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        events = mapper.writer();
        verdicts = mapper.readerFor(Verdict.class);
        go = GoJson.open(getRuntimeContext(), function);
    }

    @Override
    public void processElement(IN record, Context context, Collector<String> out)
            throws IOException {
        long start = System.nanoTime();
        Verdict verdict = verdicts.readValue(go.call(events.writeValueAsBytes(record)));
        long nanos = System.nanoTime() - start;
        ObjectNode line = line(record, verdict);
        line.put("latency_us", nanos / 1e3).put("attempts", 1);
        emit(line, verdict, context, out);
    }

    @Override
    public void close() {
        if (go != null) {
            go.close();
            go = null;
        }
    }
}
