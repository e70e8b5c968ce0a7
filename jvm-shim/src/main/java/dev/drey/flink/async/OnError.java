package dev.drey.flink.async;

/**
 * What becomes of a record whose call failed for good: refused by the function, or not answered
 * within the retry budget.
 */
public enum OnError {
    /**
     * The job fails over and sends the record again after its restore; a poison record stops the
     * job.
     */
    FAIL("fail"),

    /** The record goes on in the stream of results, with {@code null} as its result. */
    NULL("null"),

    /** The record leaves through {@link GoAsync.Streams#errors()}, with the reason. */
    SIDE_OUTPUT("side-output");

    private final String value;

    OnError(String value) {
        this.value = value;
    }

    /** The value as it stands in Flink's configuration. */
    @Override
    public String toString() {
        return value;
    }
}
