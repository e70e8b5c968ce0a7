// Writes _metadata files with every handle that Flink 2.3.0 writes, by Flink's own serializers, into DIR/v3 to DIR/v6:
//
//   java -cp '<lib of Flink 2.3.0>/*' Handles.java DIR
//
// The files beside this one were made so. TestHandlesOfFlink says what is in them.
import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.*;
import org.apache.flink.runtime.checkpoint.channel.*;
import org.apache.flink.runtime.checkpoint.filemerging.LogicalFile;
import org.apache.flink.runtime.checkpoint.metadata.*;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.state.*;
import org.apache.flink.runtime.state.changelog.*;
import org.apache.flink.runtime.state.changelog.inmemory.InMemoryChangelogStateHandle;
import org.apache.flink.runtime.state.filemerging.*;
import org.apache.flink.runtime.state.filesystem.*;
import org.apache.flink.runtime.state.memory.ByteStreamStateHandle;

public class Handles {
    static final Path DIR = new Path("s3://bucket/ck/job/chk-42");

    static StreamStateHandle bytes(String text) { return new ByteStreamStateHandle("inline-" + text, text.getBytes()); }
    static StreamStateHandle file(String name, long size) { return new FileStateHandle(new Path("s3://other/" + name), size); }
    static StreamStateHandle relative(String name, long size) { return new RelativeFileStateHandle(new Path(DIR, name), name, size); }
    static StreamStateHandle segment(String name, long start, long size, CheckpointedStateScope scope) {
        return new SegmentFileStateHandle(new Path("s3p://bucket/" + name), start, size, scope, new LogicalFile.LogicalFileId("logical-" + name));
    }
    static KeyGroupRangeOffsets offsets(int first, long... offsets) {
        return new KeyGroupRangeOffsets(KeyGroupRange.of(first, first + offsets.length - 1), offsets);
    }
    static IncrementalKeyedStateHandle.HandleAndLocalPath local(String name, StreamStateHandle handle) {
        return IncrementalKeyedStateHandle.HandleAndLocalPath.of(handle, name);
    }
    static IncrementalRemoteKeyedStateHandle incremental() {
        return new IncrementalRemoteKeyedStateHandle(new UUID(1, 2), KeyGroupRange.of(0, 63), 41,
            List.of(local("000007.sst", relative("shared-a", 1000)), local("000009.sst", file("shared-b", 2000))),
            List.of(local("CURRENT", bytes("MANIFEST-000004\n")), local("MANIFEST-000004", relative("manifest", 300))),
            relative("meta", 70), 1370);
    }
    static Map<String, OperatorStateHandle.StateMetaInfo> states(String... names) {
        Map<String, OperatorStateHandle.StateMetaInfo> states = new LinkedHashMap<>();
        for (int i = 0; i < names.length; i++) {
            states.put(names[i], new OperatorStateHandle.StateMetaInfo(new long[] {10 + i, 20 + i}, OperatorStateHandle.Mode.values()[i % 3]));
        }
        return states;
    }
    static OperatorSubtaskState.Builder subtask() { return OperatorSubtaskState.builder(); }

