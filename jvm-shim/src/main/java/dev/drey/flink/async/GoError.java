package dev.drey.flink.async;

import dev.drey.flink.async.client.GoCallException;
import java.util.Objects;
import javax.annotation.Nullable;

/** Why a call failed, as data: what {@link GoCallException} says, in a Flink POJO. */
public final class GoError {
    private String code;
    private String detail;
    private int status;
    private boolean retryable;
    @Nullable private String decisionId;

    /** For Flink's serializer. */
    public GoError() {}

    static GoError of(Throwable failure) {
        GoError error = new GoError();
        if (failure instanceof GoCallException) {
            GoCallException e = (GoCallException) failure;
            error.code = e.code();
            error.detail = e.detail();
            error.status = e.status();
            error.retryable = e.retryable();
            error.decisionId = e.decisionId();
        } else {
            error.code = "internal";
            error.detail = failure.toString();
        }
        return error;
    }

    /**
     * Stable name of the kind of failure, such as {@code invalid_event}; see {@link
     * GoCallException#code()}.
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

    /** Whether the same record may succeed later: then it was the retry budget that ended. */
    public boolean retryable() {
        return retryable;
    }

    /** Under which id the sidecar logged the call, if it said so. */
    @Nullable
    public String decisionId() {
        return decisionId;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof GoError)) {
            return false;
        }
        GoError that = (GoError) other;
        return Objects.equals(code, that.code)
                && Objects.equals(detail, that.detail)
                && status == that.status
                && retryable == that.retryable
                && Objects.equals(decisionId, that.decisionId);
    }

    @Override
    public int hashCode() {
        return Objects.hash(code, detail, status, retryable, decisionId);
    }

    @Override
    public String toString() {
        return code + ": " + detail;
    }
}
