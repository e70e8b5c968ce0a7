package dev.drey.flink.udf;

import dev.drey.flink.udf.library.LibrarySettings;
import java.time.Duration;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * The options of Go functions in the TaskManager. Each is read from the job's parameters ({@code
 * pipeline.global-job-parameters}), and if it is not there from Flink's configuration file on the
 * TaskManager.
 *
 * <p>Those of the process are taken when the first Go function of a build is opened in it; later
 * jobs run with what is then in force. If they are refused, that job fails, and the next one's are
 * taken. Those of the call hold for each job.
 */
public final class GoUdfOptions {

    /** Where the Go library is put. */
    public static final ConfigOption<String> LIBRARY_DIR =
            ConfigOptions.key("drey.udf.library-dir")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Folder that Go libraries are written to and loaded from, once per content. It"
                                    + " must not be mounted noexec. When not set: java.io.tmpdir. Of the"
                                    + " process.");

    /** Threads that run Go. */
    public static final ConfigOption<Integer> GOMAXPROCS =
            ConfigOptions.key("drey.udf.gomaxprocs")
                    .intType()
                    .noDefaultValue()
                    .withDescription(
                            "How many threads may run Go at once. When not set: what Go finds itself (CPUs,"
                                    + " cgroup limit), but at least the number of task slots. Of the process.");

    /** Memory of Go. */
    public static final ConfigOption<MemorySize> MEMORY_LIMIT =
            ConfigOptions.key("drey.udf.memory-limit")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "Soft limit of Go's memory (GOMEMLIMIT); near it Go collects garbage more often."
                                    + " When not set: taskmanager.memory.task.off-heap.size if that is not"
                                    + " zero, else none. Of the process.");

    /** Garbage collection of Go. */
    public static final ConfigOption<String> GOGC =
            ConfigOptions.key("drey.udf.gogc")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Percentage by which Go's heap may grow before garbage is collected (GOGC), or"
                                    + " off, which asks for a memory limit. When not set: Go's own, 100. Of"
                                    + " the process.");

    /** Builds side by side. */
    public static final ConfigOption<Integer> MAX_RUNTIMES =
            ConfigOptions.key("drey.udf.max-runtimes")
                    .intType()
                    .defaultValue(LibrarySettings.DEFAULT_MAX_RUNTIMES)
                    .withDescription(
                            "How many builds may be loaded into one TaskManager process. Go cannot be unloaded:"
                                    + " each build stays, with a few MB and threads, until the process ends."
                                    + " Of the process.");

    /** Traces of a crash. */
    public static final ConfigOption<String> CRASH_DIR =
            ConfigOptions.key("drey.udf.crash-dir")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Folder for the stacks of a crash that no code can catch (a panic in a goroutine"
                                    + " of the function's own). When not set: beside the TaskManager's log,"
                                    + " if that can be written. Of the process.");

    /** The deadline of a call. */
    public static final ConfigOption<Duration> CALL_TIMEOUT =
            ConfigOptions.key("drey.udf.call-timeout")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(30))
                    .withDescription(
                            "The deadline that a function's context carries. A function that does not look at"
                                    + " its context is not interrupted. 0 for none. Of the call.");

    /** Largest result. */
    public static final ConfigOption<MemorySize> MAX_RESULT_BYTES =
            ConfigOptions.key("drey.udf.max-result-bytes")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(64))
                    .withDescription(
                            "A result of one call that is larger fails the call. Of the call.");

    private GoUdfOptions() {}
}