    static Collection<OperatorState> operators(boolean named, boolean merged) {
        int[] next = {0};
        List<OperatorState> operators = new ArrayList<>();
        java.util.function.BiFunction<String, Integer, OperatorState> add = (name, parallelism) -> {
            OperatorState state = new OperatorState(named ? name : null, named ? "uid-" + name : null,
                new OperatorID(0x0123456789abcdefL, next[0]++), parallelism, 128);
            operators.add(state);
            return state;
        };

        OperatorState op = add.apply("operator state", 4);
        op.setCoordinatorState((ByteStreamStateHandle) bytes("coordinator"));
        op.putState(0, subtask().setManagedOperatorState(new OperatorStreamStateHandle(states("list", "union", "broadcast"), bytes("state")))
            .setRawOperatorState(new OperatorStreamStateHandle(states("raw"), file("raw", 77))).build());
        op.putState(1, FinishedOperatorSubtaskState.INSTANCE);
        op.putState(3, subtask().setManagedOperatorState(new FileMergingOperatorStreamStateHandle(
            DirectoryStreamStateHandle.of(new Path("s3p://bucket/taskowned")), DirectoryStreamStateHandle.of(new Path("s3p://bucket/shared")),
            states("merged"), segment("segments", 100, 50, CheckpointedStateScope.EXCLUSIVE))).build());

        OperatorState empty = add.apply("empty segments \u00e4\ud83d\ude00\u0000", 1);
        empty.putState(0, subtask().setManagedOperatorState(EmptyFileMergingOperatorStreamStateHandle.create(
            DirectoryStreamStateHandle.of(new Path("s3p://bucket/taskowned")), DirectoryStreamStateHandle.of(new Path("s3p://bucket/shared")))).build());

        OperatorState keyed = add.apply("keyed state", 8);
        keyed.putState(0, subtask().setManagedKeyedState(new KeyGroupsStateHandle(offsets(0, 5, 6, 7), relative("heap", 500))).build());
        keyed.putState(1, subtask().setManagedKeyedState(new KeyGroupsSavepointStateHandle(offsets(3, 0, 9), file("canonical", 600))).build());
        keyed.putState(2, subtask().setManagedKeyedState(incremental())
            .setRawKeyedState(new KeyGroupsStateHandle(offsets(5, 1), new KeyGroupsStateHandle(offsets(5, 2), bytes("nested")))).build());
        keyed.putState(3, subtask().setManagedKeyedState(new ChangelogStateBackendHandle.ChangelogStateBackendHandleImpl(
            List.of(new KeyGroupsStateHandle(offsets(0, 11), file("base", 80))),
            List.of(new ChangelogStateHandleStreamImpl(List.of(Tuple2.of(file("changes", 90), 12L)), KeyGroupRange.of(0, 0), 44, 33, "filesystem"),
                new InMemoryChangelogStateHandle(List.of(StateChange.ofMetadataChange(new byte[] {1}), StateChange.ofDataChange(0, new byte[] {2, 3})),
                    SequenceNumber.of(4), SequenceNumber.of(6), KeyGroupRange.of(0, 0))),
            KeyGroupRange.of(0, 0), 40, 2, 124)).build());

        OperatorState channels = add.apply("in flight", 2);
        StreamStateHandle data = segment("channels", 0, 70, CheckpointedStateScope.SHARED);
        channels.putState(0, subtask()
            .setInputChannelState(StateObjectCollection.singleton(new InputChannelStateHandle(0, new InputChannelInfo(1, 2), data, List.of(0L, 30L), 60)))
            .setResultSubpartitionState(StateObjectCollection.singleton(new ResultSubpartitionStateHandle(0, new ResultSubpartitionInfo(3, 4), data, List.of(60L), 10)))
            .build());
        if (merged) {
            channels.putState(1, subtask()
                .setInputChannelState(StateObjectCollection.singleton(MergedInputChannelStateHandle.fromChannelHandles(
                    List.of(new InputChannelStateHandle(1, new InputChannelInfo(0, 0), data, List.of(0L), 35), new InputChannelStateHandle(1, new InputChannelInfo(0, 1), data, List.of(35L), 35)))))
                .setResultSubpartitionState(StateObjectCollection.singleton(new MergedResultSubpartitionStateHandle(1, data, 5, new byte[] {9, 8, 7})))
                .build());
        }

        operators.add(new FullyFinishedOperatorState(named ? "fully finished" : null, null, new OperatorID(7, 7), 3, 128));
        return operators;
    }

    public static void main(String[] arguments) throws Exception {
        MetadataSerializer[] serializers = {MetadataV3Serializer.INSTANCE, MetadataV4Serializer.INSTANCE, MetadataV5Serializer.INSTANCE, MetadataV6Serializer.INSTANCE};
        for (MetadataSerializer serializer : serializers) {
            int version = serializer.getVersion();
            java.nio.file.Path directory = Paths.get(arguments[0], "v" + version);
            Files.createDirectories(directory);
            List<MasterState> masters = List.of(new MasterState("hook", new byte[] {4, 2}, 3), new MasterState("empty", new byte[0], 0));
            try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(directory.resolve("_metadata")))) {
                out.writeInt(0x4960672d);
                out.writeInt(version);
                serializer.serialize(new CheckpointMetadata(42, operators(version >= 5, version >= 6), masters,
                    CheckpointProperties.forSavepoint(false, SavepointFormatType.NATIVE)), out);
            }
        }
    }
}
