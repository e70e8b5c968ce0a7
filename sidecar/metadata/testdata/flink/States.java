// Writes DIR/states/_metadata: operator and keyed state that Flink 2.3.0's own backends snapshot, plain and compressed, inline:
//
//   java -cp '<lib of Flink 2.3.0>/*:flink-runtime-2.3.0-tests.jar:flink-test-utils-junit-2.3.0.jar' States.java DIR
//
// The file beside this one was made so. TestStatesOfFlink says what is in it.
import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.RunnableFuture;
import org.apache.flink.api.common.*;
import org.apache.flink.api.common.state.*;
import org.apache.flink.api.common.typeutils.base.*;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.configuration.*;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.core.fs.CloseableRegistry;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.runtime.checkpoint.*;
import org.apache.flink.runtime.checkpoint.metadata.*;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.testutils.*;
import org.apache.flink.runtime.query.KvStateRegistry;
import org.apache.flink.runtime.state.*;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.runtime.state.memory.MemCheckpointStreamFactory;
import org.apache.flink.runtime.state.ttl.TtlTimeProvider;

public class States {
    static final BytePrimitiveArraySerializer BYTES = BytePrimitiveArraySerializer.INSTANCE;

    static byte[] repeated(String text, int length) {
        byte[] bytes = new byte[length], part = text.getBytes();
        for (int i = 0; i < length; i++) bytes[i] = part[i % part.length];
        return bytes;
    }
    // A linear congruential generator that the test has, too: bytes that snappy stores as they are.
    static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        int x = 1;
        for (int i = 0; i < length; i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] = (byte) (x >>> 24);
        }
        return bytes;
    }
    static MockEnvironment environment(boolean compressed) {
        Configuration configuration = new Configuration();
        configuration.set(ExecutionOptions.SNAPSHOT_COMPRESSION, compressed);
        return new MockEnvironmentBuilder().setExecutionConfig(new ExecutionConfig(configuration)).setMaxParallelism(128).build();
    }

    static OperatorStateHandle operatorState(boolean compressed) throws Exception {
        OperatorStateBackend backend = new HashMapStateBackend().createOperatorStateBackend(new OperatorStateBackendParametersImpl(
            environment(compressed), "op", List.of(), new CloseableRegistry()));
        ListState<byte[]> list = backend.getListState(new ListStateDescriptor<>("list", BYTES));
        list.add(new byte[0]);
        list.add("one".getBytes());
        if (compressed) {
            list.add(repeated("go-udf-state ", 200000)); // several chunks, compressed
            list.add(noise(70000));                       // several chunks, stored
        }
        list.add("last".getBytes());
        backend.getUnionListState(new ListStateDescriptor<>("union", BYTES)).add("union".getBytes());
        backend.getListState(new ListStateDescriptor<>("strings", StringSerializer.INSTANCE)).add("z\u00e4hler \ud83d\ude00");
        BroadcastState<byte[], byte[]> broadcast = backend.getBroadcastState(new MapStateDescriptor<>("broadcast", BYTES, BYTES));
        broadcast.put("key".getBytes(), "value".getBytes());
        broadcast.put(new byte[0], repeated("x", compressed ? 100000 : 3));
        var future = backend.snapshot(1, 1, new MemCheckpointStreamFactory(1 << 24), CheckpointOptions.forCheckpointWithDefaultLocation());
        future.run();
        return future.get().getJobManagerOwnedSnapshot();
    }

    static KeyedStateHandle keyedState(boolean compressed, boolean savepoint, int maxParallelism) throws Exception {
        var backend = new HashMapStateBackend().createKeyedStateBackend(new KeyedStateBackendParametersImpl<byte[]>(
            environment(compressed), new JobID(), "op", BYTES, maxParallelism, KeyGroupRange.of(0, maxParallelism - 1),
            new KvStateRegistry().createTaskRegistry(new JobID(), new org.apache.flink.runtime.jobgraph.JobVertexID()), TtlTimeProvider.DEFAULT,
            new UnregisteredMetricsGroup(), (name, value) -> { }, List.of(), new CloseableRegistry(), 1.0));
        ValueState<byte[]> value = backend.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, new ValueStateDescriptor<>("value", BYTES));
        ValueState<String> text = backend.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, new ValueStateDescriptor<>("text", StringSerializer.INSTANCE));
        ListState<byte[]> list = backend.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, new ListStateDescriptor<>("list", BYTES));
        MapState<byte[], byte[]> map = backend.getPartitionedState(VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, new MapStateDescriptor<>("map", BYTES, BYTES));
        for (int i = 0; i < 20; i++) {
            backend.setCurrentKey(("key-" + i).getBytes());
            value.update(("value-" + i).getBytes());
            if (i % 2 == 0) text.update("text-" + i);
            if (i % 5 == 0) {
                list.add("first".getBytes());
                list.add(new byte[0]);
                map.put("user-key".getBytes(), ("user-value-" + i).getBytes());
            }
        }
        if (compressed) {
            backend.setCurrentKey("large".getBytes());
            value.update(repeated("large ", 150000));
        }
        var factory = new MemCheckpointStreamFactory(1 << 24);
        var options = CheckpointOptions.forCheckpointWithDefaultLocation();
        RunnableFuture<SnapshotResult<KeyedStateHandle>> future;
        if (savepoint) {
            var resources = backend.savepoint();
            future = new SnapshotStrategyRunner<>("savepoint", new SavepointSnapshotStrategy<>(resources.getSnapshotResources()),
                new CloseableRegistry(), resources.getPreferredSnapshotExecutionType()).snapshot(1, 1, factory, options);
        } else {
            future = backend.snapshot(1, 1, factory, options);
        }
        future.run();
        return future.get().getJobManagerOwnedSnapshot();
    }

    public static void main(String[] arguments) throws Exception {
        List<OperatorState> operators = new ArrayList<>();
        for (boolean compressed : new boolean[] {false, true}) {
            String suffix = compressed ? " compressed" : " plain";
            OperatorState state = new OperatorState("operator" + suffix, null, new OperatorID(1, operators.size()), 1, 128);
            state.putState(0, OperatorSubtaskState.builder().setManagedOperatorState(operatorState(compressed)).build());
            operators.add(state);
            for (int maxParallelism : new int[] {128, 300}) {
                for (boolean savepoint : new boolean[] {false, true}) {
                    state = new OperatorState((savepoint ? "savepoint " : "heap ") + maxParallelism + suffix, null, new OperatorID(1, operators.size()), 1, maxParallelism);
                    state.putState(0, OperatorSubtaskState.builder().setManagedKeyedState(keyedState(compressed, savepoint, maxParallelism)).build());
                    operators.add(state);
                }
            }
        }
        Path directory = Paths.get(arguments[0], "states");
        Files.createDirectories(directory);
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(directory.resolve("_metadata")))) {
            out.writeInt(0x4960672d);
            out.writeInt(6);
            MetadataV6Serializer.INSTANCE.serialize(new CheckpointMetadata(1, operators, List.of(),
                CheckpointProperties.forCheckpoint(CheckpointRetentionPolicy.NEVER_RETAIN_AFTER_TERMINATION)), out);
        }
        System.exit(0);
    }
}
