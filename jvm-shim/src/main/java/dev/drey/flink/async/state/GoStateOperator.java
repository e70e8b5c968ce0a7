package dev.drey.flink.async.state;

import dev.drey.flink.async.client.GoClient;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.runtime.checkpoint.CheckpointOptions;
import org.apache.flink.runtime.checkpoint.SnapshotType.SharingFilesStrategy;
import org.apache.flink.runtime.state.CheckpointStreamFactory;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.OperatorSnapshotFutures;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.async.AsyncWaitOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamElementSerializer;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.util.retryable.AsyncRetryStrategies;

/**
 * Flink's asynchronous operator, with marks at barriers and a checkpoint whose acknowledgement
 * waits for the sidecar; see the package for the order of things.
 *
 * <p>Flink gives the records in flight of its own operator to any subtask when a job is rescaled.
 * Here each belongs to the subtask that has its key group, so they are kept as union state and
 * picked from it. Watermarks in flight are not kept: the sources say newer ones. In front of a
 * record in flight stands the watermark that was there when it came, so that it happens at the same
 * event time when it is sent again.
 *
 * @param <IN> the record
 * @param <OUT> what comes out
 */
final class GoStateOperator<IN, OUT> extends AsyncWaitOperator<Identified<IN>, OUT> {
    private static final long serialVersionUID = 1L;

    /** Union state: one reference of each subtask. Read by the sidecar's watcher as well. */
    static final String REFERENCES = "drey-references";

    /** Union state: the records in flight. */
    static final String IN_FLIGHT = "drey-in-flight";

    // The private name in AsyncWaitOperator.
    private static final String FLINKS_IN_FLIGHT = "_async_wait_operator_state_";

    private final StatefulFunction<IN, OUT> function;
    private final SessionSettings settings;
    private final Keys<IN> keys;

    private transient SessionSpec spec;
    private transient GoClient client;
    private transient GoSession session;
    private transient ListStateDescriptor<StreamElement> flinksInFlight;
    private transient ListState<StreamElement> inFlight;
    private transient ListState<Object> references;
    private transient List<String> restored;

    // Of the records that open() sends again, in their order; null afterwards.
    @Nullable private transient Deque<Long> watermarks;

    // Of the checkpoint that the task thread is at.
    private transient boolean full;
    private transient boolean savepoint;
    private transient Mark mark;
    private transient CompletableFuture<String> durable;

    GoStateOperator(
            StreamOperatorParameters<OUT> parameters,
            StatefulFunction<IN, OUT> function,
            SessionSettings settings,
            Keys<IN> keys,
            ProcessingTimeService time,
            MailboxExecutor mailbox) {
        super(
                parameters,
                function,
                settings.timeout,
                settings.capacity,
                settings.mode,
                AsyncRetryStrategies.NO_RETRY_STRATEGY,
                time,
                mailbox);
        this.function = function;
        this.settings = settings;
        this.keys = keys;
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        spec =
                new SessionSpec(
                        getRuntimeContext().getJobInfo(),
                        settings.operator,
                        getRuntimeContext().getTaskInfo());
        StreamElementSerializer<Identified<IN>> element =
                new StreamElementSerializer<>(
                        getOperatorConfig().getTypeSerializerIn1(getUserCodeClassloader()));
        flinksInFlight = new ListStateDescriptor<>(FLINKS_IN_FLIGHT, element);
        OperatorStateStore store = context.getOperatorStateStore();
        references =
                store.getUnionListState(
                        new ListStateDescriptor<>(REFERENCES, Reference.Serializer.INSTANCE));
        inFlight = store.getUnionListState(new ListStateDescriptor<>(IN_FLIGHT, element));
        restored = new ArrayList<>();
        for (Object reference : references.get()) {
            restored.add((String) reference);
        }
        // What stands there is what open() sends again.
        store.getListState(flinksInFlight).update(own(inFlight.get()));
    }

