package dev.drey.flink.jobs.state;

import java.util.List;
import org.apache.flink.api.common.state.BroadcastState;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Passes numbers on and has operator state of every kind. All but {@code seen} is a function of the
 * subtask and the size of a large entry, also after a restore, whatever was restored:
 *
 * <pre>
 * bytes      list of byte[]            {@link KnownBytes#entries}
 * longs      list of Long              Long.MIN_VALUE, -1, 0, the subtask, Long.MAX_VALUE
 * texts      list of String            "", "a", "\0", "größer 数 😀", 1000 times "x"
 * none       list of byte[]            without entries
 * seen       list of Long              how many numbers came by: one entry
 * union      union list of byte[]      {@link KnownBytes#entries}
 * names      broadcast String->byte[]  "" -> 0 bytes, "one" -> 1 byte, "large" -> large bytes of a pattern
 * blobs      broadcast byte[]->byte[]  17 bytes -> 300 bytes
 * </pre>
 */
public final class KnownLists extends ProcessFunction<Long, Long> implements CheckpointedFunction {
    private static final long serialVersionUID = 1L;

    static final TypeInformation<byte[]> BYTES =
            PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
    private static final List<String> TEXTS =
            List.of("", "a", "\0", "größer 数 😀", "x".repeat(1000));

    private final int large;
    private final boolean union;

    private transient ListState<Long> seenState;
    private transient long seen;

    /**
     * @param large bytes of a large entry
     * @param union whether there is union state: Flink makes no checkpoint where an operator has
     *     that and some of its subtasks have finished
     */
    public KnownLists(int large, boolean union) {
        this.large = large;
        this.union = union;
    }

    @Override
    public void processElement(Long number, Context context, Collector<Long> out) {
        seen++;
        out.collect(number);
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        OperatorStateStore store = context.getOperatorStateStore();
        store.getListState(new ListStateDescriptor<>("bytes", BYTES))
                .update(KnownBytes.entries(subtask, large));
        store.getListState(new ListStateDescriptor<>("longs", Types.LONG))
                .update(List.of(Long.MIN_VALUE, -1L, 0L, (long) subtask, Long.MAX_VALUE));
        store.getListState(new ListStateDescriptor<>("texts", Types.STRING)).update(TEXTS);
        store.getListState(new ListStateDescriptor<>("none", BYTES)).clear();
        if (union) {
            store.getUnionListState(new ListStateDescriptor<>("union", BYTES))
                    .update(KnownBytes.entries(subtask, large));
        }

        BroadcastState<String, byte[]> names =
                store.getBroadcastState(new MapStateDescriptor<>("names", Types.STRING, BYTES));
        names.clear();
        names.put("", new byte[0]);
        names.put("one", KnownBytes.pattern(0, 1, 1));
        names.put("large", KnownBytes.pattern(0, 2, large));
        BroadcastState<byte[], byte[]> blobs =
                store.getBroadcastState(new MapStateDescriptor<>("blobs", BYTES, BYTES));
        blobs.clear();
        blobs.put(KnownBytes.pattern(0, 0, 17), KnownBytes.pattern(0, 0, 300));

        seenState = store.getListState(new ListStateDescriptor<>("seen", Types.LONG));
        for (long before : seenState.get()) {
            seen += before;
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        seenState.update(List.of(seen));
    }
}
