package dev.drey.flink.async;

import dev.drey.flink.async.state.Identified;
import java.util.UUID;
import javax.annotation.Nullable;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.util.function.SerializableFunction;

/**
 * Gives each record its id before it enters the asynchronous operator, so that the checkpoint has
 * the record with its id. Records that come again from the source after a restore may get other
 * ids: the state they meet knows nothing of them.
 */
final class Identify<IN> extends RichMapFunction<IN, Identified<IN>> {
    private static final long serialVersionUID = 1L;

    @Nullable private final SerializableFunction<IN, String> id;
    private transient String attempt;
    private transient long count;

    Identify(@Nullable SerializableFunction<IN, String> id) {
        this.id = id;
    }

    @Override
    public void open(OpenContext context) {
        attempt = UUID.randomUUID().toString() + '-';
    }

    @Override
    public Identified<IN> map(IN record) {
        if (id == null) {
            return new Identified<>(record, attempt + ++count);
        }
        try {
            return new Identified<>(record, id.apply(record));
        } catch (RuntimeException e) {
            // The operator comes to the same, and does with the record what is configured.
            return new Identified<>(record, null);
        }
    }
}
