package dev.drey.flink.udf;

/**
 * A Go function returned an error after the deadline of its call ({@code drey.udf.call-timeout})
 * had passed. Go cannot be stopped from outside: a function that never looks at its context runs
 * on, and this exception comes when it returns.
 */
public final class GoDeadlineException extends GoFunctionException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message the text of the error
     * @param cause what the error wraps, or null
     * @param goType the Go type of the error
     * @param function SQL name of the function
     * @param row index of the row in its batch, or {@link GoException#NO_ROW}
     */
    public GoDeadlineException(
            String message, Throwable cause, String goType, String function, int row) {
        super(message, cause, goType, function, row);
    }
}
