package dev.drey.flink.jobs.fraud;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** How many accounts used a device, up to a limit. By device. */
public final class DeviceMemory extends KeyedProcessFunction<String, Payment, Payment> {
    private static final long serialVersionUID = 1L;

    /** Beyond it the exact number says nothing more, and the state stays bounded. */
    static final long COUNTED = 1000;

    private transient MapState<Long, Boolean> accounts;
    private transient ValueState<Long> count;

    @Override
    public void open(OpenContext context) {
        accounts =
                getRuntimeContext()
                        .getMapState(
                                new MapStateDescriptor<>("accounts", Types.LONG, Types.BOOLEAN));
        count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(Payment payment, Context context, Collector<Payment> out)
            throws Exception {
        Payment known = payment.copy();
        if (payment.device != null) {
            long seen = count.value() == null ? 0 : count.value();
            if (seen < COUNTED && !accounts.contains(payment.accountId)) {
                accounts.put(payment.accountId, true);
                count.update(++seen);
            }
            known.accountsOnDevice = seen;
        }
        out.collect(known);
    }
}
