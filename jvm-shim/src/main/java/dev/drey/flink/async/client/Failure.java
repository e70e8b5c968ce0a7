package dev.drey.flink.async.client;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.concurrent.TimeUnit;
import javax.annotation.Nullable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;

/**
 * What one attempt came to when it was no answer. Immutable, and cheap: a retried attempt makes no
 * exception.
 */
public final class Failure {
    /** No connection, or it broke. */
    public static final String UNREACHABLE = "unreachable";

    /** No answer within the attempt's time-out. */
    public static final String ATTEMPT_TIMEOUT = "attempt_timeout";

    /** An answer that is no answer of a sidecar. */
    public static final String BAD_ANSWER = "bad_answer";

    /** An answer larger than allowed. */
    public static final String ANSWER_TOO_LARGE = "answer_too_large";

    /** The function's result does not fit the class it is read into. */
    public static final String BAD_RESULT = "bad_result";

    /** The event or its id could not be made from the record, or not encoded. */
    public static final String BAD_EVENT = "bad_event";

    /** Flink's time-out came before the client's. */
    public static final String FLINK_TIMEOUT = "flink_timeout";

    /** The function or the client was closed. */
    public static final String CLOSED = "closed";

    private static final JsonFactory JSON = new JsonFactory();
    private static final int SHOWN =
            200; // characters of a foreign answer that a person gets to see

    private final String code;
    private final String detail;
    private final int status;
    private final boolean retryable;
    private final long retryAfterNanos;
    @Nullable private final String decisionId;
    @Nullable private final Throwable cause;

    private Failure(
            String code,
            String detail,
            int status,
            boolean retryable,
            long retryAfterNanos,
            @Nullable String decisionId,
            @Nullable Throwable cause) {
        this.code = code;
        this.detail = detail;
        this.status = status;
        this.retryable = retryable;
        this.retryAfterNanos = retryAfterNanos;
        this.decisionId = decisionId;
        this.cause = cause;
    }

    /** A failure that a retry would not change. */
    public static Failure permanent(String code, String detail, @Nullable Throwable cause) {
        return new Failure(code, detail, 0, false, 0, null, cause);
    }

    static Failure transientOne(String code, String detail, @Nullable Throwable cause) {
        return new Failure(code, detail, 0, true, 0, null, cause);
    }

    /** The transport had no answer to give. */
    static Failure of(Throwable thrown, String target) {
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            if (t instanceof LimitedBody.TooLarge) {
                return permanent(ANSWER_TOO_LARGE, t.getMessage(), null);
            }
        }
        // Anything else, even what should not happen: trying again is bounded by the budget, giving
        // up is not undone.
        String text = thrown.getMessage();
        String what = thrown.getClass().getSimpleName() + (text == null ? "" : ": " + text);
        return transientOne(UNREACHABLE, "no answer from " + target + ": " + what, thrown);
    }

    /**
     * An answer with another status than 200. Problem documents (RFC 9457) say themselves what they
     * mean.
     */
    static Failure of(Reply reply) {
        int status = reply.status();
        String code = null;
        String title = null;
        String detail = null;
        String decisionId = null;
        Boolean retryable = null;
        long retryAfterMillis = -1;
        try (JsonParser in = JSON.createParser(reply.body())) {
            if (in.nextToken() == JsonToken.START_OBJECT) {
                while (in.nextToken() == JsonToken.FIELD_NAME) {
                    String name = in.currentName();
                    JsonToken value = in.nextToken();
                    if (value == JsonToken.VALUE_STRING) {
                        switch (name) {
                            case "code":
                                code = in.getText();
                                break;
                            case "title":
                                title = in.getText();
                                break;
                            case "detail":
                                detail = in.getText();
                                break;
                            case "decision_id":
                                decisionId = in.getText();
                                break;
                            default:
                        }
                    } else if (name.equals("retryable") && value.isBoolean()) {
                        retryable = in.getBooleanValue();
                    } else if (name.equals("retry_after_ms")
                            && value == JsonToken.VALUE_NUMBER_INT) {
                        retryAfterMillis = in.getLongValue();
                    } else {
                        in.skipChildren();
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            // Not a problem document: what was not read stays unknown, and the status decides.
        }
        if (detail == null) {
            detail = title != null ? title : shown(reply.body());
        }
        if (retryable == null) {
            retryable = retryableByStatus(status);
        }
        long after =
                retryAfterMillis >= 0
                        ? millis(retryAfterMillis)
                        : retryAfterNanos(reply.retryAfter());
        return new Failure(
                code == null ? "http_" + status : code,
                detail,
                status,
                retryable,
                after,
                decisionId,
                null);
    }

    // What a proxy answers in the place of the sidecar. 502 is its word for a broken connection,
    // 429 for shed load.
    private static boolean retryableByStatus(int status) {
        return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
    }

    private static long millis(long value) {
        return TimeUnit.MILLISECONDS.toNanos(value);
    }

    /** Seconds or a date (RFC 9110, section 10.2.3); 0 for anything else. */
    private static long retryAfterNanos(@Nullable String header) {
        if (header == null) {
            return 0;
        }
        String text = header.trim();
        try {
            return TimeUnit.SECONDS.toNanos(Math.max(0, Long.parseLong(text)));
        } catch (NumberFormatException notSeconds) {
            try {
                ZonedDateTime date =
                        ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME);
                Duration wait = Duration.between(ZonedDateTime.now(date.getZone()), date);
                return TimeUnit.SECONDS.toNanos(Math.max(0, wait.getSeconds()));
            } catch (DateTimeParseException neither) {
                return 0;
            }
        }
    }

    /** The beginning of a foreign text, on one line. */
    static String shown(byte[] body) {
        int length = Math.min(body.length, SHOWN);
        String text =
                new String(body, 0, length, StandardCharsets.UTF_8).replaceAll("\\s+", " ").trim();
        return text.isEmpty() ? "no text" : body.length > SHOWN ? text + "..." : text;
    }

    /** A failure to be told about an answer with status 200. */
    static Failure badAnswer(String detail, boolean retryable) {
        return new Failure(BAD_ANSWER, detail, 200, retryable, 0, null, null);
    }

    /** Stable name of the kind of failure. */
    public String code() {
        return code;
    }

    /** What happened, for people. */
    public String detail() {
        return detail;
    }

    int status() {
        return status;
    }

    boolean retryable() {
        return retryable;
    }

    /** How long the sidecar asks to wait; 0 when it does not say. */
    long retryAfterNanos() {
        return retryAfterNanos;
    }

    /** Whether the sidecar had no place for the call. */
    boolean isShed() {
        return status == 503;
    }

    @Nullable
    String decisionId() {
        return decisionId;
    }

    @Nullable
    Throwable cause() {
        return cause;
    }
}
