package dev.drey.flink.async;

import java.time.Duration;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/**
 * The options of {@link GoAsyncFunction}, read from Flink's configuration or the program's
 * arguments (see {@link GoAsync#configuration}). {@link GoAsyncSettings} checks that they fit
 * together.
 */
public final class GoAsyncOptions {

    /** Where the sidecar answers. */
    public static final ConfigOption<String> SIDECAR_URL =
            ConfigOptions.key("drey.sidecar.url")
                    .stringType()
                    .defaultValue("http://127.0.0.1:8080")
                    .withDescription(
                            "Base URL of the sidecar, as seen from the TaskManagers; /evaluate is added. Several,"
                                    + " separated by commas, are given to the subtasks in turn: subtask 0 the first,"
                                    + " subtask 1 the second. https is"
                                    + " verified against the trust store of the JVM"
                                    + " (javax.net.ssl.trustStore). No credentials in the URL.");

    /** Records in flight. */
    public static final ConfigOption<Integer> CAPACITY =
            ConfigOptions.key("drey.async.capacity")
                    .intType()
                    .defaultValue(100)
                    .withDescription(
                            "Records in flight per subtask; beyond it the stream is held back. The sidecar sees up"
                                    + " to capacity x parallelism calls at once.");

    /** One request. */
    public static final ConfigOption<Duration> ATTEMPT_TIMEOUT =
            ConfigOptions.key("drey.async.attempt-timeout")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(5))
                    .withDescription("How long one request may take, until its answer is read.");

    /** All requests for a record. */
    public static final ConfigOption<Duration> RETRY_BUDGET =
            ConfigOptions.key("drey.async.retry-budget")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(60))
                    .withDescription(
                            "How long all attempts for a record and the waiting between them may take. Longer than"
                                    + " a restart of the sidecar; records that wait hold back the stream and, with"
                                    + " it, checkpoints.");

    /** Flink's own. */
    public static final ConfigOption<Duration> TIMEOUT =
            ConfigOptions.key("drey.async.timeout")
                    .durationType()
                    .noDefaultValue()
                    .withDescription(
                            "Flink's time-out for a record, a net under the retry budget. When not set: retry-budget"
                                    + " + attempt-timeout + 5 s.");

    /** Order of results. */
    public static final ConfigOption<Boolean> ORDERED =
            ConfigOptions.key("drey.async.ordered")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether results keep the order of the records. Then one slow call holds back all that"
                                    + " came after it. Unordered results never overtake a watermark.");

    /** Failed records. */
    public static final ConfigOption<OnError> ON_ERROR =
            ConfigOptions.key("drey.async.on-error")
                    .enumType(OnError.class)
                    .defaultValue(OnError.FAIL)
                    .withDescription(
                            "What becomes of a record whose call failed for good: fail the job, go on with null, or"
                                    + " leave through the side output.");

    /** First wait. */
    public static final ConfigOption<Duration> BACKOFF_INITIAL =
            ConfigOptions.key("drey.async.backoff.initial")
                    .durationType()
                    .defaultValue(Duration.ofMillis(50))
                    .withDescription(
                            "Upper bound of the wait before the first retry; it doubles with each further one. The"
                                    + " wait is drawn between zero and the bound (full jitter).");

    /** Longest wait. */
    public static final ConfigOption<Duration> BACKOFF_MAX =
            ConfigOptions.key("drey.async.backoff.max")
                    .durationType()
                    .defaultValue(Duration.ofSeconds(2))
                    .withDescription(
                            "The bound of the wait grows no further than this. A sidecar that asks for more"
                                    + " (Retry-After) is given more.");

    /** Largest answer. */
    public static final ConfigOption<MemorySize> MAX_ANSWER_SIZE =
            ConfigOptions.key("drey.async.max-answer-size")
                    .memoryType()
                    .defaultValue(MemorySize.ofMebiBytes(4))
                    .withDescription(
                            "An answer larger than this is an error and is not kept in memory.");

    /** Restore of state. */
    public static final ConfigOption<Duration> RESTORE_TIMEOUT =
            ConfigOptions.key("drey.state.restore-timeout")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(10))
                    .withDescription(
                            "How long a subtask waits until the sidecar has loaded the state of a checkpoint, a store"
                                    + " that is away included; then it fails and is started again.");

    private GoAsyncOptions() {}
}
