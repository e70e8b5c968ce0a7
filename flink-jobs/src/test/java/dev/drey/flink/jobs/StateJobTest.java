package dev.drey.flink.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.FullyFinishedOperatorState;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.state.OperatorStateHandle;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateJobTest {
    private static final String[] ENDLESS = {
        "--events", "2000", "--keys", "50", "--large", "1000", "--follow", "true"
    };

    @TempDir Path folder;

    private JobClient start(Map<String, String> config, String... args) throws Exception {
        StreamExecutionEnvironment env = JobRun.cluster(2);
        env.configure(
                Configuration.fromMap(
                        Map.of(
                                "execution.checkpointing.dir",
                                folder.toUri().toString(),
                                "execution.checkpointing.externalized-checkpoint-retention",
                                "RETAIN_ON_CANCELLATION",
                                "execution.checkpointing.num-retained",
                                "3")));
        env.configure(Configuration.fromMap(config));
        StateJob.define(env, args);
        return env.executeAsync();
    }

    /** Runs the job until all records are in a checkpoint, and returns that. */
    private Path checkpoint(Map<String, String> config) throws Exception {
        JobClient job = start(config, ENDLESS);
        Path checkpoints = folder.resolve(job.getJobID().toHexString());
        JobRun.await("all records in a checkpoint", () -> isComplete(newest(checkpoints)));
        job.cancel().get(60, TimeUnit.SECONDS);
        return newest(checkpoints).orElseThrow();
    }

    private static boolean isComplete(Optional<Path> checkpoint) {
        if (checkpoint.isEmpty()) {
            return false;
        }
        try {
            Map<String, OperatorState> operators = read(checkpoint.get());
            // A task ends with the checkpoint after its last record, and shows in the next one.
            return operators.get("generated") instanceof FullyFinishedOperatorState
                    && operators.get("half-lists").getState(0).isFinished();
        } catch (NoSuchFileException e) {
            return false; // a newer one has taken its place
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Optional<Path> newest(Path checkpoints) {
        if (!Files.isDirectory(checkpoints)) {
            return Optional.empty();
        }
        try (Stream<Path> folders = Files.list(checkpoints)) {
            return folders.filter(path -> Files.exists(path.resolve("_metadata")))
                    .max(Comparator.comparing(StateJobTest::number));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int number(Path checkpoint) {
        return Integer.parseInt(checkpoint.getFileName().toString().replace("chk-", ""));
    }

    private static Map<String, OperatorState> read(Path checkpoint) throws IOException {
        Path file = checkpoint.resolve("_metadata");
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            return Checkpoints.loadCheckpointMetadata(
                            in, StateJobTest.class.getClassLoader(), file.toString())
                    .getOperatorStates()
                    .stream()
                    .collect(
                            Collectors.toMap(
                                    state -> state.getOperatorUid().orElseThrow(),
                                    Function.identity()));
        }
    }

    private static void check(Map<String, OperatorState> operators) {
        assertThat(operators)
                .containsKeys("lists", "by-number", "by-text", "half", "half-lists", "keep-open");
        assertThat(operators.get("by-number").getMaxParallelism()).isEqualTo(128);
        assertThat(operators.get("by-text").getMaxParallelism()).isEqualTo(1000);
        for (String uid : new String[] {"by-number", "by-text"}) {
            assertThat(operators.get(uid).getStates())
                    .hasSize(2)
                    .allMatch(state -> state.getManagedKeyedState().size() == 1);
        }
        for (int subtask : new int[] {0, 1}) {
            OperatorStateHandle lists =
                    operators
                            .get("lists")
                            .getState(subtask)
                            .getManagedOperatorState()
                            .iterator()
                            .next();
            Map<String, Integer> entries =
                    lists.getStateNameToPartitionOffsets().entrySet().stream()
                            .collect(
                                    Collectors.toMap(
                                            Map.Entry::getKey,
                                            e -> e.getValue().getOffsets().length));
            assertThat(entries)
                    .containsOnly(
                            Map.entry("bytes", 6),
                            Map.entry("longs", 5),
                            Map.entry("texts", 5),
                            Map.entry("none", 0),
                            Map.entry("seen", 1),
                            Map.entry("union", 6),
                            Map.entry("names", 1),
                            Map.entry("blobs", 1));
        }
        assertThat(operators.get("half-lists").getState(0).isFinished()).isTrue();
        assertThat(operators.get("half-lists").getState(1).isFinished()).isFalse();
    }

    @Test
    void hasTheSameStateAfterARestore() throws Exception {
        Path first = checkpoint(Map.of());
        check(read(first));
        check(read(checkpoint(Map.of("execution.state-recovery.path", first.toUri().toString()))));
    }

    @Test
    void endsAfterItsRecords() throws Exception {
        JobRun.toEnd(start(Map.of(), "--events", "500", "--keys", "50", "--large", "100"));
    }
}
