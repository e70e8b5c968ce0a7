package dev.drey.flink.async.state;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.RunnableFuture;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.SnapshotResult;

/**
 * The asynchronous part of the operator's state: sends the mark, waits until the snapshot is in the
 * store of the sidecar, then writes what Flink itself has to write. It runs on a thread of the
 * checkpoint. If it fails, that checkpoint fails; the task goes on.
 */
final class DurableSnapshot extends FutureTask<SnapshotResult<OperatorStateHandle>> {
    private final Future<String> durable;
    private final RunnableFuture<SnapshotResult<OperatorStateHandle>> flink;

    DurableSnapshot(
            GoSession session,
            Mark mark,
            Future<String> durable,
            RunnableFuture<SnapshotResult<OperatorStateHandle>> flink) {
        super(
                () -> {
                    session.send(mark);
                    try {
                        durable.get();
                    } catch (ExecutionException e) {
                        throw new Exception(
                                "the state of Go functions has no snapshot for checkpoint "
                                        + mark.checkpoint
                                        + ": "
                                        + e.getCause().getMessage(),
                                e.getCause());
                    }
                    flink.run();
                    return flink.get();
                });
        this.durable = durable;
        this.flink = flink;
    }

    /** Called by Flink when the checkpoint is given up. */
    @Override
    public boolean cancel(boolean mayInterrupt) {
        durable.cancel(true);
        flink.cancel(mayInterrupt);
        return super.cancel(mayInterrupt);
    }
}
