package dev.drey.flink.udf;

/**
 * A call of a Go function failed, or Go could not be loaded. The JVM goes on: Flink fails the task
 * as its restart strategy says.
 *
 * <p>Where Go had a stack its frames stand in {@link #getStackTrace} above the Java ones: class
 * name is the Go package (or package and receiver), method the function, with file and line.
 */
public class GoException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** {@link #row} of a call that was not for one row of a batch. */
    public static final int NO_ROW = -1;

    private final String function;
    private final int row;

    /**
     * @param message what happened and what to do next
     * @param cause what Go's error wraps, or a Java cause; may be null
     * @param function SQL name of the function, or null if none was called
     * @param row index of the row in its batch, or {@link #NO_ROW}
     */
    public GoException(String message, Throwable cause, String function, int row) {
        super(message, cause);
        this.function = function;
        this.row = row;
    }

    /** SQL name of the function that failed, or null if none was called. */
    public final String function() {
        return function;
    }

    /** Index in its batch of the row that failed, or {@link #NO_ROW}. */
    public final int row() {
        return row;
    }
}
