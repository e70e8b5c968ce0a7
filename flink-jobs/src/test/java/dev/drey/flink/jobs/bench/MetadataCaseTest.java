package dev.drey.flink.jobs.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.state.IncrementalRemoteKeyedStateHandle;
import org.apache.flink.runtime.state.KeyGroupsStateHandle;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.runtime.state.StreamStateHandle;
import org.apache.flink.runtime.state.filesystem.RelativeFileStateHandle;
import org.apache.flink.runtime.state.memory.ByteStreamStateHandle;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is measured is what it is said to be, and Flink reads what it wrote. */
class MetadataCaseTest {
    @TempDir Path folder;

    @ParameterizedTest
    @EnumSource(MetadataCase.class)
    void flinkReadsWhatItWrote(MetadataCase what) throws Exception {
        Path file = MetadataBench.write(folder, what);
        CheckpointMetadata written = what.checkpoint();
        CheckpointMetadata read = MetadataBench.load(Files.readAllBytes(file), file);
        assertThat(MetadataBench.summary(read))
                .isEqualTo(MetadataBench.summary(written))
                .contains("\"operators\":10,\"subtasks\":10000,");
        assertThat(read.getCheckpointId()).isEqualTo(42);
    }

    @Test
    void filesIsAMixture() {
        List<StreamStateHandle> streams = new ArrayList<>();
        int keyed = 0;
        for (OperatorSubtaskState subtask : subtasks(MetadataCase.FILES)) {
            for (OperatorStateHandle state : subtask.getManagedOperatorState()) {
                streams.add(state.getDelegateStateHandle());
            }
            for (KeyedStateHandle state : subtask.getManagedKeyedState()) {
                streams.add(((KeyGroupsStateHandle) state).getDelegateStateHandle());
                keyed++;
            }
        }
        assertThat(streams).hasSize(10_000);
        assertThat(keyed).isEqualTo(3_000);
        assertThat(streams).filteredOn(ByteStreamStateHandle.class::isInstance).hasSize(3_000);
        assertThat(streams).filteredOn(RelativeFileStateHandle.class::isInstance).hasSize(7_000);
    }

    @Test
    void incrementalHasSharedAndPrivateFiles() {
        for (OperatorSubtaskState subtask : subtasks(MetadataCase.INCREMENTAL)) {
            assertThat(subtask.getManagedKeyedState()).hasSize(1);
            IncrementalRemoteKeyedStateHandle handle =
                    (IncrementalRemoteKeyedStateHandle)
                            subtask.getManagedKeyedState().iterator().next();
            assertThat(handle.getSharedState()).hasSize(4);
            assertThat(handle.getPrivateState()).hasSize(3);
        }
    }

    private static List<OperatorSubtaskState> subtasks(MetadataCase what) {
        List<OperatorSubtaskState> subtasks = new ArrayList<>();
        for (OperatorState operator : what.checkpoint().getOperatorStates()) {
            subtasks.addAll(operator.getStates());
        }
        return subtasks;
    }
}
