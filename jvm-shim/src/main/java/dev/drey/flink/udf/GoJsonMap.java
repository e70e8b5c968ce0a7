package dev.drey.flink.udf;

import java.nio.charset.StandardCharsets;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;

/**
 * A Go function on a DataStream of JSON text: each record is an object whose keys are the
 * function's arguments, each result is JSON. Otherwise as {@link GoMap}.
 */
public final class GoJsonMap extends RichMapFunction<String, String> {
    private static final long serialVersionUID = 1L;

    private final String function;

    private transient GoJson go;

    /** A map with the function of that name. */
    public GoJsonMap(String function) {
        this.function = function;
    }

    @Override
    public void open(OpenContext context) {
        go = GoJson.open(getRuntimeContext(), function);
    }

    @Override
    public String map(String event) {
        return new String(go.call(event.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        if (go != null) {
            go.close();
            go = null;
        }
    }
}
