package dev.drey.flink.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Runs a job in a small cluster in this JVM, and reads what it wrote. */
final class JobRun {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long DEADLINE_SECONDS = 60;

    private JobRun() {}

    /** A cluster with checkpoints, and as many restarts as it takes. */
    static StreamExecutionEnvironment cluster(int parallelism) {
        Configuration config = new Configuration();
        config.setString("execution.checkpointing.interval", "100 ms");
        config.setString("restart-strategy.type", "fixed-delay");
        config.setString("restart-strategy.fixed-delay.attempts", "1000");
        config.setString("restart-strategy.fixed-delay.delay", "50 ms");
        config.setString("rest.bind-port", "0");
        config.setString("taskmanager.memory.network.min", "8m");
        config.setString("taskmanager.memory.network.max", "8m");
        return StreamExecutionEnvironment.createLocalEnvironment(parallelism, config);
    }

    static void toEnd(JobClient job) throws Exception {
        job.getJobExecutionResult().get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    /** Waits for what another process or thread does. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(DEADLINE_SECONDS).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("waited in vain for: " + what);
            }
            Thread.sleep(20);
        }
    }

    // In the order in which one subtask wrote them: the number at the end grows.
    private static final Comparator<Path> BY_NAME =
            Comparator.<Path>comparingInt(f -> f.toString().length()).thenComparing(f -> f);

    /** The lines of the committed files of a folder, not of those in it. */
    static List<JsonNode> lines(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            List<JsonNode> lines = new ArrayList<>();
            for (Path file :
                    files.filter(f -> f.getFileName().toString().matches("[^._].*"))
                            .filter(Files::isRegularFile)
                            .sorted(BY_NAME)
                            .collect(Collectors.toList())) {
                for (String line : Files.readAllLines(file)) {
                    lines.add(JSON.readTree(line));
                }
            }
            return lines;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    static List<String> ids(Path folder) {
        return lines(folder).stream()
                .map(line -> line.path("id").asText())
                .sorted()
                .collect(Collectors.toList());
    }
}
