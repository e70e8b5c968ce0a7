package dev.drey.flink.udf.codec;

/**
 * A row cannot be written in the row codec, or bytes are not a message of the expected columns. The
 * message names the column and what is wrong.
 */
public final class RowCodecException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RowCodecException(String message) {
        super(message);
    }
}
