package dev.drey.flink.async.client;

import javax.annotation.Nullable;

/**
 * A call that failed for good. The message says what happened and what to do next.
 *
 * <p>It carries no stack trace: it is made on the client's threads, where a trace says nothing, and
 * possibly once per record.
 */
public final class GoCallException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String code;
    private final String detail;
    private final int status;
    private final boolean retryable;
    @Nullable private final String decisionId;

    GoCallException(String subject, Failure failure, int attempts) {
        super(message(subject, failure, attempts), failure.cause(), false, false);
        code = failure.code();
        detail = failure.detail();
        status = failure.status();
        retryable = failure.retryable();
        decisionId = failure.decisionId();
    }

    private static String message(String subject, Failure failure, int attempts) {
        StringBuilder text = new StringBuilder(subject).append(": ");
        text.append(failure.code()).append(": ").append(failure.detail());
        text.append(" (");
        if (failure.status() != 0) {
            text.append("HTTP ").append(failure.status()).append(", ");
        }
        if (failure.decisionId() != null) {
            text.append("decision ").append(failure.decisionId()).append(", ");
        }
        text.append(attempts).append(attempts == 1 ? " attempt" : " attempts");
        if (failure.retryable() && attempts > 0) {
            text.append(", retry budget spent");
        }
        return text.append("). Next: ").append(Advice.of(failure)).toString();
    }

    /** A call whose answer was fine but is of no use to the caller, or that could not be sent. */
    public static GoCallException of(String function, Failure failure, int attempts) {
        return new GoCallException(subject(function), failure, attempts);
    }

    static String subject(String function) {
        return "Go function " + function;
    }

    /**
     * Stable name of the kind of failure: the sidecar's own codes, such as {@code invalid_event};
     * {@code http_<status>} when something else answered; or one of {@link Failure}'s.
     */
    public String code() {
        return code;
    }

    /** What happened, for people. */
    public String detail() {
        return detail;
    }

    /** HTTP status of the last answer; 0 when there was none. */
    public int status() {
        return status;
    }

    /** Whether the same call may succeed later. */
    public boolean retryable() {
        return retryable;
    }

    /** Under which id the sidecar logged the call, if it said so. */
    @Nullable
    public String decisionId() {
        return decisionId;
    }
}
