package dev.drey.flink.udf;

/**
 * A Go function returned an error, or its arguments or its result do not fit its SQL types. What
 * the error wraps (Go's {@code %w}, {@code errors.Join}) is the chain of causes, each a {@code
 * GoFunctionException} whose {@link #goType} is the Go type.
 */
public class GoFunctionException extends GoException {
    private static final long serialVersionUID = 1L;

    private final String goType;

    /**
     * @param message the text of the error
     * @param cause what the error wraps, or null
     * @param goType the Go type of the error, as {@code *fs.PathError}
     * @param function SQL name of the function
     * @param row index of the row in its batch, or {@link GoException#NO_ROW}
     */
    public GoFunctionException(
            String message, Throwable cause, String goType, String function, int row) {
        super(message, cause, function, row);
        this.goType = goType;
    }

    /** The Go type of the error, as {@code *fs.PathError}. */
    public final String goType() {
        return goType;
    }
}
