package dev.drey.flink.async.state;

import java.io.Serializable;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/**
 * Which key a record has, for Flink and for Go.
 *
 * @param <IN> the record
 */
public final class Keys<IN> implements Serializable {
    private static final long serialVersionUID = 1L;

    private final KeySelector<IN, ?> selector;

    /**
     * @param type of the keys
     * @throws IllegalArgumentException keys of that type have no text that Go could know them by
     */
    public Keys(KeySelector<IN, ?> selector, TypeInformation<?> type) {
        if (!(type instanceof BasicTypeInfo)) {
            throw new IllegalArgumentException(
                    "the key of a Go function with state must be a string, a number or another basic type, not "
                            + type
                            + "; let the KeySelector return a string that is another one for another key");
        }
        this.selector = selector;
    }

    /** The key of a record; never null. */
    public Object of(IN record) throws Exception {
        Object key = selector.getKey(record);
        if (key == null) {
            throw new IllegalArgumentException("the key of a record is null: " + record);
        }
        return key;
    }

    /** The key group as Flink computes it, so that state moves as records do. */
    static int group(Object key, int maxParallelism) {
        return KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism);
    }
}
