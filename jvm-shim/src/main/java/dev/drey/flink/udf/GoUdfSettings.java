package dev.drey.flink.udf;

import dev.drey.flink.udf.library.LibrarySettings;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.function.UnaryOperator;
import javax.annotation.Nullable;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;

/** {@link GoUdfOptions} as a job and the TaskManager's configuration have them. */
final class GoUdfSettings {
    private static final ConfigOption<?>[] OPTIONS = {
        GoUdfOptions.LIBRARY_DIR,
        GoUdfOptions.GOMAXPROCS,
        GoUdfOptions.MEMORY_LIMIT,
        GoUdfOptions.GOGC,
        GoUdfOptions.MAX_RUNTIMES,
        GoUdfOptions.CRASH_DIR,
        GoUdfOptions.CALL_TIMEOUT,
        GoUdfOptions.MAX_RESULT_BYTES
    };

    private final Configuration config;

    private GoUdfSettings(Configuration config) {
        this.config = config;
    }

    /**
     * The settings of a job.
     *
     * @param jobParameter the job's parameter of that name, or null
     */
    static GoUdfSettings of(UnaryOperator<String> jobParameter) {
        return of(jobParameter, TaskManagerConfiguration.FILE);
    }

    static GoUdfSettings of(UnaryOperator<String> jobParameter, Configuration taskManager) {
        Configuration config = new Configuration(taskManager);
        for (ConfigOption<?> option : OPTIONS) {
            String value = jobParameter.apply(option.key());
            if (value != null) {
                config.setString(option.key(), value);
            }
        }
        return new GoUdfSettings(config);
    }

    /** The settings of the process. */
    LibrarySettings library() {
        LibrarySettings.Builder b = LibrarySettings.builder();
        config.getOptional(GoUdfOptions.LIBRARY_DIR).map(Paths::get).ifPresent(b::libraryDir);
        b.maxRuntimes(config.get(GoUdfOptions.MAX_RUNTIMES));
        b.gomaxprocs(config.getOptional(GoUdfOptions.GOMAXPROCS).orElseGet(this::slotsBeyondCpus));
        b.memoryLimit(
                config.getOptional(GoUdfOptions.MEMORY_LIMIT)
                        .orElseGet(() -> config.get(TaskManagerOptions.TASK_OFF_HEAP_MEMORY))
                        .getBytes());
        config.getOptional(GoUdfOptions.GOGC).ifPresent(b::gogc);
        config.getOptional(GoUdfOptions.CRASH_DIR).map(Paths::get).ifPresent(b::crashDir);
        b.logDir(besideLog(System.getProperty("log.file")));
        return b.build();
    }

    /** The task slots, if they are more than what Go would count itself; else 0, for Go's own. */
    private int slotsBeyondCpus() {
        int slots = config.get(TaskManagerOptions.NUM_TASK_SLOTS);
        return slots > Runtime.getRuntime().availableProcessors() ? slots : 0;
    }

    @Nullable
    private static Path besideLog(@Nullable String logFile) {
        return logFile == null ? null : Paths.get(logFile).toAbsolutePath().getParent();
    }

    /** The time a call may take, in milliseconds; 0 for any. */
    long callTimeoutMillis() {
        return config.get(GoUdfOptions.CALL_TIMEOUT).toMillis();
    }

    /** The size of the largest result. */
    long maxResultBytes() {
        MemorySize size = config.get(GoUdfOptions.MAX_RESULT_BYTES);
        if (size.getBytes() < 1 || size.getBytes() > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(
                    GoUdfOptions.MAX_RESULT_BYTES.key()
                            + ": "
                            + size
                            + " is not between 1 byte and 2 GiB; a result is one buffer");
        }
        return size.getBytes();
    }

    /** Read once a class loader: Flink logs each line when it reads its file. */
    private static final class TaskManagerConfiguration {
        static final Configuration FILE = GlobalConfiguration.loadConfiguration();
    }
}
