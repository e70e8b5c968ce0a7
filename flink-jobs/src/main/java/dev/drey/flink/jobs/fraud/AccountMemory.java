package dev.drey.flink.jobs.fraud;

import java.time.Duration;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * What is remembered of an account: its payment just before, and the devices and regions it was
 * seen with. By account.
 *
 * <p>The walkthrough forgets the small amount after one minute; here it is an hour of event time,
 * because the Go function weighs a slow pair too, and decides itself what is quick.
 */
public final class AccountMemory extends KeyedProcessFunction<Long, Payment, Payment> {
    private static final long serialVersionUID = 1L;

    static final long PREVIOUS_MS = Duration.ofHours(1).toMillis();
    private static final long TIMER_STEP_MS = Duration.ofMinutes(1).toMillis();
    private static final Duration HABITS = Duration.ofDays(90);

    private transient ValueState<Double> previousAmount;
    private transient ValueState<Long> previousTimestamp;
    private transient MapState<String, Boolean> devices;
    private transient MapState<String, Boolean> regions;

    @Override
    public void open(OpenContext context) {
        previousAmount =
                getRuntimeContext()
                        .getState(new ValueStateDescriptor<>("previous-amount", Types.DOUBLE));
        previousTimestamp =
                getRuntimeContext()
                        .getState(new ValueStateDescriptor<>("previous-timestamp", Types.LONG));
        devices = getRuntimeContext().getMapState(habits("devices"));
        regions = getRuntimeContext().getMapState(habits("regions"));
    }

    // By processing time, unlike the hour above: it only bounds the size of the state.
    private static MapStateDescriptor<String, Boolean> habits(String name) {
        MapStateDescriptor<String, Boolean> descriptor =
                new MapStateDescriptor<>(name, Types.STRING, Types.BOOLEAN);
        descriptor.enableTimeToLive(
                StateTtlConfig.newBuilder(HABITS)
                        .setUpdateType(StateTtlConfig.UpdateType.OnReadAndWrite)
                        .build());
        return descriptor;
    }

    @Override
    public void processElement(Payment payment, Context context, Collector<Payment> out)
            throws Exception {
        Payment known = payment.copy();
        known.previousAmount = previousAmount.value();
        known.previousTimestamp = previousTimestamp.value();
        known.newDevice = isNew(devices, payment.device);
        known.newRegion = isNew(regions, payment.region);
        out.collect(known);

        previousAmount.update(payment.amount);
        previousTimestamp.update(payment.timestamp);
        // On full minutes, so that the payments of a minute share a timer.
        long forget = payment.timestamp + PREVIOUS_MS;
        context.timerService()
                .registerEventTimeTimer(
                        forget - Math.floorMod(forget, TIMER_STEP_MS) + TIMER_STEP_MS);
    }

    /** Null when it is the account's first: then everything would be new. */
    private static Boolean isNew(MapState<String, Boolean> seen, String value) throws Exception {
        if (value == null) {
            return null;
        }
        if (seen.get(value) != null) {
            return false;
        }
        boolean first = seen.isEmpty();
        seen.put(value, true);
        return first ? null : true;
    }

    @Override
    public void onTimer(long timestamp, OnTimerContext context, Collector<Payment> out)
            throws Exception {
        Long previous = previousTimestamp.value();
        if (previous != null && previous + PREVIOUS_MS <= timestamp) {
            previousAmount.clear();
            previousTimestamp.clear();
        }
    }
}
