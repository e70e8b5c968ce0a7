package dev.drey.flink.async;

import dev.drey.flink.async.state.GoSession;
import dev.drey.flink.async.state.Identified;
import dev.drey.flink.async.state.Keys;
import dev.drey.flink.async.state.StatefulFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;

/** A {@link GoAsyncFunction} whose requests are for the state of their key. */
final class KeyedGoFunction<IN, OUT> extends RichAsyncFunction<Identified<IN>, GoResult<IN, OUT>>
        implements StatefulFunction<IN, GoResult<IN, OUT>> {
    private static final long serialVersionUID = 1L;

    private final GoAsyncFunction<IN, OUT> function;
    private final Keys<IN> keys;
    private transient GoSession session;

    KeyedGoFunction(GoAsyncFunction<IN, OUT> function, Keys<IN> keys) {
        this.function = function;
        this.keys = keys;
    }

    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        function.setRuntimeContext(context);
    }

    @Override
    public void use(GoSession session) {
        this.session = session;
    }

    @Override
    public void open(OpenContext context) {
        function.open(context);
    }

    @Override
    public void asyncInvoke(Identified<IN> input, ResultFuture<GoResult<IN, OUT>> result)
            throws Exception {
        IN record = input.getRecord();
        String id = input.getId();
        function.invoke(record, id, session.place(keys.of(record), id), result);
    }

    @Override
    public void timeout(Identified<IN> input, ResultFuture<GoResult<IN, OUT>> result) {
        function.timeout(input.getRecord(), result);
    }

    @Override
    public void marked(long nanos) {
        function.metrics().marked(nanos / 1000);
    }

    @Override
    public void durable(long nanos) {
        function.metrics().durable(nanos / 1_000_000);
    }

    @Override
    public void close() {
        function.close();
    }
}
