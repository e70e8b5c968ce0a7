package dev.drey.flink.udf.manifest;

/** A jar's manifest is missing, damaged, or of another version. The message says what to do. */
public final class ManifestException extends Exception {
    private static final long serialVersionUID = 1L;

    ManifestException(String message) {
        super(message);
    }

    ManifestException(String message, Throwable cause) {
        super(message, cause);
    }
}
