package dev.drey.flink.jobs.state;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Keyed state of every kind. With k = number mod keys, each key has
 *
 * <pre>
 * visits     value, Long              how many of its numbers came by
 * payload    value, byte[]            k mod 40 bytes: {@link KnownBytes#pattern} of subtask 0, entry k
 * fields     map, String to Long      "field-i" to 10 k + i, for i from 0 to k mod 3
 * history    list, byte[]             entry i of i bytes, for i from 0 to k mod 4: pattern of subtask k, entry i
 * </pre>
 *
 * and one timer of processing time, {@link #NEVER} + k ms.
 *
 * @param <K> type of the key
 */
public final class KnownKeys<K> extends KeyedProcessFunction<K, Long, Void> {
    private static final long serialVersionUID = 1L;

    /** The year 2100, in ms since 1970. */
    static final long NEVER = 4_102_444_800_000L;

    private final long keys;
    private final long pauseMillis;

    private transient ValueState<Long> visits;
    private transient ValueState<byte[]> payload;
    private transient MapState<String, Long> fields;
    private transient ListState<byte[]> history;

    /**
     * @param keys how many keys there are
     * @param pauseMillis how long one number takes, which makes others wait
     */
    public KnownKeys(long keys, long pauseMillis) {
        this.keys = keys;
        this.pauseMillis = pauseMillis;
    }

    @Override
    public void open(OpenContext context) {
        visits = getRuntimeContext().getState(new ValueStateDescriptor<>("visits", Types.LONG));
        payload =
                getRuntimeContext()
                        .getState(new ValueStateDescriptor<>("payload", KnownLists.BYTES));
        fields =
                getRuntimeContext()
                        .getMapState(new MapStateDescriptor<>("fields", Types.STRING, Types.LONG));
        history =
                getRuntimeContext()
                        .getListState(new ListStateDescriptor<>("history", KnownLists.BYTES));
    }

    @Override
    public void processElement(Long number, Context context, Collector<Void> out) throws Exception {
        if (pauseMillis > 0) {
            Thread.sleep(pauseMillis);
        }
        Long before = visits.value();
        visits.update(before == null ? 1 : before + 1);
        if (before != null) {
            return;
        }
        int k = Math.toIntExact(number % keys);
        payload.update(KnownBytes.pattern(0, k, k % 40));
        for (int i = 0; i <= k % 3; i++) {
            fields.put("field-" + i, 10L * k + i);
        }
        for (int i = 0; i <= k % 4; i++) {
            history.add(KnownBytes.pattern(k, i, i));
        }
        context.timerService().registerProcessingTimeTimer(NEVER + k);
    }
}
