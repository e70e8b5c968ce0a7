package dev.drey.flink.udf;

/**
 * A Go function panicked, or touched memory that is not there. The message is what it panicked
 * with; the first stack frames are Go's. It is a bug of the function: the same row panics again.
 */
public final class GoPanicException extends GoException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what the function panicked with
     * @param function SQL name of the function
     * @param row index of the row in its batch, or {@link GoException#NO_ROW}
     */
    public GoPanicException(String message, String function, int row) {
        super(message, null, function, row);
    }
}
