package dev.drey.flink.async;

import dev.drey.flink.async.client.RetryPolicy;
import java.io.Serializable;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.ArrayList;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The values of {@link GoAsyncOptions}, checked. Immutable; travels with the function to the
 * TaskManagers.
 */
public final class GoAsyncSettings implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Between the end of the last attempt and Flink's time-out, when that is derived. */
    static final Duration MARGIN = Duration.ofSeconds(5);

    private final ArrayList<URI> urls = new ArrayList<>();
    private final int capacity;
    private final Duration timeout;
    private final boolean ordered;
    private final OnError onError;
    private final int maxAnswerBytes;
    private final RetryPolicy retryPolicy;
    private final RetryPolicy restorePolicy;

    private GoAsyncSettings(ReadableConfig config, OnError onErrorDefault) {
        for (String one : config.get(GoAsyncOptions.SIDECAR_URL).split(",", -1)) {
            urls.add(url(one));
        }
        capacity = config.get(GoAsyncOptions.CAPACITY);
        ordered = config.get(GoAsyncOptions.ORDERED);
        onError = config.getOptional(GoAsyncOptions.ON_ERROR).orElse(onErrorDefault);
        maxAnswerBytes =
                (int)
                        Math.min(
                                Integer.MAX_VALUE - 16,
                                config.get(GoAsyncOptions.MAX_ANSWER_SIZE).getBytes());

        Duration attempt = config.get(GoAsyncOptions.ATTEMPT_TIMEOUT);
        Duration budget = config.get(GoAsyncOptions.RETRY_BUDGET);
        timeout =
                config.getOptional(GoAsyncOptions.TIMEOUT)
                        .orElseGet(() -> budget.plus(attempt).plus(MARGIN));
        Duration initial = config.get(GoAsyncOptions.BACKOFF_INITIAL);
        Duration max = config.get(GoAsyncOptions.BACKOFF_MAX);

        require(capacity >= 1, "drey.async.capacity is %s; raise it to 1 or more", capacity);
        require(
                maxAnswerBytes >= 1,
                "drey.async.max-answer-size is %s bytes; raise it",
                maxAnswerBytes);
        require(
                isPositive(attempt),
                "drey.async.attempt-timeout is %s; raise it above zero",
                attempt);
        require(
                isPositive(initial),
                "drey.async.backoff.initial is %s; raise it above zero",
                initial);
        require(
                attempt.compareTo(budget) < 0,
                "drey.async.attempt-timeout (%s) must be shorter than drey.async.retry-budget (%s), or nothing is"
                        + " ever retried; raise the budget or shorten the attempt",
                attempt,
                budget);
        require(
                budget.compareTo(timeout) < 0,
                "drey.async.retry-budget (%s) must be shorter than drey.async.timeout (%s), or Flink gives up"
                        + " while the client still retries; raise the timeout, or leave it out to have it derived",
                budget,
                timeout);
        require(
                initial.compareTo(max) <= 0,
                "drey.async.backoff.initial (%s) is longer than drey.async.backoff.max (%s); raise the maximum",
                initial,
                max);
        require(
                max.compareTo(budget) < 0,
                "drey.async.backoff.max (%s) must be shorter than drey.async.retry-budget (%s), or one wait spends"
                        + " it; lower the maximum or raise the budget",
                max,
                budget);
        retryPolicy =
                new RetryPolicy(
                        attempt.toNanos(), budget.toNanos(), initial.toNanos(), max.toNanos());
        Duration restore = config.get(GoAsyncOptions.RESTORE_TIMEOUT);
        require(
                isPositive(restore),
                "drey.state.restore-timeout is %s; raise it above zero",
                restore);
        // One request may take as long as all: its answer comes when the state is there.
        restorePolicy =
                new RetryPolicy(
                        restore.toNanos(), restore.toNanos(), initial.toNanos(), max.toNanos());
    }

    /** The settings in a configuration, with the options' own defaults. */
    public static GoAsyncSettings from(ReadableConfig config) {
        return from(config, GoAsyncOptions.ON_ERROR.defaultValue());
    }

    /**
     * The settings in a configuration.
     *
     * @param onErrorDefault what counts when the configuration says nothing
     * @throws IllegalArgumentException names the option to change
     */
    public static GoAsyncSettings from(ReadableConfig config, OnError onErrorDefault) {
        return new GoAsyncSettings(config, onErrorDefault);
    }

    private static URI url(String text) {
        String base = text.trim();
        while (base.endsWith("/")) {
            base = base.substring(0, base.length() - 1);
        }
        URI uri;
        try {
            uri = new URI(base);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("drey.sidecar.url: " + e.getMessage(), e);
        }
        boolean web =
                "http".equalsIgnoreCase(uri.getScheme())
                        || "https".equalsIgnoreCase(uri.getScheme());
        require(
                web && uri.getHost() != null,
                "drey.sidecar.url is %s; it must look like http://127.0.0.1:8080 or https://sidecar:8443/base",
                text);
        require(
                uri.getRawQuery() == null
                        && uri.getRawFragment() == null
                        && uri.getRawUserInfo() == null,
                "drey.sidecar.url must have no credentials, query or fragment; leave only scheme, host, port and path");
        return uri;
    }

    private static boolean isPositive(Duration d) {
        return !d.isZero() && !d.isNegative();
    }

    private static void require(boolean condition, String message, Object... values) {
        if (!condition) {
            for (int i = 0; i < values.length; i++) {
                if (values[i] instanceof Duration) {
                    values[i] = ((Duration) values[i]).toMillis() + " ms"; // not PT0.05S
                }
            }
            throw new IllegalArgumentException(String.format(message, values));
        }
    }

    /**
     * Base URL of the sidecar of a subtask, without a slash at its end.
     *
     * @param subtask its index
     */
    public URI url(int subtask) {
        return urls.get(subtask % urls.size());
    }

    /** Records in flight per subtask. */
    public int capacity() {
        return capacity;
    }

    /** Flink's time-out; longer than the retry budget. */
    public Duration timeout() {
        return timeout;
    }

    /** Whether results keep the order of the records. */
    public boolean ordered() {
        return ordered;
    }

    /** What becomes of a record whose call failed for good. */
    public OnError onError() {
        return onError;
    }

    /** The largest answer, in bytes. */
    public int maxAnswerBytes() {
        return maxAnswerBytes;
    }

    /** Time-outs and backoff of a call. */
    public RetryPolicy retryPolicy() {
        return retryPolicy;
    }

    /** Time-outs and backoff of the restore of state. */
    public RetryPolicy restorePolicy() {
        return restorePolicy;
    }
}
