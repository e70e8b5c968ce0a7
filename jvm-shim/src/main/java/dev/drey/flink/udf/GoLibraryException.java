package dev.drey.flink.udf;

/**
 * Go cannot be loaded, or a function of it cannot be opened or used as it was: no library for this
 * machine, another version, a folder that cannot be written, a handle used by two threads. The
 * message says what to do next. No row was processed.
 */
public final class GoLibraryException extends GoException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what is wrong and what to do next
     */
    public GoLibraryException(String message) {
        this(message, null);
    }

    /**
     * @param message what is wrong and what to do next
     * @param cause what was thrown, or null
     */
    public GoLibraryException(String message, Throwable cause) {
        super(message, cause, null, NO_ROW);
    }
}
