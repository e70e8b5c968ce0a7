package dev.drey.flink.jobs.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.CheckpointProperties;
import org.apache.flink.runtime.checkpoint.CheckpointRetentionPolicy;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.state.IncrementalKeyedStateHandle.HandleAndLocalPath;
import org.apache.flink.runtime.state.IncrementalRemoteKeyedStateHandle;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.KeyGroupRangeOffsets;
import org.apache.flink.runtime.state.KeyGroupsStateHandle;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.OperatorStreamStateHandle;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.runtime.state.filesystem.FileStateHandle;
import org.apache.flink.runtime.state.filesystem.RelativeFileStateHandle;
import org.apache.flink.runtime.state.memory.ByteStreamStateHandle;

/**
 * The checkpoints whose {@code _metadata} {@code scripts/bench checkpoint} has read: each has one
 * handle a subtask, of the kinds, names and sizes that Flink writes for a job on S3. The same
 * numbers give the same checkpoint.
 */
enum MetadataCase {
    /**
     * Sources and sinks with operator state, in a file or, if it is small, inline; and keyed state
     * on the heap.
     */
    FILES {
        @Override
        OperatorSubtaskState subtask(Random random, int operator, KeyGroupRange keyGroups) {
            OperatorSubtaskState.Builder subtask = OperatorSubtaskState.builder();
            switch (operator % 3) {
                case 0:
                    return subtask.setManagedOperatorState(
                                    new OperatorStreamStateHandle(
                                            operatorStates(), relative(random, 49_227)))
                            .build();
                case 1:
                    return subtask.setManagedOperatorState(
                                    new OperatorStreamStateHandle(
                                            operatorStates(), inline(random, 600)))
                            .build();
                default:
                    long[] offsets = new long[keyGroups.getNumberOfKeyGroups()];
                    for (int i = 0; i < offsets.length; i++) {
                        offsets[i] = 1_300 + 20_000L * i;
                    }
                    return subtask.setManagedKeyedState(
                                    new KeyGroupsStateHandle(
                                            new KeyGroupRangeOffsets(keyGroups, offsets),
                                            relative(random, 1_300 + 20_000L * offsets.length)))
                            .build();
            }
        }
    },

    /** Keyed state in RocksDB, incremental: files shared with earlier checkpoints and own ones. */
    INCREMENTAL {
        @Override
        OperatorSubtaskState subtask(Random random, int operator, KeyGroupRange keyGroups) {
            List<HandleAndLocalPath> shared = new ArrayList<>();
            for (int i = 0; i < SST_FILES; i++) {
                StreamStateHandle file =
                        new FileStateHandle(
                                new Path(JOB, "shared/" + uuid(random)),
                                1_000_000 + random.nextInt(60_000_000));
                shared.add(HandleAndLocalPath.of(file, String.format("%06d.sst", 7 + i)));
            }
            List<HandleAndLocalPath> own =
                    List.of(
                            HandleAndLocalPath.of(inline(random, 16), "CURRENT"),
                            HandleAndLocalPath.of(inline(random, 400), "MANIFEST-000004"),
                            HandleAndLocalPath.of(relative(random, 27_000), "OPTIONS-000010"));
            return OperatorSubtaskState.builder()
                    .setManagedKeyedState(
                            new IncrementalRemoteKeyedStateHandle(
                                    uuid(random),
                                    keyGroups,
                                    CHECKPOINT - 1,
                                    shared,
                                    own,
                                    inline(random, 1_200)))
                    .build();
        }
    };

    static final int OPERATORS = 10;
    static final int PARALLELISM = 1_000;
    private static final int SST_FILES = 4;
    private static final long CHECKPOINT = 42;

    private static final Path JOB = new Path("s3://flink/ck/f2b550d7f4f0768cc59489a4dcbc9c28");
    private static final Path FOLDER = new Path(JOB, "chk-" + CHECKPOINT);

    abstract OperatorSubtaskState subtask(Random random, int operator, KeyGroupRange keyGroups);

    static MetadataCase of(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }

    String lower() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** A checkpoint of {@link #OPERATORS} operators of {@link #PARALLELISM} subtasks each. */
    CheckpointMetadata checkpoint() {
        Random random = new Random(4711);
        int keyGroups = KeyGroupRangeAssignment.computeDefaultMaxParallelism(PARALLELISM);
        List<OperatorState> operators = new ArrayList<>();
        for (int o = 0; o < OPERATORS; o++) {
            OperatorState operator =
                    new OperatorState(
                            "Operator " + o,
                            "operator-" + o,
                            new OperatorID(random.nextLong(), random.nextLong()),
                            PARALLELISM,
                            keyGroups);
            for (int s = 0; s < PARALLELISM; s++) {
                KeyGroupRange range =
                        KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex(
                                keyGroups, PARALLELISM, s);
                operator.putState(s, subtask(random, o, range));
            }
            operators.add(operator);
        }
        return new CheckpointMetadata(
                CHECKPOINT,
                operators,
                List.of(),
                CheckpointProperties.forCheckpoint(
                        CheckpointRetentionPolicy.RETAIN_ON_CANCELLATION));
    }

    /** As of a source with two partitions a subtask. */
    private static Map<String, OperatorStateHandle.StateMetaInfo> operatorStates() {
        Map<String, OperatorStateHandle.StateMetaInfo> states = new LinkedHashMap<>();
        states.put(
                "SourceReaderState",
                new OperatorStateHandle.StateMetaInfo(
                        new long[] {260, 380}, OperatorStateHandle.Mode.SPLIT_DISTRIBUTE));
        states.put(
                "topic-partition-offset-states",
                new OperatorStateHandle.StateMetaInfo(
                        new long[] {500}, OperatorStateHandle.Mode.UNION));
        return states;
    }

    private static UUID uuid(Random random) {
        return new UUID(random.nextLong(), random.nextLong());
    }

    private static StreamStateHandle relative(Random random, long size) {
        String name = uuid(random).toString();
        return new RelativeFileStateHandle(new Path(FOLDER, name), name, size);
    }

    private static StreamStateHandle inline(Random random, int size) {
        byte[] state = new byte[size];
        random.nextBytes(state);
        // The name that CheckpointStreamFactory gives it: the file that it would have been.
        return new ByteStreamStateHandle(
                new Path(FOLDER, uuid(random).toString()).toString(), state);
    }
}