    private List<StreamElement> own(Iterable<StreamElement> all) throws Exception {
        List<Moment> moments = new ArrayList<>();
        long watermark = Long.MIN_VALUE;
        for (StreamElement element : all) {
            if (element.isWatermark()) {
                watermark = element.asWatermark().getTimestamp();
                continue;
            }
            Object key = keys.of(record(element).getRecord());
            if (spec.has(Keys.group(key, spec.maxParallelism))) {
                moments.add(new Moment(watermark, element));
            }
            watermark = Long.MIN_VALUE;
        }
        // Those of several subtasks: none may come after one that has reached a later event time.
        moments.sort(Comparator.comparingLong(moment -> moment.watermark));
        watermarks = new ArrayDeque<>();
        List<StreamElement> own = new ArrayList<>();
        for (Moment moment : moments) {
            watermarks.add(moment.watermark);
            own.add(moment.record);
        }
        return own;
    }

    /** A record in flight, and when it came. */
    private static final class Moment {
        final long watermark;
        final StreamElement record;

        Moment(long watermark, StreamElement record) {
            this.watermark = watermark;
            this.record = record;
        }
    }

    private Identified<IN> record(StreamElement element) {
        return element.<Identified<IN>>asRecord().getValue();
    }

    @Override
    public void open() throws Exception {
        client = GoClient.acquire(settings.url.apply(spec.subtask), settings.maxAnswerBytes);
        session =
                GoSession.open(
                        client,
                        spec,
                        settings.policy,
                        settings.restorePolicy,
                        restored,
                        failure -> getContainingTask().getEnvironment().failExternally(failure));
        restored = null;
        function.use(session);
        super.open(); // sends what was in flight
        watermarks = null;
        session.watermark(Long.MIN_VALUE); // Flink begins anew, too
    }

    @Override
    public void processElement(StreamRecord<Identified<IN>> element) throws Exception {
        if (watermarks != null) {
            session.watermark(watermarks.remove());
        }
        super.processElement(element);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        // The last one, at the end of all input, says nothing about time.
        if (mark.getTimestamp() != Watermark.MAX_WATERMARK.getTimestamp()) {
            session.watermark(mark.getTimestamp());
        }
        super.processWatermark(mark);
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        long begun = System.nanoTime();
        mark = new Mark(context.getCheckpointId(), full, savepoint);
        ListState<StreamElement> flinks = getOperatorStateBackend().getListState(flinksInFlight);
        List<StreamElement> records = new ArrayList<>();
        // An answered one was applied before the barrier: it is not going to happen again.
        Map<String, Long> unanswered = session.unanswered();
        for (StreamElement element : flinks.get()) {
            if (!element.isRecord()) {
                continue;
            }
            Identified<IN> record = record(element);
            Long watermark = unanswered.get(record.getId());
            if (watermark != null && watermark != Long.MIN_VALUE) {
                records.add(new Watermark(watermark));
            }
            records.add(element);
            if (record.getId() != null) { // without one it was not sent
                mark.inFlight(record.getId(), session.keyGroup(keys.of(record.getRecord())));
            }
        }
        inFlight.update(records);
        flinks.clear();
        durable = session.mark(mark);
        references.update(Collections.singletonList(durable));
        durable.whenComplete(
                (reference, failure) -> {
                    if (failure == null) {
                        function.durable(System.nanoTime() - begun);
                    }
                });
        function.marked(System.nanoTime() - begun);
    }

    @Override
    public OperatorSnapshotFutures snapshotState(
            long checkpoint,
            long timestamp,
            CheckpointOptions options,
            CheckpointStreamFactory factory)
            throws Exception {
        // Savepoints, and the first checkpoint after a restore without claim, must not need what
        // was there before.
        full =
                options.getCheckpointType().getSharingFilesStrategy()
                        != SharingFilesStrategy.FORWARD_BACKWARD;
        savepoint = options.getCheckpointType().isSavepoint();
        OperatorSnapshotFutures futures =
                super.snapshotState(checkpoint, timestamp, options, factory);
        futures.setOperatorStateManagedFuture(
                new DurableSnapshot(
                        session, mark, durable, futures.getOperatorStateManagedFuture()));
        return futures;
    }

    @Override
    public void notifyCheckpointAborted(long checkpoint) throws Exception {
        super.notifyCheckpointAborted(checkpoint);
        if (session != null) {
            session.abort(checkpoint);
        }
    }

    @Override
    public void close() throws Exception {
        try {
            super.close();
        } finally {
            if (session != null) {
                session.close();
                session = null;
            }
            if (client != null) {
                client.close();
                client = null;
            }
        }
    }
}
