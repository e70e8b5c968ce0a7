package dev.drey.flink.jobs.state;

import java.util.concurrent.CountDownLatch;
import org.apache.flink.streaming.api.functions.source.legacy.RichParallelSourceFunction;

/**
 * A source without records, of which subtask 0 ends at once while the others never end: so there
 * are subtasks that have finished beside some that have not. Of the old kind, which knows its
 * subtask.
 */
@SuppressWarnings("deprecation") // for want of another that ends subtask by subtask
public final class HalfSource extends RichParallelSourceFunction<Long> {
    private static final long serialVersionUID = 1L;

    private transient volatile CountDownLatch canceled;

    @Override
    public void run(SourceContext<Long> context) throws Exception {
        if (getRuntimeContext().getTaskInfo().getIndexOfThisSubtask() > 0) {
            latch().await();
        }
    }

    @Override
    public void cancel() {
        latch().countDown();
    }

    /** Either method may be the first. */
    private synchronized CountDownLatch latch() {
        if (canceled == null) {
            canceled = new CountDownLatch(1);
        }
        return canceled;
    }
}
