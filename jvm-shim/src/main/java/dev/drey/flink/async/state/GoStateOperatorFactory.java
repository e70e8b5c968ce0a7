package dev.drey.flink.async.state;

import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperatorFactory;

/**
 * Makes the operator on the TaskManager.
 *
 * @param <IN> the record
 * @param <OUT> what comes out
 */
public final class GoStateOperatorFactory<IN, OUT>
        extends AsyncWaitOperatorFactory<Identified<IN>, OUT> {
    private static final long serialVersionUID = 1L;

    private final StatefulFunction<IN, OUT> function;
    private final SessionSettings settings;
    private final Keys<IN> keys;

    /** A factory for one operator. */
    public GoStateOperatorFactory(
            StatefulFunction<IN, OUT> function, SessionSettings settings, Keys<IN> keys) {
        super(function, settings.timeout, settings.capacity, settings.mode);
        this.function = function;
        this.settings = settings;
        this.keys = keys;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<OUT>> T createStreamOperator(
            StreamOperatorParameters<OUT> parameters) {
        return (T)
                new GoStateOperator<>(
                        parameters,
                        function,
                        settings,
                        keys,
                        processingTimeService,
                        getMailboxExecutor());
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader classLoader) {
        return GoStateOperator.class;
    }
}
