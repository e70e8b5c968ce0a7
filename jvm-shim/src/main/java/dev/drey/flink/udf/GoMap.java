package dev.drey.flink.udf;

import java.io.IOException;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.DeserializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectReader;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectWriter;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.SerializationFeature;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.json.JsonMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.datatype.jdk8.Jdk8Module;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;

/**
 * A Go function on a DataStream, in the task's own thread: each record becomes a JSON object, whose
 * keys are the function's arguments, and the JSON of its result is read into a class.
 *
 * <pre>{@code
 * DataStream<Verdict> verdicts = flights.map(new GoMap<>("flights", Verdict.class));
 * }</pre>
 *
 * <p>The jar with the function is in {@code lib/} or in the job's jar. A failure of the function
 * fails the task.
 *
 * @param <IN> what Jackson writes as a JSON object
 * @param <OUT> what Jackson reads, a Flink POJO to be cheap on the way downstream; keys that it
 *     does not have are left out
 */
public final class GoMap<IN, OUT> extends RichMapFunction<IN, OUT>
        implements ResultTypeQueryable<OUT> {
    private static final long serialVersionUID = 1L;

    private final String function;
    private final Class<OUT> resultClass;

    private transient GoJson go;
    private transient ObjectWriter events;
    private transient ObjectReader results;

    /**
     * A map with the function of that name.
     *
     * @param result what its results are read into
     */
    public GoMap(String function, Class<OUT> result) {
        this.function = function;
        this.resultClass = result;
    }

    @Override
    public void open(OpenContext context) {
        JsonMapper mapper =
                JsonMapper.builder()
                        .addModules(new Jdk8Module(), new JavaTimeModule())
                        .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
                        .disable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
                        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                        .build();
        events = mapper.writer();
        results = mapper.readerFor(resultClass);
        go = GoJson.open(getRuntimeContext(), function);
    }

    @Override
    public OUT map(IN record) throws IOException {
        OUT result = results.readValue(go.call(events.writeValueAsBytes(record)));
        if (result == null) {
            throw new IOException(
                    "Go function "
                            + function
                            + " gave null; a stream has no place for it: return a value, or use SQL");
        }
        return result;
    }

    @Override
    public void close() {
        if (go != null) {
            go.close();
            go = null;
        }
    }

    @Override
    public TypeInformation<OUT> getProducedType() {
        return TypeInformation.of(resultClass);
    }
}
